"""DELETE of a collection with $filter: exactly what it names and the reader sees, and all that follows from it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainzdigital.exchange.sensorthings import delete_many
from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.kernel.access import Scope, reader_for
from mainzdigital.query.odata import parse_options
from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client
from tests.store.datastreams import assert_consistent

T = datetime(2026, 3, 1, tzinfo=UTC)


def time(number: int) -> str:
    return (T + timedelta(minutes=20 * number)).isoformat()


def fill(on: httpx.Client, stream: int, results: list[Any]) -> None:
    rows = [[time(number), result] for number, result in enumerate(results)]
    body = [{"Datastream": {"@iot.id": stream}, "components": ["phenomenonTime", "result"], "dataArray": rows}]
    assert on.post("CreateObservations", json=body).status_code == 201


def results(on: httpx.Client, path: str = "Observations") -> list[Any]:
    found = on.get(f"{path}?$orderby=phenomenonTime&$select=result&$top=10000").json()["value"]
    return [one["result"] for one in found]


@pytest.fixture
def streams(manager: httpx.Client) -> list[int]:
    for _ in range(2):
        assert manager.post("Things", json=cities.station()).status_code == 201
    return [1, 2]


def test_observations_of_one_datastream(manager: httpx.Client, streams: list[int], conn: psycopg.Connection) -> None:
    fill(manager, 1, list(range(10)))
    fill(manager, 2, list(range(10)))
    response = manager.delete("Datastreams(1)/Observations?$filter=result lt 3 or result gt 7")
    assert (response.status_code, response.content) == (200, b"")
    assert results(manager, "Datastreams(1)/Observations") == [3, 4, 5, 6, 7]
    assert results(manager, "Datastreams(2)/Observations") == list(range(10))
    assert manager.get("Datastreams(1)").json()["phenomenonTime"] == "2026-03-01T01:00:00Z/2026-03-01T02:20:00Z"
    latest = manager.get("Datastreams(1)?$expand=Observations($top=1;$orderby=phenomenonTime desc)").json()
    assert latest["Observations"][0]["result"] == 7
    assert_consistent(conn)
    assert manager.delete(f"Observations?$filter=phenomenonTime le {time(3)}").status_code == 200
    assert results(manager) == sorted([4, 5, 6, 7, 4, 5, 6, 7, 8, 9])
    assert manager.delete("Observations?$filter=Datastream/id eq 2 and result ge 9").status_code == 200
    assert manager.delete("Observations?$filter=id gt 0").status_code == 200
    assert results(manager) == []
    assert "phenomenonTime" not in manager.get("Datastreams(1)").json()
    assert_consistent(conn)


def test_other_entities_go_with_what_depends_on_them(manager: httpx.Client, streams: list[int]) -> None:
    fill(manager, 1, [1])
    manager.post("Things", json=cities.thing(name="kept"))
    assert manager.delete("Things?$filter=name eq 'Station'").status_code == 200
    left = {
        name: len(manager.get(name).json()["value"]) for name in ("Things", "Datastreams", "Observations", "Sensors")
    }
    assert left == {"Things": 1, "Datastreams": 0, "Observations": 0, "Sensors": 2}
    assert manager.delete("Things?$filter=name eq 'nobody'").status_code == 200
    assert manager.delete("Sensors?$filter=id gt 0").status_code == 200
    assert manager.get("Sensors").json()["value"] == []


def test_a_filter_may_look_at_what_the_deletion_changes(
    manager: httpx.Client, streams: list[int], conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is meant is settled before the first goes, though it goes in chunks."""
    fill(manager, 1, list(range(10)))
    monkeypatch.setattr(delete_many, "CHUNK", 2)
    path = parse_path("Observations")
    # With the one whose result is 0 the condition would go for all others.
    options = parse_options("$filter=Datastream/Observations/result eq 0", path.entity)
    reader = reader_for("key:1", Scope.MANAGE)
    assert delete_many.delete(conn, reader=reader, path=path, options=options) == 10
    assert_consistent(conn)


def test_only_what_the_reader_sees(
    manager: httpx.Client, streams: list[int], server: Running, keys: Keys, conn: psycopg.Connection
) -> None:
    fill(manager, 1, [1, 2])
    fill(manager, 2, [1, 2])
    restricted = {"properties": {"accessClass": "restricted"}}
    assert manager.patch("Datastreams(2)", json=restricted).status_code == 200
    with client(server) as anonymous, client(server, keys.read) as reader, client(server, keys.write) as writer:
        path = "Observations?$filter=result eq 1"
        assert anonymous.delete(path).status_code == 401
        assert reader.delete(path).status_code == 403
        assert writer.delete("Things?$filter=id gt 0").status_code == 403
        assert writer.delete("Datastreams(2)/Observations?$filter=result eq 1").status_code == 404
        assert writer.delete(path).status_code == 200
    assert sorted(results(manager)) == [1, 2, 2]
    assert results(manager, "Datastreams(2)/Observations") == [1, 2]
    assert_consistent(conn)


# Quarters: their sums are exact in any order.
_results = st.integers(-12, 12).map(lambda n: n / 4) | st.none()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rows=st.lists(st.tuples(st.integers(0, 8), _results), max_size=12),
    bounds=st.tuples(st.integers(-3, 3), st.integers(0, 8), st.integers(1, 5)),
)
def test_what_is_left_is_what_the_filter_leaves(
    manager: httpx.Client, conn: psycopg.Connection, rows: list[tuple[int, float | None]], bounds: tuple[int, int, int]
) -> None:  # fmt: skip
    low, high, chunk = bounds
    stream = manager.post("Things", json=cities.station()).headers["Location"] + "/Datastreams"
    one = manager.get(stream).json()["value"][0]["@iot.id"]
    body = [
        {"Datastream": {"@iot.id": one}, "components": ["phenomenonTime", "result"],
         "dataArray": [[time(number), result] for number, result in rows]}
    ]  # fmt: skip
    assert manager.post("CreateObservations", json=body).status_code == 201
    path = parse_path(f"Datastreams({one})/Observations")
    options = parse_options(f"$filter=result ge {low} and phenomenonTime lt {time(high)[:-6]}Z", path.entity)
    gone = [row for row in rows if row[1] is not None and row[1] >= low and row[0] < high]
    reader = reader_for("key:1", Scope.MANAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delete_many, "CHUNK", chunk)
        assert delete_many.delete(conn, reader=reader, path=path, options=options) == len(gone)
    left = sorted((repr(result) for number, result in rows if (number, result) not in gone), key=str)
    found = manager.get(f"Datastreams({one})/Observations?$select=result&$top=1000").json()["value"]
    assert sorted(repr(item["result"]) for item in found) == sorted(repr(json_number(text)) for text in left)
    assert_consistent(conn)


def json_number(text: str) -> float | None:
    """A result as it comes back: one number has one form."""
    if text == "None":
        return None
    value = float(text)
    return int(value) if value.is_integer() else value
