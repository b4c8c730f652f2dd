"""Rows of `observation`: locks, look-ups, COPY, replacing, deleting.

Whoever changes rows of a datastream holds its lock from `lock_datastreams` until the end of the transaction. Under it
nothing else changes there, so what was read stays true.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from mainzdigital.store import ids
from mainzdigital.store.arrays import BigInts, Floats, Ints, SmallInts, Texts, Times, micros_cursor
from mainzdigital.store.statements import statement

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's; timestamps are microseconds since then

LOCK = statement(
    "observations.lock",
    "SELECT id FROM datastream WHERE id = ANY(%(datastreams)b::int[]) ORDER BY id FOR NO KEY UPDATE",
)
_FEATURES = statement(
    "observations.features",
    "SELECT id FROM feature_of_interest WHERE id = ANY(%(features)b::int[]) ORDER BY id FOR KEY SHARE",
)
_AT = statement(
    "observations.at",
    """
    SELECT o.datastream_id, o.phenomenon_time, o.seq, o.id, o.number, o.result_time, o.foi_id, o.more
    FROM (SELECT DISTINCT d, t FROM unnest(%(datastreams)b::int[], %(times)b::timestamptz[]) AS u(d, t)) AS i
    JOIN observation o ON o.datastream_id = i.d AND o.phenomenon_time = i.t
    WHERE o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time <= %(end)b::timestamptz
    """,
)
_KEYED = statement(
    "observations.keyed",
    """
    SELECT o.datastream_id, o.phenomenon_time, o.seq, o.id, o.number, o.result_time, o.foi_id, o.more
    FROM (SELECT DISTINCT d, t, key FROM
      unnest(%(datastreams)b::int[], %(times)b::timestamptz[], %(keys)b::text[]) AS u(d, t, key)) AS i
    JOIN observation o ON o.datastream_id = i.d AND o.phenomenon_time = i.t AND o.more ->> 'key' = i.key
    WHERE o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time <= %(end)b::timestamptz
    """,
)
# One step into the index for each, however many stand there.
_HIGHEST = statement(
    "observations.highest",
    """
    SELECT i.d, i.t, (
      SELECT o.seq FROM observation o WHERE o.datastream_id = i.d AND o.phenomenon_time = i.t
        AND o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time <= %(end)b::timestamptz
      ORDER BY o.seq DESC LIMIT 1
    ) FROM (SELECT DISTINCT d, t FROM unnest(%(datastreams)b::int[], %(times)b::timestamptz[]) AS u(d, t)) AS i
    """,
)
_BY_ID = statement(
    "observations.by_id",
    """
    SELECT datastream_id, phenomenon_time, seq, id, number, result_time, foi_id, more FROM observation
    WHERE id = ANY(%(ids)b::bigint[])
      AND phenomenon_time >= %(start)b::timestamptz AND phenomenon_time < %(end)b::timestamptz
    """,
)
_MOVED = statement(
    "observations.moved",
    "SELECT id, datastream_id, phenomenon_time FROM observation_moved WHERE id = ANY(%(ids)b::bigint[])",
)
_INSERT = statement(
    "observations.insert",
    """
    INSERT INTO observation (id, phenomenon_time, number, result_time, datastream_id, foi_id, seq, more)
    SELECT id, t, number, result_time, d, foi_id, seq, more::jsonb FROM unnest(
      %(ids)b::bigint[], %(datastreams)b::int[], %(times)b::timestamptz[], %(seqs)b::smallint[], %(numbers)b::float8[],
      %(result_times)b::timestamptz[], %(features)b::int[], %(mores)b::text[]
    ) AS u(id, d, t, seq, number, result_time, foi_id, more)
    """,
)
_REPLACE = statement(
    "observations.replace",
    """
    UPDATE observation o SET number = u.number, result_time = u.result_time, foi_id = u.foi_id, more = u.more::jsonb
    FROM unnest(
      %(datastreams)b::int[], %(times)b::timestamptz[], %(seqs)b::smallint[], %(numbers)b::float8[],
      %(result_times)b::timestamptz[], %(features)b::int[], %(mores)b::text[]
    ) AS u(d, t, seq, number, result_time, foi_id, more)
    WHERE o.datastream_id = u.d AND o.phenomenon_time = u.t AND o.seq = u.seq
      AND o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time <= %(end)b::timestamptz
    """,
)
_MOVE = statement(
    "observations.move",
    """
    UPDATE observation SET datastream_id = %(datastream)s::int, phenomenon_time = %(time)s::timestamptz,
      seq = %(seq)s::smallint, number = %(number)s::float8, result_time = %(result_time)s::timestamptz,
      foi_id = %(foi)s::int, more = %(more)s::text::jsonb
    WHERE datastream_id = %(old_datastream)s::int AND phenomenon_time = %(old_time)s::timestamptz
      AND seq = %(old_seq)s::smallint
    """,
)
_REMEMBER_MOVE = statement(
    "observations.remember_move",
    """
    INSERT INTO observation_moved (id, datastream_id, phenomenon_time)
    VALUES (%(id)s::bigint, %(datastream)s::int, %(time)s::timestamptz)
    ON CONFLICT (id) DO UPDATE SET datastream_id = excluded.datastream_id, phenomenon_time = excluded.phenomenon_time
    """,
)
_FORGET_MOVES = statement(
    "observations.forget_moves", "DELETE FROM observation_moved WHERE id = ANY(%(ids)b::bigint[])"
)
_DELETE = statement(
    "observations.delete",
    """
    DELETE FROM observation o
    USING unnest(%(datastreams)b::int[], %(times)b::timestamptz[], %(seqs)b::smallint[]) AS u(d, t, seq)
    WHERE o.datastream_id = u.d AND o.phenomenon_time = u.t AND o.seq = u.seq
      AND o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time <= %(end)b::timestamptz
    """,
)
_DELETE_ALL = statement(
    "observations.delete_all", "DELETE FROM observation WHERE datastream_id = ANY(%(datastreams)b::int[])"
)
_DELETE_MOVES = statement(
    "observations.delete_moves", "DELETE FROM observation_moved WHERE datastream_id = ANY(%(datastreams)b::int[])"
)
_OF_FEATURE = statement(
    "observations.of_feature",
    "SELECT id FROM observation WHERE foi_id = ANY(%(features)b::int[])",
)
_OF_DEFAULT_FEATURE = statement(
    "observations.of_default_feature",
    """
    SELECT o.id FROM observation o WHERE o.foi_id IS NULL
      AND o.datastream_id IN (SELECT id FROM datastream WHERE foi_id = ANY(%(features)b::int[]))
    """,
)


@dataclass(slots=True)
class Row:
    """One row of `observation`; `more` as decoded JSON."""

    datastream_id: int
    phenomenon_time: datetime
    seq: int
    id: int
    number: float | None
    result_time: datetime | None
    foi_id: int | None
    more: dict[str, Any] | None

    @property
    def end(self) -> datetime:
        """End of the phenomenon time."""
        return datetime.fromisoformat(self.more["end"]) if self.more and "end" in self.more else self.phenomenon_time

    @property
    def key(self) -> str | None:
        return self.more.get("key") if self.more else None


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def to_micros(time: datetime) -> int:
    since = time - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def lock_datastreams(connection: psycopg.Connection, datastreams: Sequence[int]) -> set[int]:
    """Lock datastreams against other writers until the end of the transaction, in order; those that exist."""
    if not datastreams:
        return set()
    rows = connection.execute(LOCK.sql, {"datastreams": sorted(set(datastreams))}, binary=True).fetchall()
    return {row[0] for row in rows}


def lock_features(connection: psycopg.Connection, features: Sequence[int]) -> set[int]:
    """Keep features of interest from being deleted until the end of the transaction; those that exist."""
    if not features:
        return set()
    rows = connection.execute(_FEATURES.sql, {"features": sorted(set(features))}, binary=True).fetchall()
    return {row[0] for row in rows}


def _places(places: Sequence[tuple[int, int]]) -> dict[str, object]:
    times = [time for _, time in places]
    return {
        "datastreams": Ints([datastream for datastream, _ in places]), "times": Times(times),
        "start": from_micros(min(times)), "end": from_micros(max(times)),
    }  # fmt: skip


def at(connection: psycopg.Connection, places: Sequence[tuple[int, int]]) -> list[Row]:
    """All rows at the given datastreams and instants (microseconds since 2000)."""
    if not places:
        return []
    rows = connection.execute(_AT.sql, _places(places), prepare=False, binary=True).fetchall()
    return [Row(*row) for row in rows]


def keyed_at(connection: psycopg.Connection, places: Sequence[tuple[int, int]], keys: Sequence[str]) -> list[Row]:
    """The rows that have the given key at the given place."""
    if not places:
        return []
    parameters = _places(places) | {"keys": Texts([key.encode() for key in keys])}
    rows = connection.execute(_KEYED.sql, parameters, prepare=False, binary=True).fetchall()
    return [Row(*row) for row in rows]


def highest_seqs(connection: psycopg.Connection, places: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The highest seq at each place; absent where nothing stands."""
    if not places:
        return {}
    rows = micros_cursor(connection).execute(_HIGHEST.sql, _places(places), prepare=False, binary=True).fetchall()
    return {(datastream, time): seq for datastream, time, seq in rows if seq is not None}


