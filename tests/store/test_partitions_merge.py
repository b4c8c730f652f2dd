import threading
from datetime import UTC, datetime, timedelta

import psycopg

from mainzdigital.ingest import change
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.store import ids, maintenance, observations, partitions
from mainzdigital.store.partitions import Partition
from tests.store.datastreams import all_rows, assert_consistent, make_datastreams


def make_months(connection: psycopg.Connection, year: int, numbers: list[int]) -> None:
    for number in numbers:
        month = ids.month_index(datetime(year, number, 1, tzinfo=UTC))
        item = Partition(month, month)
        partitions.create(connection, item, item.name)
        partitions.attach(connection, item, item.name)
    partitions.forget(connection)


def names(connection: psycopg.Connection, year: int) -> list[str]:
    return [item.name for item in partitions.existing(connection) if item.name.startswith(f"observation_{year}")]


def test_old_months_become_a_year_while_others_write(dsn: str, conn: psycopg.Connection) -> None:
    one, two = make_datastreams(conn, 2)
    make_months(conn, 1951, [1, 2, 3])
    start = datetime(1951, 1, 1, tzinfo=UTC)
    before = write(
        conn, Batch([NewObservation(one, start + timedelta(hours=hour), float(hour)) for hour in range(24 * 80)])
    )
    kept = [one_id for one_id in before.ids if one_id is not None]
    late: list[int] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def meddle() -> None:
        try:
            with psycopg.connect(dsn, autocommit=True) as own:
                for n in range(500):
                    time = start + timedelta(hours=n % 1900, minutes=1 + n // 1900)
                    result = write(own, Batch([NewObservation(two, time, float(n))]))
                    late.extend(number for number in result.ids if number is not None)
                    change.update(own, kept[n], {"result": -1.0})
                    change.delete(own, [kept[-1 - n]])
                    if done.is_set() and n > 20:
                        return
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        assert maintenance.merge_old_months(conn) == 1
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert names(conn, 1951) == ["observation_1951"]
    assert_consistent(conn)
    rows = all_rows(conn)
    assert len(rows) == len(kept) - len(late) + len(late)
    assert set(observations.find(conn, late)) == set(late)
    changed = observations.find(conn, kept[: len(late)])
    assert {row.number for row in changed.values()} == {-1.0}
    assert observations.find(conn, kept[-len(late) :]) == {}
    left_behind = conn.execute(
        "SELECT relname FROM pg_class WHERE relname LIKE 'observation\\_1951\\_%' AND relkind = 'r'"
    ).fetchall()
    assert left_behind == []
    assert maintenance.merge_old_months(conn) == 0


def test_a_year_that_is_locked_is_left_for_later(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    make_months(conn, 1952, [6])
    write(conn, Batch([NewObservation(one, datetime(1952, 6, 1, tzinfo=UTC), 1.0)]))
    with psycopg.connect(dsn) as reader:
        reader.execute("SELECT count(*) FROM observation")  # holds its lock until it commits
        reader.execute("LOCK TABLE observation_1952_06 IN ROW EXCLUSIVE MODE")
        assert maintenance.merge_old_months(conn) == 0
    assert names(conn, 1952) == ["observation_1952_06"]
    assert len(all_rows(conn)) == 1
    assert maintenance.merge_old_months(conn) == 1
    assert names(conn, 1952) == ["observation_1952"]
    assert len(all_rows(conn)) == 1


def test_recent_months_stay(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    now = datetime(1962, 5, 1, tzinfo=UTC)
    make_months(conn, 1960, [5])
    make_months(conn, 1959, [5])
    write(conn, Batch([NewObservation(one, datetime(1960, 5, 9, tzinfo=UTC), 1.0)]))
    assert maintenance.merge_old_months(conn, now=now) == 1
    assert names(conn, 1959) + names(conn, 1960) == ["observation_1959", "observation_1960_05"]
    assert maintenance.merge_old_months(conn) == 1
