"""The newest observation of each datastream, and the extents of its times. Writers hold the datastream's lock."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from mainzdigital.store.arrays import BigInts, Booleans, Floats, Ints, SmallInts, Texts, Times, micros_cursor
from mainzdigital.store.observations import LOCK, CopyRow, Row, from_micros, to_micros
from mainzdigital.store.statements import Statement, statement

_READ = statement(
    "latest.read",
    """
    SELECT datastream_id, phenomenon_time, seq, phenomenon_start, phenomenon_end, result_start, result_end, intervals,
      features
    FROM datastream_latest WHERE datastream_id = ANY(%(datastreams)b::int[])
    """,
)
_SAVE = statement(
    "latest.save",
    """
    INSERT INTO datastream_latest (
      datastream_id, id, phenomenon_time, number, result_time, foi_id, seq, more,
      phenomenon_start, phenomenon_end, result_start, result_end, intervals, features
    )
    SELECT o.datastream_id, o.id, o.phenomenon_time, o.number, o.result_time, o.foi_id, o.seq, o.more,
      u.p_start, u.p_end, u.r_start, u.r_end, u.intervals, u.features
    FROM unnest(
      %(datastreams)b::int[], %(times)b::timestamptz[], %(seqs)b::smallint[], %(p_starts)b::timestamptz[],
      %(p_ends)b::timestamptz[], %(r_starts)b::timestamptz[], %(r_ends)b::timestamptz[], %(intervals)b::boolean[],
      %(features)b::boolean[]
    ) AS u(d, t, seq, p_start, p_end, r_start, r_end, intervals, features)
    JOIN observation o ON o.datastream_id = u.d AND o.phenomenon_time = u.t AND o.seq = u.seq
    WHERE o.phenomenon_time >= %(start)b::timestamptz AND o.phenomenon_time <= %(end)b::timestamptz
    ON CONFLICT (datastream_id) DO UPDATE SET
      id = excluded.id, phenomenon_time = excluded.phenomenon_time, number = excluded.number,
      result_time = excluded.result_time, foi_id = excluded.foi_id, seq = excluded.seq, more = excluded.more,
      phenomenon_start = excluded.phenomenon_start, phenomenon_end = excluded.phenomenon_end,
      result_start = excluded.result_start, result_end = excluded.result_end, intervals = excluded.intervals,
      features = excluded.features
    """,
)
_PUT = statement(
    "latest.put",
    """
    INSERT INTO datastream_latest (
      datastream_id, id, phenomenon_time, number, result_time, foi_id, seq, more,
      phenomenon_start, phenomenon_end, result_start, result_end, intervals, features
    )
    SELECT d, id, t, number, result_time, foi_id, seq, more::jsonb, p_start, p_end, r_start, r_end, intervals, features
    FROM unnest(
      %(datastreams)b::int[], %(ids)b::bigint[], %(times)b::timestamptz[], %(numbers)b::float8[],
      %(result_times)b::timestamptz[], %(fois)b::int[], %(seqs)b::smallint[], %(mores)b::text[],
      %(p_starts)b::timestamptz[], %(p_ends)b::timestamptz[], %(r_starts)b::timestamptz[], %(r_ends)b::timestamptz[],
      %(intervals)b::boolean[], %(features)b::boolean[]
    ) AS u(
      d, id, t, number, result_time, foi_id, seq, more, p_start, p_end, r_start, r_end, intervals, features
    )
    ON CONFLICT (datastream_id) DO UPDATE SET
      id = excluded.id, phenomenon_time = excluded.phenomenon_time, number = excluded.number,
      result_time = excluded.result_time, foi_id = excluded.foi_id, seq = excluded.seq, more = excluded.more,
      phenomenon_start = excluded.phenomenon_start, phenomenon_end = excluded.phenomenon_end,
      result_start = excluded.result_start, result_end = excluded.result_end, intervals = excluded.intervals,
      features = excluded.features
    """,
)
_WIDEN = statement(
    "latest.widen",
    """
    UPDATE datastream_latest l SET phenomenon_start = u.p_start, phenomenon_end = u.p_end,
      result_start = u.r_start, result_end = u.r_end, intervals = u.intervals, features = u.features
    FROM unnest(
      %(datastreams)b::int[], %(p_starts)b::timestamptz[], %(p_ends)b::timestamptz[],
      %(r_starts)b::timestamptz[], %(r_ends)b::timestamptz[], %(intervals)b::boolean[], %(features)b::boolean[]
    ) AS u(d, p_start, p_end, r_start, r_end, intervals, features)
    WHERE l.datastream_id = u.d
    """,
)
_NEWEST = statement(
    "latest.newest",
    """
    SELECT phenomenon_time, seq FROM observation WHERE datastream_id = %(datastream)s::int
    ORDER BY phenomenon_time DESC, seq DESC LIMIT 1
    """,
)
_OLDEST = statement(
    "latest.oldest",
    """
    SELECT phenomenon_time FROM observation WHERE datastream_id = %(datastream)s::int
    ORDER BY phenomenon_time, seq LIMIT 1
    """,
)
_LAST_END = statement(
    "latest.last_end",
    """
    SELECT max((more ->> 'end')::timestamptz) FROM observation
    WHERE datastream_id = %(datastream)s::int AND more ? 'end'
    """,
)
_RESULT_EXTENT = statement(
    "latest.result_extent",
    "SELECT min(result_time), max(result_time) FROM observation WHERE datastream_id = %(datastream)s::int",
)
_DELETE = statement("latest.delete", "DELETE FROM datastream_latest WHERE datastream_id = ANY(%(datastreams)b::int[])")


@dataclass(slots=True)
class Latest:
    """Where the newest observation of a datastream stands (greatest phenomenon time, then seq), and the extents.

    Times in microseconds since 2000.
    """

    datastream_id: int
    time: int
    seq: int
    phenomenon_start: int
    phenomenon_end: int
    result_start: int | None
    result_end: int | None
    intervals: bool
    features: bool


def read(connection: psycopg.Connection, datastreams: Sequence[int]) -> dict[int, Latest]:
    rows = connection.execute(_READ.sql, {"datastreams": Ints(list(datastreams))}, binary=True).fetchall()
    return {row[0]: Latest(*row) for row in rows}


def lock(connection: psycopg.Connection, datastreams: Collection[int]) -> tuple[set[int], dict[int, Latest]]:
    """Lock datastreams (store.observations) and read what is latest there; asked together where there is a pipeline."""
    if not datastreams:
        return set(), {}
    parameters = {"datastreams": Ints(sorted(datastreams))}
    locked = connection.execute(LOCK.sql, parameters, binary=True)
    # A statement of its own: it sees what those who held the lock before have committed.
    found = micros_cursor(connection).execute(_READ.sql, parameters, binary=True)
    return {row[0] for row in locked.fetchall()}, {row[0]: Latest(*row) for row in found.fetchall()}


def _columns(items: Sequence[Latest]) -> dict[str, object]:
    return {
        "datastreams": Ints([item.datastream_id for item in items]),
        "p_starts": Times([item.phenomenon_start for item in items]),
        "p_ends": Times([item.phenomenon_end for item in items]),
        "r_starts": Times([item.result_start for item in items]),
        "r_ends": Times([item.result_end for item in items]),
        "intervals": Booleans([item.intervals for item in items]),
        "features": Booleans([item.features for item in items]),
    }


def save(connection: psycopg.Connection, items: Sequence[Latest]) -> None:
    """Store latest values and extents; the values are taken from the rows that the items point to."""
    if not items:
        return
    times = [item.time for item in items]
    parameters = _columns(items) | {
        "times": Times(times), "seqs": SmallInts([item.seq for item in items]),
        "start": from_micros(min(times)), "end": from_micros(max(times)),
    }  # fmt: skip
    connection.execute(_SAVE.sql, parameters, prepare=False)


def put(connection: psycopg.Connection, items: Sequence[Latest], rows: Sequence[CopyRow]) -> None:
    """As `save`, where the rows that the items point to are at hand: the table of observations is not asked."""
    if not items:
        return
    observation_ids, times, numbers, result_times, _, features, seqs, mores = zip(*rows, strict=True)
    parameters = _columns(items) | {
        "ids": BigInts(observation_ids), "times": Times(times), "numbers": Floats(numbers),
        "result_times": Times(result_times), "fois": Ints(features), "seqs": SmallInts(seqs), "mores": Texts(mores),
    }  # fmt: skip
    connection.execute(_PUT.sql, parameters)


def widen(connection: psycopg.Connection, items: Sequence[Latest]) -> None:
    """Store extents only."""
    if items:
        connection.execute(_WIDEN.sql, _columns(items))


def refresh(
    connection: psycopg.Connection, datastream: int, old: Latest | None, *,
    gone: Sequence[Row], come: Sequence[Row] = (),
) -> None:  # fmt: skip
    """Find latest value and extents anew after rows went and came. Scans only where an extreme may have gone."""
    parameters = {"datastream": datastream}

    def ask(question: Statement) -> tuple[Any, ...] | None:
        return micros_cursor(connection).execute(question.sql, parameters, binary=True).fetchone()

    newest = ask(_NEWEST)
    if newest is None:
        delete(connection, [datastream])
        return
    start = min([to_micros(row.phenomenon_time) for row in come] + ([old.phenomenon_start] if old else []))
    end = max([to_micros(row.end) for row in come] + ([old.phenomenon_end] if old else []))
    result_times = [to_micros(row.result_time) for row in come if row.result_time is not None]
    if old is not None:
        result_times += [time for time in (old.result_start, old.result_end) if time is not None]
    result_start, result_end = min(result_times, default=None), max(result_times, default=None)
    intervals = any("end" in (row.more or ()) for row in come) or (old is not None and old.intervals)
    features = any(row.foi_id is not None for row in come) or (old is not None and old.features)
    if any(to_micros(row.phenomenon_time) <= start for row in gone):
        oldest = ask(_OLDEST)
        assert oldest is not None
        start = oldest[0]
    if any(to_micros(row.end) >= end for row in gone):
        end = newest[0]
        if intervals:
            last = ask(_LAST_END)
            assert last is not None
            end = end if last[0] is None else max(end, last[0])
    gone_results = {to_micros(row.result_time) for row in gone if row.result_time is not None}
    if gone_results & {result_start, result_end}:
        extent = ask(_RESULT_EXTENT)
        assert extent is not None
        result_start, result_end = extent
    one = Latest(datastream, newest[0], newest[1], start, end, result_start, result_end, intervals, features)
    save(connection, [one])


def delete(connection: psycopg.Connection, datastreams: Iterable[int]) -> None:
    connection.execute(_DELETE.sql, {"datastreams": Ints(list(datastreams))})