def find(connection: psycopg.Connection, wanted: Sequence[int]) -> dict[int, Row]:
    """Rows by id, those moved out of the month of their id included; unknown ids are absent."""
    months = [index for index in map(ids.month_of, wanted) if index is not None]
    if not months:
        return {}
    parameters = {
        "ids": list(wanted), "start": ids.month_start(min(months)), "end": ids.month_start(max(months) + 1),
    }  # fmt: skip
    found = [Row(*row) for row in connection.execute(_BY_ID.sql, parameters, prepare=False, binary=True).fetchall()]
    result = {row.id: row for row in found}
    if missing := [one for one in wanted if one not in result]:
        moved = connection.execute(_MOVED.sql, {"ids": missing}).fetchall()
        places = {(datastream, to_micros(time)) for _, datastream, time in moved}
        sought = {one for one, _, _ in moved}
        result |= {row.id: row for row in at(connection, list(places)) if row.id in sought}
    return result


# id, phenomenon time, number, result time, datastream, feature, seq, more: as PostgreSQL's binary COPY has them
CopyRow = tuple[int, int, float | None, int | None, int, int | None, int, bytes | None]
_PLAIN = struct.Struct(">hiqiqidiiiiihi")
_FULL = struct.Struct(">hiqiqidiqiiiihi")
_COPY = (
    "COPY observation (id, phenomenon_time, number, result_time, datastream_id, foi_id, seq, more) "
    "FROM STDIN (FORMAT binary)"
)
BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_END = b"\xff\xff"
_INT8 = struct.Struct(">iq")
_FLOAT8 = struct.Struct(">id")
_INT4 = struct.Struct(">ii")
_INT2 = struct.Struct(">ih")
_MORE = struct.Struct(">iB")  # jsonb: length, version, text
_NULL = b"\xff\xff\xff\xff"
_EIGHT = b"\0\x08"


