"""Whatever is written, changed and deleted, in whatever order: latest values and rollups are what the rows say."""

import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from mainzdigital.ingest import change
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Conflict, NotFound
from mainzdigital.kernel.time import Interval
from mainzdigital.store import maintenance, observations
from tests.conftest import empty_tables
from tests.store.datastreams import all_rows, assert_consistent, make_datastreams

# Around nights on which the clocks change, a change of month, and the border of a yearly partition.
STARTS = [
    datetime(2025, 3, 29, 22, tzinfo=UTC), datetime(2025, 10, 25, 21, tzinfo=UTC),
    datetime(2025, 10, 31, 22, tzinfo=UTC), datetime(1799, 12, 31, 22, tzinfo=UTC),
]  # fmt: skip
times = st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes), st.sampled_from(STARTS), st.integers(0, 240)
)
# Whole numbers, so that sums do not depend on the order of the summands.
results = st.one_of(st.integers(-1000, 1000), st.integers(-1000, 1000), st.none(), st.just("text"), st.booleans())
phenomena = st.one_of(
    times,
    times,
    times,
    st.builds(lambda start, hours: Interval(start, start + timedelta(hours=hours)), times, st.integers(0, 72)),
)


@st.composite
def new_observations(draw: st.DrawFn, streams: int = 3) -> dict[str, Any]:
    return {
        "datastream_id": draw(st.integers(0, streams)),  # the last is unknown
        "phenomenon_time": draw(phenomena),
        "result": draw(results),
        "result_time": draw(st.none() | times),
        "key": draw(st.none() | st.sampled_from("ab")),
    }


