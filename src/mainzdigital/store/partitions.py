"""Partitions of `observation`: a month each for the recent 24, a year each before and far ahead, only where data is.

They are made on a connection of their own in autocommit: as a table first, then attached. Attaching lets writers
go on, even one that holds its transaction open while it waits for us here; CREATE TABLE … PARTITION OF would not.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from mainzdigital.kernel.errors import Unavailable
from mainzdigital.store.ids import Database, database_of, month_index, month_start
from mainzdigital.store.statements import statement

RECENT_MONTHS = 24
AHEAD_MONTHS = 2
LOCK = 7_301_600  # advisory: one maker of partitions at a time

_LIST = statement(
    "partitions.list",
    """
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'observation'::regclass ORDER BY c.relname
    """,
)
_TAKE_LOCK = statement("partitions.lock", "SELECT pg_advisory_lock(%(lock)s::bigint)")
_SUMMARISE = statement(
    "partitions.summarise",
    """
    SELECT coalesce(sum(brin_summarize_new_values(x.indexrelid::regclass)), 0)::bigint
    FROM pg_inherits i JOIN pg_index x ON x.indrelid = i.inhrelid
    JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE i.inhparent = 'observation'::regclass AND a.amname = 'brin'
    """,
)


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """Month indexes (store.ids) `first` to `last`, both included: one month, or the twelve of a year."""

    first: int
    last: int

    @property
    def name(self) -> str:
        year, month = 1600 + self.first // 12, self.first % 12 + 1
        return f"observation_{year}" if self.last > self.first else f"observation_{year}_{month:02}"

    @property
    def months(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        return month_start(self.first), month_start(self.last + 1)


def year_of(month: int) -> Partition:
    first = month - month % 12
    return Partition(first, first + 11)


def parse_name(name: str) -> Partition | None:
    """The partition of this name; None for a table that is none of ours."""
    parts = name.removeprefix("observation_").split("_")
    if not all(part.isdecimal() for part in parts) or len(parts) > 2:
        return None
    first = (int(parts[0]) - 1600) * 12
    return year_of(first) if len(parts) == 1 else Partition(first + int(parts[1]) - 1, first + int(parts[1]) - 1)


def wanted(month: int, existing: Iterable[Partition], *, now: datetime) -> Partition:
    """The partition to make for a month that has none."""
    current = month_index(now)
    year = year_of(month)
    recent = current - RECENT_MONTHS < year.last and year.first <= current + 12
    if recent or any(year.first <= item.first <= year.last for item in existing):
        return Partition(month, month)
    return year


def existing(connection: psycopg.Connection) -> list[Partition]:
    names = (parse_name(name) for (name,) in connection.execute(_LIST.sql).fetchall())
    return sorted(item for item in names if item is not None)


_known: dict[Database, frozenset[int]] = {}
_making = threading.Lock()


def forget(connection: psycopg.Connection) -> None:
    """Look at the database again before the next write."""
    _known.pop(database_of(connection), None)


def ensure(connection: psycopg.Connection, months: Iterable[int]) -> None:
    """See that the months (store.ids.month_index) have a partition; costs nothing where this process knows them.

    `connection` only tells where; what is made is committed at once, whatever becomes of its transaction.
    Raises Unavailable where another session keeps the table locked.
    """
    database = database_of(connection)
    if set(months) <= _known.get(database, frozenset()):
        return
    with _making:
        if not (missing := set(months) - _known.get(database, frozenset())):
            return
        try:
            with own_connection(connection) as own:
                _known[database] = _make(own, missing)
        except psycopg.errors.LockNotAvailable as error:
            raise Unavailable("the table of observations is locked", retry_after=5) from error


def own_connection(connection: psycopg.Connection) -> psycopg.Connection:
    """A second connection to the same database, in autocommit, that does not wait for locks longer than 10 s."""
    own = psycopg.connect(make_conninfo(connection.info.dsn, password=connection.info.password or None))
    own.autocommit = True
    own.execute("SET lock_timeout = '10s'")
    return own


def _make(own: psycopg.Connection, missing: set[int]) -> frozenset[int]:
    there = existing(own)
    covered = {month for item in there for month in item.months}
    if not missing <= covered:
        own.execute(_TAKE_LOCK.sql, {"lock": LOCK})
        there = existing(own)
        covered = {month for item in there for month in item.months}
        now = datetime.now(UTC)
        for month in sorted(missing - covered):
            if month in covered:
                continue
            item = wanted(month, there, now=now)
            create(own, item, item.name)
            attach(own, item, item.name)
            there.append(item)
            covered.update(item.months)
    return frozenset(covered)


def create(own: psycopg.Connection, item: Partition, name: str) -> None:
    own.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} (LIKE observation INCLUDING ALL)").format(sql.Identifier(name)))


def attach(own: psycopg.Connection, item: Partition, name: str) -> None:
    start, end = item.bounds
    own.execute(
        sql.SQL("ALTER TABLE observation ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            sql.Identifier(name), sql.Literal(start.isoformat()), sql.Literal(end.isoformat())
        )
    )


def make_ahead(connection: psycopg.Connection) -> None:
    """Make the partitions of this month and the next two."""
    current = month_index(datetime.now(UTC))
    ensure(connection, range(current, current + AHEAD_MONTHS + 1))


def summarise(connection: psycopg.Connection) -> int:
    """Summarise what the BRIN indexes on id do not cover yet, so that a look-up by id stays short; pages done."""
    row = connection.execute(_SUMMARISE.sql).fetchone()
    assert row is not None
    return int(row[0])