def packed(rows: Iterable[CopyRow]) -> Iterator[bytes]:
    """Rows as binary COPY has them."""
    plain, full = _PLAIN.pack, _FULL.pack
    for one, time, number, result_time, datastream, foi, seq, more in rows:
        if more is None and foi is None and number is not None:
            if result_time is None:
                yield plain(8, 8, one, 8, time, 8, number, -1, 4, datastream, -1, 2, seq, -1)
            else:
                yield full(8, 8, one, 8, time, 8, number, 8, result_time, 4, datastream, -1, 2, seq, -1)
            continue
        yield _EIGHT + _INT8.pack(8, one) + _INT8.pack(8, time)
        yield _NULL if number is None else _FLOAT8.pack(8, number)
        yield _NULL if result_time is None else _INT8.pack(8, result_time)
        yield _INT4.pack(4, datastream)
        yield _NULL if foi is None else _INT4.pack(4, foi)
        yield _INT2.pack(2, seq)
        yield _NULL if more is None else _MORE.pack(len(more) + 1, 1) + more


def copy(connection: psycopg.Connection, rows: Iterable[CopyRow]) -> None:
    """Append rows by binary COPY, packed here: twice as fast as row by row through the driver. Times in µs."""
    with connection.cursor() as cursor, cursor.copy(_COPY) as out:
        out.write(b"".join([BINARY_HEADER, *packed(rows), BINARY_END]))


