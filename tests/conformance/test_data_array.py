"""Conformance class A.6, data array (OGC 18-088, clause 13), over HTTP.

Requirement: http://www.opengis.net/spec/iot_sensing/1.1/req/data-array/data-array
"""

from typing import Any

import httpx
import psycopg
import pytest

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client
from tests.store.datastreams import assert_consistent

T = "2010-12-23T10:2{}:00-07:00"


def array(stream: int, components: list[str], rows: list[Any], holder: str = "Datastream") -> dict[str, Any]:
    return {
        holder: {"@iot.id": stream}, "components": components, "dataArray@iot.count": len(rows), "dataArray": rows,
    }  # fmt: skip


def create(on: httpx.Client, *arrays: dict[str, Any], **headers: str) -> list[str]:
    response = on.post("CreateObservations", json=list(arrays), headers=headers)
    assert response.status_code == 201, response.text
    found = response.json()
    assert isinstance(found, list)
    return found


def wrong(answers: list[str]) -> list[bool]:
    return [text.startswith("error") for text in answers]


def count(on: httpx.Client, path: str = "Observations") -> int:
    return int(on.get(f"{path}?$count=true&$top=0").json()["@iot.count"])


@pytest.fixture
def streams(manager: httpx.Client) -> list[int]:
    """Two datastreams of things at different places."""
    for _ in range(2):
        assert manager.post("Things", json=cities.station()).status_code == 201
    return [1, 2]


def test_create_observations(manager: httpx.Client, streams: list[int], conn: psycopg.Connection) -> None:
    """req/data-array/data-array: 201; the address of each Observation, or a text that begins with error."""
    own = manager.post("FeaturesOfInterest", json=cities.feature()).json()["@iot.id"]
    answers = create(
        manager,
        array(1, ["phenomenonTime", "result", "FeatureOfInterest/id"],
              [[T.format(0), 20, own], [T.format(1), 30, "noId"]]),
        array(2, ["phenomenonTime", "result"], [[T.format(0), 65], [T.format(1), 60]]),
    )  # fmt: skip
    assert wrong(answers) == [False, True, False, False]
    assert "FeatureOfInterest/id" in answers[1]
    found = [manager.get(f"{link}?$expand=Datastream,FeatureOfInterest").json() for link in answers if "://" in link]
    assert [one["result"] for one in found] == [20, 65, 60]
    assert [one["@iot.selfLink"] for one in found] == [answers[0], answers[2], answers[3]]
    assert found[0]["phenomenonTime"] == "2010-12-23T17:20:00Z"
    assert [one["Datastream"]["@iot.id"] for one in found] == [1, 2, 2]
    features = [one["FeatureOfInterest"]["@iot.id"] for one in found]
    assert features[0] == own != features[1] == features[2]
    assert_consistent(conn)


def test_all_components(manager: httpx.Client, streams: list[int]) -> None:
    """req/data-array/data-array: what a single POST takes, a row takes."""
    single = {
        "phenomenonTime": "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z", "result": {"a": [1]},
        "resultTime": "2026-01-01T01:00:00Z", "resultQuality": "good", "parameters": {"p": 1},
        "validTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
    }  # fmt: skip
    link = manager.post("Datastreams(1)/Observations", json=single).headers["Location"]
    (answer,) = create(manager, array(1, ["id", *single], [[None, *single.values()]]))
    alone, row = manager.get(link).json(), manager.get(answer).json()
    assert {name: row[name] for name in single} == {name: alone[name] for name in single} == single


def test_multi_datastreams(manager: httpx.Client) -> None:
    """req/data-array/data-array, req/multi-datastream/constraints"""
    body = cities.multi_datastream(
        2, Thing=cities.thing(Locations=[cities.location()]), Sensor=cities.sensor(),
        ObservedProperties=[cities.observed_property(name=name) for name in ("a", "b")],
    )  # fmt: skip
    stream = manager.post("MultiDatastreams", json=body).json()["@iot.id"]
    rows = [[T.format(0), [5, 20]], [T.format(1), 30], [T.format(2), [5]], [T.format(3), [None, 1.5]]]
    answers = create(manager, array(stream, ["phenomenonTime", "result"], rows, "MultiDatastream"))
    assert wrong(answers) == [False, True, True, False]
    assert [manager.get(answers[place]).json()["result"] for place in (0, 3)] == [[5, 20], [None, 1.5]]
    assert wrong(create(manager, array(stream, ["result"], [[[1, 2]]]))) == [True]
    assert count(manager, f"MultiDatastreams({stream})/Observations") == 2


