"""Ids of observations: (month since 1600) << 40 | sequence. They name the partition and stay below 2^53."""

import os
import threading
from datetime import UTC, datetime

import psycopg

from mainzdigital.store.statements import statement

BLOCK = 4096  # the increment of observation_sequence
SEQUENCE_BITS = 40
FIRST_YEAR = 1600
EARLIEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
LATEST = datetime(2282, 9, 1, tzinfo=UTC)  # exclusive: 13 bits of months

_NEXT_BLOCKS = statement(
    "ids.next_blocks", "SELECT nextval('observation_sequence') FROM generate_series(1, %(blocks)s::int)"
)


def month_index(time: datetime) -> int:
    """Months from January 1600 to the month of `time` (UTC)."""
    time = time.astimezone(UTC)
    return (time.year - FIRST_YEAR) * 12 + time.month - 1


def month_start(index: int) -> datetime:
    return datetime(FIRST_YEAR + index // 12, index % 12 + 1, 1, tzinfo=UTC)


def month_of(observation_id: int) -> int | None:
    """The month index that an id names; None where no id is like this."""
    if not 0 < observation_id < 1 << 53:
        return None
    index = observation_id >> SEQUENCE_BITS
    return index if month_start(index) < LATEST else None


def bounds_of(observation_id: int) -> tuple[datetime, datetime] | None:
    """Start and (exclusive) end of the month an id names: a statement bounded by them touches one partition."""
    index = month_of(observation_id)
    return None if index is None else (month_start(index), month_start(index + 1))


Database = tuple[str, int, str]


def database_of(connection: psycopg.Connection) -> Database:
    """What this process knows about a database is kept under this name."""
    info = connection.info
    return info.host, info.port, info.dbname


class _Blocks:
    """Sequence numbers this process has taken from one database and not used yet."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.free: list[range] = []

    def take(self, connection: psycopg.Connection, count: int) -> list[int]:
        with self.lock:
            missing = count - sum(map(len, self.free))
            if missing > 0:
                rows = connection.execute(_NEXT_BLOCKS.sql, {"blocks": -(-missing // BLOCK)}).fetchall()
                self.free += [range(start, start + BLOCK) for (start,) in rows]
            taken: list[int] = []
            while len(taken) < count:
                block, need = self.free[0], count - len(taken)
                taken += block[:need]
                if need < len(block):
                    self.free[0] = block[need:]
                else:
                    del self.free[0]
            return taken


_blocks: dict[Database, _Blocks] = {}


def _forget() -> None:
    # A forked child must not hand out its parent's numbers.
    _blocks.clear()


os.register_at_fork(after_in_child=_forget)


def allocate(connection: psycopg.Connection, count: int) -> list[int]:
    """`count` sequence numbers that no other process or thread gets. A rollback does not give them back."""
    database = database_of(connection)
    return _blocks.setdefault(database, _Blocks()).take(connection, count)
