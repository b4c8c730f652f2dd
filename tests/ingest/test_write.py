import math
import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from mainzdigital.ingest.batch import Batch, NewObservation, Result
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Conflict
from mainzdigital.kernel.time import Interval
from mainzdigital.store import changes, maintenance
from tests.store.datastreams import all_rows, assert_consistent, make_datastreams, make_feature

T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_equal_times_are_two_observations_and_the_later_is_the_latest(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    first = write(conn, Batch([NewObservation(one, T, 1.0, result_time=T)]))
    second = write(conn, Batch([NewObservation(one, T, 2.0), NewObservation(one, T, 3)]))
    assert (first.written, second.written) == (1, 2)
    assert len({*first.ids, *second.ids}) == 3
    assert [row[2] for row in all_rows(conn)] == [0, 1, 2]
    assert conn.execute("SELECT id, number FROM datastream_latest").fetchone() == (second.ids[1], 3.0)
    assert_consistent(conn)


def test_the_same_key_is_one_observation(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    rows = [NewObservation(one, T, 1.0, key="a"), NewObservation(one, T, 2.0, key="b")]
    first = write(conn, Batch(rows))
    again = write(conn, Batch([*rows, NewObservation(one, T, 9.0, key="c"), NewObservation(one, T, 9.5, key="c")]))
    assert (again.written, again.duplicates) == (1, 3)
    assert again.ids[:2] == first.ids
    assert again.ids[2] == again.ids[3]
    assert sorted(row[4] for row in all_rows(conn)) == [1.0, 2.0, 9.0]
    elsewhere = write(conn, Batch([NewObservation(one, T + timedelta(hours=1), 1.0, key="a")]))
    assert elsewhere.written == 1


def test_an_instant_has_room_for_many_observations_but_not_for_all(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    for part in (30_000, 2_767):
        result = write(conn, Batch([NewObservation(one, T, float(n)) for n in range(part)]))
        assert (result.written, result.rejected) == (part, [])
    write(conn, Batch([NewObservation(one, T + timedelta(hours=2), 0.0)]))
    full = write(conn, Batch([NewObservation(one, T, 1.0), NewObservation(one, T, 2.0), NewObservation(one, T, 3.0)]))
    assert full.written == 1
    assert [(error.index, error.where) for error in full.rejected] == [(1, "phenomenonTime"), (2, "phenomenonTime")]
    maintenance.repair_rollups(conn)
    assert_consistent(conn)


def test_replace_changes_results_and_keeps_ids(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    first = write(
        conn,
        Batch([NewObservation(one, T + timedelta(minutes=n), float(n), key="f", result_time=T) for n in range(3)]),
    )
    second = write(
        conn,
        Batch(
            [
                NewObservation(one, T, 0.0, key="f", result_time=T),
                NewObservation(one, T + timedelta(minutes=1), "gone", key="f"),
                NewObservation(one, T + timedelta(minutes=2), 5.0, key="f", result_time=T - timedelta(days=1)),
                NewObservation(one, T + timedelta(minutes=2), 6.0, key="f", result_time=T - timedelta(days=1)),
            ],
            on_duplicate="replace",
        ),
    )
    assert (second.written, second.replaced, second.duplicates) == (0, 2, 2)
    assert second.ids[:3] == first.ids
    assert conn.execute("SELECT number FROM datastream_latest").fetchone() == (6.0,)
    assert_consistent(conn)


def test_replacing_the_only_number_of_an_hour_empties_its_rollups(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    write(conn, Batch([NewObservation(one, T, 1.0, key="k")]))
    write(conn, Batch([NewObservation(one, T, None, key="k")], on_duplicate="replace"))
    assert conn.execute("SELECT count(*) FROM rollup_hour").fetchone() == (0,)
    assert_consistent(conn)


@pytest.mark.parametrize(
    ("result", "number", "more"),
    [
        (1.5, 1.5, None),
        (7, 7.0, None),
        (2**53 + 1, float(2**53), {"result": 2**53 + 1}),
        (2**70, float(2**70), {"result": 2**70}),
        ("läuft", None, {"result": "läuft"}),
        (True, None, {"result": True}),
        ({"a": [1, None]}, None, {"result": {"a": [1, None]}}),
        ([1, 2], None, {"result": [1, 2]}),
        (None, None, None),
    ],
)
def test_results_of_every_type(
    conn: psycopg.Connection, result: Result, number: float | None, more: dict[str, object] | None
) -> None:
    (one,) = make_datastreams(conn, 1)
    assert write(conn, Batch([NewObservation(one, T, result)])).rejected == []
    assert all_rows(conn)[0][4:] == (number, None, None, more)
    assert_consistent(conn)


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ({"result": math.nan}, "result"),
        ({"result": -math.inf}, "result"),
        ({"result": 10**400}, "result"),
        ({"result": {"deep": math.nan}}, "result"),
        ({"result": "a\0b"}, "result"),
        ({"result": "\ud800"}, "result"),
        ({"result": object()}, "result"),
        ({"phenomenon_time": datetime(1599, 12, 31, tzinfo=UTC)}, "phenomenonTime"),
        ({"phenomenon_time": datetime(2282, 9, 1, tzinfo=UTC)}, "phenomenonTime"),
        ({"phenomenon_time": T.replace(tzinfo=None)}, "phenomenonTime"),
        ({"phenomenon_time": Interval(T, T - timedelta(1))}, "phenomenonTime"),
        ({"result_time": "now"}, "resultTime"),
        ({"quality": {1, 2}, "result": "\0"}, "result"),
        ({"quality": "a\0"}, "resultQuality"),
        ({"parameters": {"a\0": 1}}, "parameters"),
        ({"datastream_id": 999_999}, "Datastream"),
        ({"datastream_id": 2**40}, "Datastream"),
        ({"foi_id": 999_999}, "FeatureOfInterest"),
    ],
)
def test_one_bad_row_never_fails_its_neighbours(conn: psycopg.Connection, bad: dict[str, object], where: str) -> None:
    (one,) = make_datastreams(conn, 1)
    rejected = NewObservation(**({"datastream_id": one, "phenomenon_time": T, "result": 1.0} | bad))  # type: ignore[arg-type]
    result = write(conn, Batch([NewObservation(one, T, 1.0), rejected, NewObservation(one, T, 2.0)]))
    assert result.written == 2
    assert [(error.index, error.where) for error in result.rejected] == [(1, where)]
    assert [one is None for one in result.ids] == [False, True, False]
    assert_consistent(conn)


def test_what_only_the_database_refuses_is_found_by_halving(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    conn.execute("ALTER TABLE observation ADD CONSTRAINT not_13 CHECK (number <> 13)")
    try:
        rows = [NewObservation(one, T + timedelta(minutes=n), float(n)) for n in range(20)]
        result = write(conn, Batch(rows, key="upload 1"))
    finally:
        conn.execute("ALTER TABLE observation DROP CONSTRAINT not_13")
    assert (result.written, [error.index for error in result.rejected]) == (19, [13])
    assert result.ids[13] is None
    assert_consistent(conn)
    assert write(conn, Batch(rows, key="upload 1")) == result


def test_a_wrong_latest_value_does_not_lose_observations(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    write(conn, Batch([NewObservation(one, T, 1.0)]))
    conn.execute("DELETE FROM datastream_latest")
    assert write(conn, Batch([NewObservation(one, T, 2.0)])).written == 1
    assert [row[4] for row in all_rows(conn)] == [1.0, 2.0]


def test_times_features_and_the_rest_are_kept(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    feature = make_feature(conn)
    write(
        conn,
        Batch(
            [
                NewObservation(
                    one, Interval(T, T + timedelta(hours=2)), 1.0, result_time=T + timedelta(hours=3), foi_id=feature,
                    quality="good", valid_time=Interval(T, T + timedelta(1)), parameters={"n": 1}, key="k",
                )
            ]
        ),
    )  # fmt: skip
    ((_, time, seq, _, number, result_time, foi, more),) = all_rows(conn)
    assert (time, seq, number, result_time, foi) == (T, 0, 1.0, T + timedelta(hours=3), feature)
    assert more == {
        "end": "2026-03-01T14:00:00Z", "quality": "good", "parameters": {"n": 1}, "key": "k",
        "valid_start": "2026-03-01T12:00:00Z", "valid_end": "2026-03-02T12:00:00Z",
    }  # fmt: skip
    assert_consistent(conn)


def test_a_batch_key_is_one_batch_even_when_two_come_at_once(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    batch = Batch([NewObservation(one, T, 1.0), NewObservation(999_999, T, 1.0)], key="k")
    results = []

    def send() -> None:
        with psycopg.connect(dsn, autocommit=True) as own:
            results.append(write(own, batch))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)
    assert len(all_rows(conn)) == 1
    with pytest.raises(Conflict):
        write(conn, Batch([NewObservation(one, T, 1.0)], key="k"))


def test_a_key_is_free_again_after_a_rollback(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    batch = Batch([NewObservation(one, T, 1.0)], key="k")
    with conn.transaction(force_rollback=True):
        write(conn, batch)
    assert all_rows(conn) == []
    assert write(conn, batch).written == 1
    assert len(all_rows(conn)) == 1


def test_one_entry_in_the_change_log_per_batch_and_a_notification(dsn: str, conn: psycopg.Connection) -> None:
    one, two = make_datastreams(conn, 2)
    with psycopg.connect(dsn, autocommit=True) as listener:
        listener.execute("LISTEN city_change")
        write(conn, Batch([NewObservation(two, T, 1.0), NewObservation(one, T, 1.0), NewObservation(one, T, 2.0)]))
        (notice,) = listener.notifies(timeout=5, stop_after=1)
    (change,) = changes.since(conn, 0)
    assert (change.id, change.kind, change.entity, change.ids) == (
        int(notice.payload), "observations", "Datastream", [one, two],
    )  # fmt: skip
    assert change.details is not None
    assert change.details["written"] == 3


def test_dense_hours_are_repaired_later(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    write(conn, Batch([NewObservation(one, T + timedelta(seconds=n), float(n)) for n in range(1000)]))
    assert_consistent(conn)
    write(conn, Batch([NewObservation(one, T + timedelta(seconds=2000), 5.0)]))
    assert conn.execute("SELECT count(*) FROM rollup_stale").fetchone() == (0,)  # it came after all others
    assert_consistent(conn)
    write(conn, Batch([NewObservation(one, T + timedelta(seconds=1500), 5.0)]))
    assert conn.execute("SELECT count(*) FROM rollup_stale").fetchone() == (1,)
    write(conn, Batch([NewObservation(one, T + timedelta(seconds=2001), 5.0)]))
    assert maintenance.repair_rollups(conn) == 1
    assert conn.execute("SELECT count(*) FROM rollup_stale").fetchone() == (0,)
    assert_consistent(conn)


def test_days_are_those_of_the_city_also_when_clocks_change(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    spring = [datetime(2026, 3, 28, 22, 30, tzinfo=UTC) + timedelta(hours=n) for n in range(26)]
    autumn = [datetime(2026, 10, 24, 21, 30, tzinfo=UTC) + timedelta(hours=n) for n in range(27)]
    write(conn, Batch([NewObservation(one, time, 1.0) for time in spring + autumn]))
    days: dict[datetime, int] = dict(conn.execute("SELECT bucket, count FROM rollup_day").fetchall())
    assert days[datetime(2026, 3, 28, 23, tzinfo=UTC)] == 23
    assert days[datetime(2026, 10, 24, 22, tzinfo=UTC)] == 25
    assert_consistent(conn)


def test_writers_of_the_same_streams_in_other_orders_do_not_lock_each_other_up(
    dsn: str, conn: psycopg.Connection
) -> None:
    streams = make_datastreams(conn, 20)
    errors: list[BaseException] = []

    def send(order: list[int], offset: int) -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as own:
                for n in range(15):
                    time = T + timedelta(minutes=2 * n + offset)
                    write(own, Batch([NewObservation(one, time, float(n)) for one in order]))
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [
        threading.Thread(target=send, args=(streams, 0)),
        threading.Thread(target=send, args=(streams[::-1], 0)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(all_rows(conn)) == 600
    assert_consistent(conn)