def test_one_bad_row_fails_alone(manager: httpx.Client, streams: list[int], conn: psycopg.Connection) -> None:
    bad: list[Any] = [
        ["x", 1], [T.format(1)], [T.format(1), 1, 2], None, {"result": 1}, [5, 1], ["2026-01-01T00:00:00", 1],
        ["1500-01-01T00:00:00Z", 1], [T.format(1), "\0"], ["2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", 1],
    ]  # fmt: skip
    good: list[Any] = [[T.format(n), n] for n in range(len(bad))] + [[None, 1], [T.format(0), None]]
    mixed = [row for pair in zip(good, bad, strict=False) for row in pair] + good[len(bad) :]
    answers = create(
        manager, array(1, ["phenomenonTime", "result"], mixed), array(99, ["phenomenonTime", "result"], good[:2])
    )
    assert wrong(answers) == [False, True] * len(bad) + [False, False, True, True]
    assert "no Datastream with the id 99" in answers[-1]
    assert count(manager) == len(good)
    assert manager.get("Datastreams(1)/Observations?$count=true&$filter=result eq 3").json()["@iot.count"] == 1
    assert_consistent(conn)
    raw = b'[{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": [[{"a": 1, "a": 2}], [{"a": 3}]]}]'
    sent = manager.post("CreateObservations", content=raw, headers={"Content-Type": "application/json"})
    assert wrong(sent.json()) == [True, False]
    assert manager.get(sent.json()[1]).json()["result"] == {"a": 3}


