"""What follows from rows written: rollups, latest values, extents, one entry in the change log."""

from collections.abc import Sequence

import psycopg

from mainzdigital.ingest.extents import follow_latest
from mainzdigital.ingest.rows import Prepared
from mainzdigital.kernel.time import format_instant
from mainzdigital.store import changes, rollups, zone
from mainzdigital.store.latest import Latest
from mainzdigital.store.observations import Row, from_micros
from mainzdigital.store.rollups import WholeRow
from mainzdigital.store.zone import HOUR, HourGrid

_NEVER = -(1 << 62)
_Old = dict[int, tuple[int, int]]  # by datastream: its first and last time before


def follow(
    connection: psycopg.Connection,
    fresh: Sequence[Prepared],
    replaced: Sequence[tuple[Row, Prepared]],
    before: dict[int, Latest],
    *,
    believe: bool,
) -> None:
    """Bring all up to rows that were added (`fresh`, ordered by datastream and time) and replaced.

    `before` holds latest values and extents as they were; `believe` allows to conclude from them what was not there,
    and to COPY.
    """
    if not fresh and not replaced:
        return
    _follow_rollups(connection, fresh, replaced, before, believe=believe)
    follow_latest(connection, fresh, replaced, before)
    rows = [*fresh, *(row for _, row in replaced)]
    times = [row.time for row in rows]
    datastreams = {row.datastream_id for row in rows}
    changes.record(
        connection,
        kind="observations",
        entity="Datastream",
        ids=sorted(datastreams),
        details={
            "written": len(fresh), "replaced": len(replaced),
            "start": format_instant(from_micros(min(times))), "end": format_instant(from_micros(max(times))),
        },
    )  # fmt: skip


def _follow_rollups(
    connection: psycopg.Connection,
    fresh: Sequence[Prepared],
    replaced: Sequence[tuple[Row, Prepared]],
    before: dict[int, Latest],
    *,
    believe: bool,
) -> None:
    grid = zone.grid_of(zone.city_zone(connection))
    old: _Old = {one.datastream_id: (one.phenomenon_start, one.time) for one in before.values()}
    whole: list[WholeRow] = []
    partial: dict[tuple[int, int], int] = {}
    for row in hours_of(fresh, grid):
        if believe and _was_empty(old, row[0], row[1], row[1] + HOUR):
            whole.append(row)
        else:
            partial[row[0], row[1]] = row[2]
    emptied = False
    for was, now in replaced:
        if was.number is not None or now.number is not None:
            hour = now.datastream_id, grid.start(now.time)
            partial[hour] = partial.get(hour, 0) + 1
            emptied = emptied or now.number is None
    rollups.copy(connection, "hour", whole)
    touched = sorted(partial)
    rollups.recompute(connection, touched, [partial[hour] for hour in touched], emptied=emptied)
    _follow_days(connection, whole, {(datastream, grid.day(start)[0]) for datastream, start in touched}, old, grid)


def hours_of(rows: Sequence[Prepared], grid: HourGrid) -> list[WholeRow]:
    """Rollups by hour of rows ordered by datastream and time; of numbers only."""
    hours: list[WholeRow] = []
    datastream, start, end = 0, 0, _NEVER
    count, total, least, greatest, last = 0, 0.0, 0.0, 0.0, 0.0
    for row in rows:
        number = row.number
        if number is None:
            continue
        time = row.time
        if time >= end or row.datastream_id != datastream:
            new = grid.start(time)
            if new != start or row.datastream_id != datastream:
                if count:
                    hours.append((datastream, start, count, total, least, greatest, last))
                datastream, start = row.datastream_id, new
                count, total, least, greatest = 0, 0.0, number, number
            # Where the clock is not even with UTC's hours, every row is asked for its hour.
            end = start + HOUR if grid.even(start) else _NEVER
        count += 1
        total += number
        if number < least:
            least = number
        elif number > greatest:
            greatest = number
        last = number
    if count:
        hours.append((datastream, start, count, total, least, greatest, last))
    return hours


def _was_empty(old: _Old, datastream: int, start: int, end: int) -> bool:
    extent = old.get(datastream)
    return extent is None or start > extent[1] or end <= extent[0]


def _follow_days(
    connection: psycopg.Connection, hours: Sequence[WholeRow], done: set[tuple[int, int]], old: _Old, grid: HourGrid
) -> None:
    """Days from hours that were empty before: whole ones from these alone, the others from all their hours."""
    whole: list[WholeRow] = []
    partial: list[rollups.Hour] = []
    place: tuple[int, int, int] | None = None
    for row in hours:
        datastream, hour, count, total, least, greatest, last = row
        start, end = grid.day(hour)
        if place == (datastream, start, end):
            _, _, day_count, day_total, day_least, day_greatest, _ = whole[-1]
            whole[-1] = (
                datastream, start, day_count + count, day_total + total,
                min(day_least, least), max(day_greatest, greatest), last,
            )  # fmt: skip
        elif (datastream, start) not in done:
            if _was_empty(old, datastream, start, end):
                place = datastream, start, end
                whole.append((datastream, start, count, total, least, greatest, last))
            else:
                done.add((datastream, start))
                partial.append((datastream, hour))
    rollups.copy(connection, "day", whole)
    rollups.recompute_days(connection, partial)
