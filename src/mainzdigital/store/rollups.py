"""Rollups by hour and day, recomputed from rows; extended where rows are appended (architecture §2, ADR 0018).

All writers of a datastream hold its lock (store.observations.lock_datastreams), so that a recomputation sees every
row. Hours too dense to be recomputed with every write are marked in rollup_stale and repaired later; whoever answers
from rollups reads the rows of those hours instead.
"""

import struct
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, LiteralString

import psycopg

from mainzdigital.store.arrays import Floats, Ints, Times, micros_cursor
from mainzdigital.store.observations import BINARY_END, BINARY_HEADER, from_micros
from mainzdigital.store.statements import Statement, statement

# A write may make us read this many rows of an hour, and this many more for each row it brings.
READ_ANYWAY = 120
READ_PER_ROW = 8
_ALL = 2**31 - 1
Hour = tuple[int, int]  # datastream, start of the hour in microseconds since 2000

# datastream, start (µs since 2000), count, sum, min, max, last: as PostgreSQL's binary COPY has them
WholeRow = tuple[int, int, int, float, float, float, float]
_WHOLE = struct.Struct(">hiiiqiiidididid")
_COLUMNS: LiteralString = "(datastream_id, bucket, count, sum, min, max, last) FROM STDIN (FORMAT binary)"
_COPY: dict[str, LiteralString] = {"hour": "COPY rollup_hour " + _COLUMNS, "day": "COPY rollup_day " + _COLUMNS}