REFUSED: list[tuple[Any, str]] = [
    ({}, "body"),
    ([1], "[0]"),
    ([{"components": ["result"], "dataArray": []}], "[0].Datastream"),
    ([{"Datastream": {"@iot.id": 1}, "MultiDatastream": {"@iot.id": 1}}], "[0].Datastream"),
    ([{"Datastream": 1, "components": ["result"], "dataArray": []}], "[0].Datastream"),
    ([{"Datastream": {"@iot.id": 1}, "components": ["result"]}], "[0].dataArray"),
    ([{"Datastream": {"@iot.id": 1}, "dataArray": []}], "[0].components"),
    ([{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime"], "dataArray": []}], "[0].components"),
    ([{"Datastream": {"@iot.id": 1}, "components": ["result", "x"], "dataArray": []}], "[0].components[1]"),
    ([{"Datastream": {"@iot.id": 1}, "components": ["result", "result"], "dataArray": []}], "[0].components[1]"),
    ([{"Datastream": {"@iot.id": 1}, "components": ["result"], "dataArray": [], "x": 1}], "[0].x"),
]  # fmt: skip


def test_what_is_no_data_array_is_refused_as_a_whole(manager: httpx.Client, streams: list[int]) -> None:
    good = array(1, ["result"], [[1]])
    for body, where in REFUSED:
        response = manager.post("CreateObservations", json=body)
        assert (response.status_code, response.json()["where"]) == (400, where), response.text
        if isinstance(body, list):
            assert manager.post("CreateObservations", json=[*body, good]).status_code == 400
    for text in ("", "{", '[{"Datastream": {"@iot.id": 1, "@iot.id": 2}}]', "[NaN]", "[" * 100_000, "\xff"):
        sent = manager.post(
            "CreateObservations", content=text.encode("latin-1"), headers={"Content-Type": "application/json"}
        )
        assert sent.status_code == 400, sent.text
    assert manager.post("CreateObservations", content=b"[]", headers={"Content-Type": "text/plain"}).status_code == 415
    assert count(manager) == 0
    assert create(manager) == []


def test_a_data_array_has_a_bounded_number_of_rows(manager: httpx.Client, streams: list[int]) -> None:
    for body in (
        [array(1, ["result"], [[1]] * 100_001)],
        [array(1, ["result"], [[1]] * 50_001)] * 2,
        [array(1, ["result"], [[1]] * 1_000_000)],
    ):
        response = manager.post("CreateObservations", json=body)
        assert (response.status_code, response.json()["where"]) == (413, "dataArray")
    assert count(manager) == 0


def test_who_may_what(manager: httpx.Client, streams: list[int], server: Running, keys: Keys) -> None:
    body = [array(1, ["result"], [[1]])]
    with client(server) as anonymous, client(server, keys.read) as reader, client(server, keys.write) as writer:
        assert anonymous.post("CreateObservations", json=body).status_code == 401
        assert reader.post("CreateObservations", json=body).status_code == 403
        assert wrong(create(writer, *body)) == [False]
        changed = {"properties": {"accessClass": "restricted"}}
        assert manager.patch("Sensors(1)", json=changed).status_code == 200
        answers = create(writer, *body, array(2, ["result"], [[2]]), array(99, ["result"], [[2]]))
        assert wrong(answers) == [True, False, True]
        assert answers[0].replace("id 1", "id 99") == answers[2]  # hidden is not there
        feature = manager.post("FeaturesOfInterest", json=cities.feature(**changed)).json()["@iot.id"]
        answers = create(
            writer, array(2, ["result", "FeatureOfInterest/id"], [[1, feature], [2, 99], [3, None], [4, 2**70]])
        )
        assert wrong(answers) == [True, True, False, True]
        assert answers[0].replace(f"id {feature}", "id 99") == answers[1]
    assert count(manager) == 3


def test_the_same_idempotency_key_is_one_request(
    manager: httpx.Client, writer: httpx.Client, streams: list[int]
) -> None:
    body = array(1, ["phenomenonTime", "result"], [[T.format(0), 1], ["x", 2], [T.format(0), 1]])
    key = {"Idempotency-Key": "4711"}
    first, again = create(writer, body, **key), create(writer, body, **key)
    assert first == again
    assert wrong(first) == [False, True, False]
    assert first[0] != first[2]
    other = writer.post("CreateObservations", json=[array(1, ["result"], [[1]])], headers=key)
    assert (other.status_code, other.json()["where"]) == (409, "Idempotency-Key")
    assert create(manager, body, **key) != first  # another one's key
    assert count(manager) == 4


def test_what_changes_meanwhile_is_noticed(manager: httpx.Client, streams: list[int]) -> None:
    """What is remembered of datastreams from one request to the next does not outlive a change."""
    body = array(1, ["result"], [[1]])
    (first,) = create(manager, body)
    feature = manager.get(f"{first}/FeatureOfInterest").json()["@iot.id"]
    assert manager.delete(f"FeaturesOfInterest({feature})").status_code == 200
    (second,) = create(manager, body)
    assert manager.get(f"{second}/FeatureOfInterest").status_code == 200
    moved = manager.post("Things(1)/Locations", json=cities.location(name="B", location=cities.OTHER_POINT))
    assert moved.status_code == 201
    (third,) = create(manager, body)
    assert manager.get(f"{third}/FeatureOfInterest").json()["feature"] == cities.OTHER_POINT
    assert manager.get(f"{second}/FeatureOfInterest").json()["feature"] == cities.POINT
    assert manager.delete("Datastreams(1)").status_code == 200
    assert wrong(create(manager, body)) == [True]


def test_a_thing_without_location(manager: httpx.Client) -> None:
    manager.post("Things", json=cities.thing(Datastreams=[cities.full_datastream()]))
    feature = manager.post("FeaturesOfInterest", json=cities.feature()).json()["@iot.id"]
    answers = create(
        manager, array(1, ["result", "FeatureOfInterest/id"], [[1, None], [2, feature]]), array(1, ["result"], [[3]])
    )
    assert wrong(answers) == [True, False, True]
    assert "no Location" in answers[0]