class Store(RuleBasedStateMachine):
    dsn: str
    written = Bundle("written")

    @initialize()
    def begin(self) -> None:
        self.connections = [psycopg.connect(self.dsn, autocommit=True) for _ in range(2)]
        self.streams = [*make_datastreams(self.connections[0], 3), 999_999]
        self.keyed: dict[tuple[int, datetime, str], int] = {}

    def _batch(self, rows: list[dict[str, Any]], on_duplicate: Any) -> Batch:
        return Batch(
            [NewObservation(**(row | {"datastream_id": self.streams[row["datastream_id"]]})) for row in rows],
            on_duplicate=on_duplicate,
        )

    def _check(self, batch: Batch, result: Any) -> list[int]:
        unknown = [n for n, one in enumerate(batch.observations) if one.datastream_id == 999_999]
        assert [error.index for error in result.rejected] == unknown
        assert [n for n, one in enumerate(result.ids) if one is None] == unknown
        assert result.written + result.duplicates + result.replaced + len(unknown) == len(batch.observations)
        return [one for one in result.ids if one is not None]

    @rule(
        target=written,
        rows=st.lists(new_observations(), max_size=12),
        on_duplicate=st.sampled_from(["keep", "replace"]),
    )
    def write(self, rows: list[dict[str, Any]], on_duplicate: str) -> Any:
        batch = self._batch(rows, on_duplicate)
        return multiple(*self._check(batch, write(self.connections[0], batch)))

    @rule(
        target=written, first=st.lists(new_observations(), max_size=8), second=st.lists(new_observations(), max_size=8)
    )
    def write_two_at_once(self, first: list[dict[str, Any]], second: list[dict[str, Any]]) -> Any:
        batches = [self._batch(rows, "replace") for rows in (first, second)]
        outcome: list[Any] = [None, None]

        def send(n: int) -> None:
            outcome[n] = write(self.connections[n], batches[n])

        threads = [threading.Thread(target=send, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return multiple(*(one for n in range(2) for one in self._check(batches[n], outcome[n])))

    @rule(
        one=written,
        values=st.fixed_dictionaries(
            {},
            optional={
                "phenomenon_time": phenomena, "result": results, "result_time": st.none() | times,
                "datastream_id": st.integers(0, 2), "parameters": st.just({"changed": True}),
            },
        ),
    )  # fmt: skip
    def change(self, one: int, values: dict[str, Any]) -> None:
        connection = self.connections[0]
        if "datastream_id" in values:
            values = values | {"datastream_id": self.streams[values["datastream_id"]]}
        before = observations.find(connection, [one])
        try:
            change.update(connection, one, values)
        except NotFound:
            assert before == {}
            return
        except Conflict:
            assert before[one].key is not None
            return
        after = observations.find(connection, [one])[one]
        if "datastream_id" in values:
            assert after.datastream_id == values["datastream_id"]
        if "phenomenon_time" in values:
            time = values["phenomenon_time"]
            assert after.phenomenon_time == (time.start if isinstance(time, Interval) else time)
        assert "result" not in values or values["result"] is not None or after.number is None

    @rule(ones=st.lists(written, max_size=5))
    def delete(self, ones: list[int]) -> None:
        connection = self.connections[0]
        there = observations.find(connection, ones)
        assert change.delete(connection, ones) == len(there)
        assert observations.find(connection, ones) == {}

    @rule(stream=st.integers(0, 2))
    def delete_stream(self, stream: int) -> None:
        change.delete_of_datastreams(self.connections[0], [self.streams[stream]])
        assert not [row for row in all_rows(self.connections[0]) if row[0] == self.streams[stream]]

    @invariant()
    def follows_from_the_rows(self) -> None:
        if not hasattr(self, "connections"):
            return
        connection = self.connections[0]
        maintenance.repair_rollups(connection)
        assert_consistent(connection)
        rows = all_rows(connection)
        keys = [(row[0], row[1], row[7]["key"]) for row in rows if row[7] and "key" in row[7]]
        assert len(keys) == len(set(keys))
        assert len({row[3] for row in rows}) == len(rows)
        found = observations.find(connection, [row[3] for row in rows])
        assert set(found) == {row[3] for row in rows}

    def teardown(self) -> None:
        for connection in getattr(self, "connections", []):
            if connection is self.connections[0]:
                empty_tables(connection)
            connection.close()


@pytest.mark.parametrize("small", [0, 200])
def test_store(dsn: str, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    monkeypatch.setattr(sys.modules[write.__module__], "SMALL", small)  # by COPY, or in a pipeline

    class OfThisDatabase(Store):
        pass

    OfThisDatabase.dsn = dsn
    run_state_machine_as_test(
        OfThisDatabase,
        settings=settings(
            max_examples=20, stateful_step_count=12, deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )  # fmt: skip


def test_dense_hours_under_many_writers(dsn: str, conn: psycopg.Connection) -> None:
    streams = make_datastreams(conn, 2)
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    failures: list[BaseException] = []

    def send(offset: int) -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as own:
                for n in range(60):
                    second = timedelta(seconds=(n * 2 + offset) * 7 % 3600)
                    write(
                        own, Batch([NewObservation(one, start + second, float(n)) for one in streams for _ in range(3)])
                    )
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        maintenance.repair_rollups(conn)
        thread.join()
    assert failures == []
    maintenance.repair_rollups(conn)
    assert_consistent(conn)
    assert len(all_rows(conn)) == 720


@pytest.mark.parametrize("scenario", ["late", "newest"])
def test_deleting_an_extreme_finds_the_next(conn: psycopg.Connection, scenario: str) -> None:
    (one,) = make_datastreams(conn, 1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        NewObservation(one, Interval(start, start + timedelta(days=9)), 1.0, result_time=start + timedelta(days=20)),
        NewObservation(one, start + timedelta(days=1), 2.0, result_time=start),
        NewObservation(one, start + timedelta(days=2), 3.0, result_time=start + timedelta(days=2)),
    ]
    ids = write(conn, Batch(rows)).ids
    gone = ids[0] if scenario == "late" else ids[2]
    assert gone is not None
    assert change.delete(conn, [gone, gone, 5]) == 1
    assert_consistent(conn)