_HOURS = statement(
    "rollups.hours",
    """
    WITH touched AS (
      SELECT t.datastream_id, t.bucket, coalesce(r.count, 0) > t.allowed AS dense
      FROM unnest(%(datastreams)b::int[], %(buckets)b::timestamptz[], %(allowed)b::int[])
        AS t(datastream_id, bucket, allowed)
      LEFT JOIN rollup_hour r ON r.datastream_id = t.datastream_id AND r.bucket = t.bucket
    ), marked AS (
      INSERT INTO rollup_stale (datastream_id, bucket)
      SELECT datastream_id, bucket FROM touched WHERE dense ON CONFLICT DO NOTHING
    )
    INSERT INTO rollup_hour (datastream_id, bucket, count, sum, min, max, last)
    SELECT t.datastream_id, t.bucket, count(*), sum(o.number), min(o.number), max(o.number),
      (array_agg(o.number ORDER BY o.phenomenon_time DESC, o.seq DESC))[1]
    FROM touched t JOIN observation o ON o.datastream_id = t.datastream_id
      AND o.phenomenon_time >= t.bucket AND o.phenomenon_time < t.bucket + interval '1 hour'
    WHERE NOT t.dense AND o.number IS NOT NULL
      AND o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time < %(end)b::timestamptz
    GROUP BY 1, 2
    ON CONFLICT (datastream_id, bucket) DO UPDATE SET
      count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max, last = excluded.last
    """,
)
_EMPTY_HOURS = statement(
    "rollups.empty_hours",
    """
    DELETE FROM rollup_hour r USING unnest(%(datastreams)b::int[], %(buckets)b::timestamptz[]) AS t(d, bucket)
    WHERE r.datastream_id = t.d AND r.bucket = t.bucket AND NOT EXISTS (
      SELECT 1 FROM observation o WHERE o.datastream_id = t.d AND o.number IS NOT NULL
        AND o.phenomenon_time >= t.bucket AND o.phenomenon_time < t.bucket + interval '1 hour'
        AND o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time < %(end)b::timestamptz
    )
    """,
)
_DAYS = statement(
    "rollups.days",
    """
    WITH touched AS (
      SELECT DISTINCT t.d, date_trunc('day', t.bucket, city_zone()) AS bucket
      FROM unnest(%(datastreams)b::int[], %(buckets)b::timestamptz[]) AS t(d, bucket)
    )
    INSERT INTO rollup_day (datastream_id, bucket, count, sum, min, max, last)
    SELECT t.d, t.bucket, sum(h.count), sum(h.sum), min(h.min), max(h.max),
      (array_agg(h.last ORDER BY h.bucket DESC))[1]
    FROM touched t JOIN rollup_hour h ON h.datastream_id = t.d AND h.bucket >= t.bucket
      AND h.bucket < (t.bucket AT TIME ZONE city_zone() + interval '1 day') AT TIME ZONE city_zone()
    GROUP BY 1, 2
    ON CONFLICT (datastream_id, bucket) DO UPDATE SET
      count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max, last = excluded.last
    """,
)
_EMPTY_DAYS = statement(
    "rollups.empty_days",
    """
    DELETE FROM rollup_day r USING (
      SELECT DISTINCT t.d, date_trunc('day', t.bucket, city_zone()) AS bucket
      FROM unnest(%(datastreams)b::int[], %(buckets)b::timestamptz[]) AS t(d, bucket)
    ) AS t
    WHERE r.datastream_id = t.d AND r.bucket = t.bucket AND NOT EXISTS (
      SELECT 1 FROM rollup_hour h WHERE h.datastream_id = t.d AND h.bucket >= t.bucket
        AND h.bucket < (t.bucket AT TIME ZONE city_zone() + interval '1 day') AT TIME ZONE city_zone()
    )
    """,
)
_EXTEND: dict[str, Statement] = {
    unit: statement(
        f"rollups.extend_{unit}s",
        f"""
        INSERT INTO rollup_{unit} AS r (datastream_id, bucket, count, sum, min, max, last)
        SELECT * FROM unnest(
          %(datastreams)b::int[], %(buckets)b::timestamptz[], %(counts)b::int[], %(sums)b::float8[],
          %(mins)b::float8[], %(maxs)b::float8[], %(lasts)b::float8[]
        )
        ON CONFLICT (datastream_id, bucket) DO UPDATE SET
          count = r.count + excluded.count, sum = r.sum + excluded.sum, min = least(r.min, excluded.min),
          max = greatest(r.max, excluded.max), last = excluded.last
        """,
    )
    for unit in ("hour", "day")
}
_STALE = statement(
    "rollups.stale",
    "SELECT datastream_id, bucket FROM rollup_stale ORDER BY datastream_id, bucket LIMIT %(limit)s::int",
)
_REPAIRED = statement(
    "rollups.repaired",
    """
    DELETE FROM rollup_stale s USING unnest(%(datastreams)b::int[], %(buckets)b::timestamptz[]) AS t(d, bucket)
    WHERE s.datastream_id = t.d AND s.bucket = t.bucket
    """,
)
_CLEAR = statement("rollups.clear", "TRUNCATE rollup_hour, rollup_day, rollup_stale")
_REBUILD_HOURS = statement(
    "rollups.rebuild_hours",
    """
    INSERT INTO rollup_hour (datastream_id, bucket, count, sum, min, max, last)
    SELECT datastream_id, date_trunc('hour', phenomenon_time, city_zone()), count(*), sum(number), min(number),
      max(number), (array_agg(number ORDER BY phenomenon_time DESC, seq DESC))[1]
    FROM observation WHERE number IS NOT NULL GROUP BY 1, 2
    """,
)
_REBUILD_DAYS = statement(
    "rollups.rebuild_days",
    """
    INSERT INTO rollup_day (datastream_id, bucket, count, sum, min, max, last)
    SELECT datastream_id, date_trunc('day', bucket, city_zone()), sum(count), sum(sum), min(min), max(max),
      (array_agg(last ORDER BY bucket DESC))[1]
    FROM rollup_hour GROUP BY 1, 2
    """,
)
_DELETE = (
    statement("rollups.delete_hours", "DELETE FROM rollup_hour WHERE datastream_id = ANY(%(datastreams)b::int[])"),
    statement("rollups.delete_days", "DELETE FROM rollup_day WHERE datastream_id = ANY(%(datastreams)b::int[])"),
    statement("rollups.delete_stale", "DELETE FROM rollup_stale WHERE datastream_id = ANY(%(datastreams)b::int[])"),
)


