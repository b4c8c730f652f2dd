import threading
from datetime import UTC, datetime

import psycopg
import pytest

from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.store import ids, partitions
from mainzdigital.store.partitions import Partition
from tests.store.datastreams import make_datastreams

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def month(year: int, number: int) -> int:
    return ids.month_index(datetime(year, number, 15, tzinfo=UTC))


def test_an_id_names_its_month_and_fits_a_javascript_number() -> None:
    last = (month(2282, 8) << ids.SEQUENCE_BITS) | ((1 << ids.SEQUENCE_BITS) - 1)
    assert last < 2**53
    assert ids.bounds_of(last) == (datetime(2282, 8, 1, tzinfo=UTC), datetime(2282, 9, 1, tzinfo=UTC))
    assert ids.bounds_of(month(2026, 12) << 40 | 7) == (
        datetime(2026, 12, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )
    assert [ids.bounds_of(one) for one in (0, -5, 2**53, 2**80)] == [None, None, None, None]


@pytest.mark.parametrize(
    ("year", "number", "there", "name"),
    [
        (2026, 11, [], "observation_2026_11"),
        (2024, 12, [], "observation_2024_12"),
        (2024, 1, [], "observation_2024_01"),  # its year reaches into the recent months
        (2023, 12, [], "observation_2023"),
        (2023, 12, [Partition(month(2023, 3), month(2023, 3))], "observation_2023_12"),  # its year is in months
        (2027, 6, [], "observation_2027_06"),
        (2031, 6, [], "observation_2031"),
        (1600, 1, [], "observation_1600"),
    ],
)
def test_recent_data_lies_in_months_and_other_in_years(
    year: int, number: int, there: list[Partition], name: str
) -> None:
    item = partitions.wanted(month(year, number), there, now=NOW)
    assert item.name == name
    assert partitions.parse_name(item.name) == item
    assert month(year, number) in item.months


def test_partitions_are_made_once_when_many_ask(dsn: str, conn: psycopg.Connection) -> None:
    months = [month(1701, 5), month(1702, 5), month(1703, 5)]
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            with psycopg.connect(dsn) as own:
                partitions.forget(own)
                partitions.ensure(own, months)
        except BaseException as error:  # noqa: BLE001 - shown below
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {"observation_1701", "observation_1702", "observation_1703"} <= {
        item.name for item in partitions.existing(conn)
    }


def test_a_writer_with_an_open_transaction_gets_a_new_partition_while_another_writes(
    dsn: str, conn: psycopg.Connection
) -> None:
    one, two = make_datastreams(conn, 2)
    with psycopg.connect(dsn) as first, psycopg.connect(dsn) as second:
        write(first, Batch([NewObservation(one, datetime(1711, 1, 1, tzinfo=UTC), 1.0)]))
        write(second, Batch([NewObservation(two, datetime(1711, 2, 1, tzinfo=UTC), 1.0)]))
        # Both hold locks on the table now, and each needs a partition that is not there.
        write(first, Batch([NewObservation(one, datetime(1712, 1, 1, tzinfo=UTC), 2.0)]))
        write(second, Batch([NewObservation(two, datetime(1713, 1, 1, tzinfo=UTC), 2.0)]))
    assert conn.execute("SELECT count(*) FROM observation").fetchone() == (4,)


def test_a_partition_that_went_away_is_made_again(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    write(conn, Batch([NewObservation(one, datetime(1721, 1, 1, tzinfo=UTC), 1.0)]))
    conn.execute("DROP TABLE observation_1721")
    conn.execute("DELETE FROM datastream_latest")
    result = write(conn, Batch([NewObservation(one, datetime(1721, 1, 1, tzinfo=UTC), 1.0)]))
    assert (result.written, result.rejected) == (1, [])


def test_blocks_of_ids_never_overlap_between_threads(dsn: str, conn: psycopg.Connection) -> None:
    taken: list[list[int]] = []

    def take() -> None:
        with psycopg.connect(dsn, autocommit=True) as own:
            taken.extend(ids.allocate(own, count) for count in (1, 700, 5000, 3, 4096))

    threads = [threading.Thread(target=take) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [number for part in taken for number in part]
    assert len(numbers) == len(set(numbers)) == 3 * 9800


def test_the_index_on_ids_is_summarised(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    start = datetime(1731, 1, 1, tzinfo=UTC).timestamp()
    times = [datetime.fromtimestamp(start + second, UTC) for second in range(20_000)]
    write(conn, Batch([NewObservation(one, time, 1.5) for time in times]))
    assert partitions.summarise(conn) > 0
    assert partitions.summarise(conn) == 0