def _arrays(rows: Sequence[CopyRow]) -> dict[str, object]:
    observation_ids, times, numbers, result_times, datastreams, features, seqs, mores = zip(*rows, strict=True)
    return {
        "ids": BigInts(observation_ids),
        "datastreams": Ints(datastreams),
        "times": Times(times),
        "seqs": SmallInts(seqs),
        "numbers": Floats(numbers),
        "result_times": Times(result_times),
        "features": Ints(features),
        "mores": Texts(mores),
        "start": from_micros(min(times)),
        "end": from_micros(max(times)),
    }


def insert(connection: psycopg.Connection, rows: Sequence[CopyRow]) -> None:
    """Append few rows, by a statement that can stand in a pipeline."""
    connection.execute(_INSERT.sql, _arrays(rows))


def replace(connection: psycopg.Connection, rows: Sequence[CopyRow]) -> None:
    """Overwrite what the rows at (datastream, phenomenon time, seq) hold; ids stay."""
    if rows:
        connection.execute(_REPLACE.sql, _arrays(rows), prepare=False)


def move(connection: psycopg.Connection, old: Row, new: CopyRow) -> None:
    """Overwrite one row, its place included; the id goes on leading to it."""
    observation_id, micros, number, result_micros, datastream, foi, seq, more = new
    time = from_micros(micros)
    connection.execute(
        _MOVE.sql,
        {
            "datastream": datastream, "time": time, "seq": seq, "number": number, "foi": foi,
            "result_time": None if result_micros is None else from_micros(result_micros),
            "more": None if more is None else more.decode(),
            "old_datastream": old.datastream_id, "old_time": old.phenomenon_time, "old_seq": old.seq,
        },
        prepare=False,
    )  # fmt: skip
    if ids.month_index(time) == ids.month_of(observation_id):
        connection.execute(_FORGET_MOVES.sql, {"ids": [observation_id]})
    else:
        connection.execute(_REMEMBER_MOVE.sql, {"id": observation_id, "datastream": datastream, "time": time})


def delete(connection: psycopg.Connection, rows: Sequence[Row]) -> None:
    if not rows:
        return
    times = [row.phenomenon_time for row in rows]
    parameters = {
        "datastreams": [row.datastream_id for row in rows], "times": times, "seqs": [row.seq for row in rows],
        "start": min(times), "end": max(times),
    }  # fmt: skip
    connection.execute(_DELETE.sql, parameters, prepare=False)
    connection.execute(_FORGET_MOVES.sql, {"ids": [row.id for row in rows]})


def delete_all(connection: psycopg.Connection, datastreams: Sequence[int]) -> int:
    """Delete every row of datastreams; how many."""
    deleted = connection.execute(_DELETE_ALL.sql, {"datastreams": list(datastreams)}).rowcount
    connection.execute(_DELETE_MOVES.sql, {"datastreams": list(datastreams)})
    return deleted


def of_features(connection: psycopg.Connection, features: Sequence[int]) -> list[int]:
    """Ids of the observations of features of interest: their own, else their datastream's."""
    parameters = {"features": list(features)}
    own = connection.execute(_OF_FEATURE.sql, parameters).fetchall()
    inherited = connection.execute(_OF_DEFAULT_FEATURE.sql, parameters).fetchall()
    return [one for (one,) in own + inherited]
