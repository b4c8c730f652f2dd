"""Clients at the same time: no lost change, no half answer, one feature, and never a fault of ours."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client


def test_two_patches_at_once_both_count(server: Running, keys: Keys) -> None:
    with client(server, keys.manage) as found:
        found.post("Things", json=cities.thing())

        def patch(change: dict[str, str]) -> int:
            return found.patch("Things(1)", json=change).status_code

        with ThreadPoolExecutor(8) as pool:
            changes = [{name: f"{name} {i}"} for i in range(20) for name in ("name", "description")]
            statuses = list(pool.map(patch, changes))
        assert set(statuses) == {200}
        thing = found.get("Things(1)").json()
        assert thing["name"].startswith("name ")
        assert thing["description"].startswith("description ")


def test_of_two_conditional_patches_one_wins(server: Running, keys: Keys) -> None:
    with client(server, keys.manage) as found:
        found.post("Things", json=cities.thing())
        tag = found.get("Things(1)").headers["ETag"]

        def patch(name: str) -> int:
            return found.patch("Things(1)", json={"name": name}, headers={"If-Match": tag}).status_code

        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(pool.map(patch, [f"name {i}" for i in range(8)]))
        assert statuses == [200] + [412] * 7


def test_first_observations_at_one_place_share_one_feature(server: Running, keys: Keys) -> None:
    streams = [cities.full_datastream(name=f"stream {i}") for i in range(8)]
    with client(server, keys.manage) as found:
        found.post("Things", json=cities.station(Datastreams=streams))

        def post(stream: int) -> int:
            return found.post(f"Datastreams({stream % 8 + 1})/Observations", json={"result": stream}).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(post, range(64))) == {201}
        assert found.get("FeaturesOfInterest?$count=true").json()["@iot.count"] == 1
        assert found.get("FeaturesOfInterest(1)/Observations?$count=true").json()["@iot.count"] == 64


def test_deleting_while_others_read_and_write(server: Running, keys: Keys, conn: psycopg.Connection) -> None:
    with client(server, keys.manage) as found:
        for _ in range(6):
            found.post("Things", json=cities.station())

        def work(job: tuple[str, int]) -> httpx.Response:
            kind, number = job
            match kind:
                case "delete":
                    return found.delete(f"Things({number})")
                case "post":
                    return found.post(f"Datastreams({number})/Observations", json={"result": 1})
                case _:
                    return found.get("Things?$expand=Datastreams($expand=Observations),Locations")

        jobs = [(kind, number) for number in range(1, 7) for kind in ("post", "post", "read", "delete", "post", "read")]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(work, jobs))
        assert {answer.status_code for answer in answers} <= {200, 201, 400, 404, 409}
        for answer in answers:
            if answer.request.method == "GET":
                assert all(len(thing["Datastreams"]) == 1 for thing in answer.json()["value"])
        for (kind, number), answer in zip(jobs, answers, strict=True):
            if kind == "delete" and answer.status_code == 409:
                assert found.delete(f"Things({number})").status_code == 200
        assert found.get("Datastreams").json()["value"] == []
    row = conn.execute("SELECT count(*) FROM observation").fetchone()
    assert row == (0,)
    assert conn.execute("SELECT count(*) FROM datastream_latest").fetchone() == (0,)
