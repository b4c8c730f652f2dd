"""Latest value and extents of the datastreams that rows were written to."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import psycopg

from mainzdigital.ingest.resolve import columns
from mainzdigital.ingest.rows import Prepared
from mainzdigital.store import latest
from mainzdigital.store.latest import Latest
from mainzdigital.store.observations import CopyRow, Row, from_micros


def follow_latest(
    connection: psycopg.Connection,
    fresh: Sequence[Prepared],
    replaced: Sequence[tuple[Row, Prepared]],
    before: dict[int, Latest],
) -> None:
    """Store what follows from rows that were written and replaced, under the lock of their datastreams."""
    groups: dict[int, list[Prepared]] = {
        datastream: list(rows) for datastream, rows in groupby(fresh, key=attrgetter("datastream_id"))
    }
    for _, row in replaced:
        groups.setdefault(row.datastream_id, []).append(row)
    now: dict[int, Latest] = {}
    moved: list[Latest] = []
    newests: list[CopyRow] = []
    widened: list[Latest] = []
    for datastream, rows in groups.items():
        newest = max(rows, key=_place) if replaced else rows[-1]
        old = before.get(datastream)
        one = now[datastream] = _widen(datastream, rows, old)
        if old is None or newest.time > old.time or (newest.time == old.time and newest.seq >= old.seq):
            one.time, one.seq = newest.time, newest.seq
            moved.append(one)
            newests.append(columns(newest))
        elif one != old:
            widened.append(one)
    latest.put(connection, moved, newests)
    latest.widen(connection, widened)
    for datastream, rows_gone in _shrunk(replaced).items():
        latest.refresh(connection, datastream, now[datastream], gone=rows_gone)


_time, _end, _foi, _result_time = map(attrgetter, ("time", "end", "foi_id", "result_time"))


def _lasts(row: Prepared) -> bool:
    return row.end != row.time


def _place(row: Prepared) -> tuple[int, int]:
    return row.time, row.seq


def _widen(datastream: int, rows: Sequence[Prepared], old: Latest | None) -> Latest:
    result_start: int | None
    result_end: int | None
    if len(rows) == 1:
        (row,) = rows
        start, end = row.time, row.end
        result_start = result_end = row.result_time
        intervals, features = end != start, row.foi_id is not None
    else:
        start, end = min(map(_time, rows)), max(map(_end, rows))
        result_times = [time for time in map(_result_time, rows) if time is not None]
        result_start, result_end = min(result_times, default=None), max(result_times, default=None)
        intervals, features = any(map(_lasts, rows)), any(map(_foi, rows))
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