def _arrays(hours: Sequence[Hour]) -> dict[str, object]:
    return {"datastreams": Ints([one for one, _ in hours]), "buckets": Times([start for _, start in hours])}


def recompute(
    connection: psycopg.Connection,
    hours: Sequence[Hour],
    written: Sequence[int] | None = None,
    *,
    emptied: bool = False,
) -> None:
    """Recompute the hours and their days from rows.

    `written` tells how many rows each hour got: hours that hold many more are marked stale instead; without it all
    are recomputed. `emptied` says that rows may have gone, so that an hour or a day may have none left.
    """
    if not hours:
        return
    buckets = [bucket for _, bucket in hours]
    allowed = [_ALL] * len(hours) if written is None else [READ_ANYWAY + READ_PER_ROW * count for count in written]
    parameters = _arrays(hours) | {
        "allowed": Ints(allowed),
        # So that the plan is made for the partitions touched and no others; therefore not prepared either.
        "start": from_micros(min(buckets)),
        "end": from_micros(max(buckets)) + timedelta(hours=1),
    }
    connection.execute(_HOURS.sql, parameters, prepare=False)
    if emptied:
        connection.execute(_EMPTY_HOURS.sql, parameters, prepare=False)
    connection.execute(_DAYS.sql, parameters)
    if emptied:
        connection.execute(_EMPTY_DAYS.sql, parameters)


def copy(connection: psycopg.Connection, unit: Literal["hour", "day"], rows: Sequence[WholeRow]) -> None:
    """Append rollups of hours or days that had no row before, computed from all of their rows."""
    if not rows:
        return
    pack = _WHOLE.pack
    parts = [BINARY_HEADER]
    parts += [
        pack(7, 4, datastream, 8, start, 4, count, 8, total, 8, least, 8, greatest, 8, last)
        for datastream, start, count, total, least, greatest, last in rows
    ]
    parts.append(BINARY_END)
    with connection.cursor() as cursor, cursor.copy(_COPY[unit]) as out:
        out.write(b"".join(parts))


def extend(connection: psycopg.Connection, unit: Literal["hour", "day"], rows: Sequence[WholeRow]) -> None:
    """Add to hours or days what came after all their rows, or begin them.

    Only for rows that are known to be new and later than all others of their datastream, under its lock: nothing can
    be counted twice then.
    """
    if not rows:
        return
    datastreams, buckets, counts, sums, mins, maxs, lasts = zip(*rows, strict=True)
    connection.execute(
        _EXTEND[unit].sql,
        {
            "datastreams": Ints(datastreams), "buckets": Times(buckets), "counts": Ints(counts), "sums": Floats(sums),
            "mins": Floats(mins), "maxs": Floats(maxs), "lasts": Floats(lasts),
        },
    )  # fmt: skip


def recompute_days(connection: psycopg.Connection, hours: Sequence[Hour]) -> None:
    """Recompute the days that the hours belong to, from hours."""
    if hours:
        connection.execute(_DAYS.sql, _arrays(hours))


def stale(connection: psycopg.Connection, *, limit: int) -> list[Hour]:
    return micros_cursor(connection).execute(_STALE.sql, {"limit": limit}, binary=True).fetchall()


def repaired(connection: psycopg.Connection, hours: Sequence[Hour]) -> None:
    connection.execute(_REPAIRED.sql, _arrays(hours))


def rebuild(connection: psycopg.Connection) -> None:
    """Build all rollups from all rows. The caller keeps writers out."""
    connection.execute(_CLEAR.sql)
    connection.execute(_REBUILD_HOURS.sql)
    connection.execute(_REBUILD_DAYS.sql)


def delete(connection: psycopg.Connection, datastreams: Sequence[int]) -> None:
    """Drop all rollups of datastreams."""
    for one in _DELETE:
        connection.execute(one.sql, {"datastreams": Ints(datastreams)})
