"""Latest value and extents of the datastreams that rows were written to."""

from collections.abc import Sequence

import psycopg

from mainzdigital.ingest.rows import Prepared
from mainzdigital.store import latest
from mainzdigital.store.latest import Latest
from mainzdigital.store.observations import Row, from_micros


def follow_latest(
    connection: psycopg.Connection,
    fresh: Sequence[Prepared],
    replaced: Sequence[tuple[Row, Prepared]],
    before: dict[int, Latest],
) -> None:
    """Store what follows from rows that were written and replaced, under the lock of their datastreams."""
    groups: dict[int, list[Prepared]] = {}
    for row in fresh:
        groups.setdefault(row.datastream_id, []).append(row)
    for _, row in replaced:
        groups.setdefault(row.datastream_id, []).append(row)
    now: dict[int, Latest] = {}
    moved: list[Latest] = []
    widened: list[Latest] = []
    for datastream, rows in groups.items():
        newest = max(rows, key=lambda row: (row.time, row.seq))
        old = before.get(datastream)
        time = from_micros(newest.time)
        is_latest = old is None or (time, newest.seq) >= (old.time, old.seq)
        one = now[datastream] = _widen(datastream, rows, old)
        if is_latest:
            one.time, one.seq = time, newest.seq
            moved.append(one)
        elif one != old:
            widened.append(one)
    latest.save(connection, moved)
    latest.widen(connection, widened)
    for datastream, rows_gone in _shrunk(replaced).items():
        latest.refresh(connection, datastream, now[datastream], gone=rows_gone)


def _widen(datastream: int, rows: Sequence[Prepared], old: Latest | None) -> Latest:
    start = from_micros(min(row.time for row in rows))
    end = from_micros(max(row.end for row in rows))
    result_times = [row.result_time for row in rows if row.result_time is not None]
    result_start = from_micros(min(result_times)) if result_times else None
    result_end = from_micros(max(result_times)) if result_times else None
    intervals = any(row.end != row.time for row in rows)
    features = any(row.foi_id is not None for row in rows)
    if old is None:
        return Latest(datastream, start, 0, start, end, result_start, result_end, intervals, features)
    if result_start is None or (old.result_start is not None and old.result_start < result_start):
        result_start = old.result_start
    if result_end is None or (old.result_end is not None and old.result_end > result_end):
        result_end = old.result_end
    return Latest(
        datastream, old.time, old.seq, min(start, old.phenomenon_start), max(end, old.phenomenon_end),
        result_start, result_end, intervals or old.intervals, features or old.features,
    )  # fmt: skip


def _shrunk(replaced: Sequence[tuple[Row, Prepared]]) -> dict[int, list[Row]]:
    """By datastream the old rows whose times reached beyond those of their replacements."""
    shrunk: dict[int, list[Row]] = {}
    for old, row in replaced:
        result_time = None if row.result_time is None else from_micros(row.result_time)
        if old.end > from_micros(row.end) or (old.result_time is not None and old.result_time != result_time):
            shrunk.setdefault(row.datastream_id, []).append(old)
    return shrunk
