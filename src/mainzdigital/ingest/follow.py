"""What follows from rows written: rollups, latest values, extents, one entry in the change log."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg

from mainzdigital.ingest.extents import follow_latest
from mainzdigital.ingest.rows import Prepared
from mainzdigital.kernel.time import format_instant
from mainzdigital.store import areas, changes, rollups, zone
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
    copying: bool,
) -> None:
    """Bring all up to rows that were added (`fresh`, ordered by datastream and time) and replaced.

    `before` holds latest values and extents as they were; `believe` allows to conclude from them what was not there,
    `copying` to COPY.
    """
    if not fresh and not replaced:
        return
    _follow_rollups(connection, fresh, replaced, before, believe=believe, copying=copying)
    follow_latest(connection, fresh, replaced, before)
    rows = [*fresh, *(row for _, row in replaced)]
    named = {(row.datastream_id, row.foi_id) for row in rows if row.foi_id is not None}
    areas.note(connection, named)
    if replaced:
        were = {(row.datastream_id, row.foi_id) for row, _ in replaced if row.foi_id is not None}
        areas.forget(connection, were - named)
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


@dataclass(slots=True)
class _Plan:
    """What becomes of the hours, or of the days, that rows were added to."""

    whole: list[WholeRow] = field(default_factory=list)  # had no rows before
    longer: list[WholeRow] = field(default_factory=list)  # all rows of the datastream are earlier


def _follow_rollups(
    connection: psycopg.Connection,
    fresh: Sequence[Prepared],
    replaced: Sequence[tuple[Row, Prepared]],
    before: dict[int, Latest],
    *,
    believe: bool,
    copying: bool,
) -> None:
    grid = zone.grid_of(zone.city_zone(connection))
    old: _Old = {one.datastream_id: (one.phenomenon_start, one.time) for one in before.values()}
    hours = _Plan()
    partial: dict[tuple[int, int], int] = {}
    for row, first in hours_of(fresh, grid):
        extent = old.get(row[0])
        if not believe:
            partial[row[0], row[1]] = row[2]
        elif copying and _was_empty(extent, row[1], row[1] + HOUR):
            hours.whole.append(row)
        elif extent is None or first > extent[1]:
            hours.longer.append(row)
        else:
            partial[row[0], row[1]] = row[2]
    emptied = False
    for was, now in replaced:
        if was.number is not None or now.number is not None:
            hour = now.datastream_id, grid.start(now.time)
            partial[hour] = partial.get(hour, 0) + 1
            emptied = emptied or now.number is None
    # An hour that is recomputed must not be extended as well.
    hours.longer = [row for row in hours.longer if row[:2] not in partial]
    rollups.copy(connection, "hour", hours.whole)
    rollups.extend(connection, "hour", hours.longer)
    touched = sorted(partial)
    rollups.recompute(connection, touched, [partial[hour] for hour in touched], emptied=emptied)
    done = {(datastream, grid.day(start)[0]) for datastream, start in touched}
    _follow_days(connection, hours, done, old, grid, copying=copying)


def hours_of(rows: Sequence[Prepared], grid: HourGrid) -> list[tuple[WholeRow, int]]:
    """Rollups by hour of rows ordered by datastream and time, with the time of the first row; of numbers only."""
    hours: list[tuple[WholeRow, int]] = []
    datastream, start, end, first = 0, 0, _NEVER, 0
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
                    hours.append(((datastream, start, count, total, least, greatest, last), first))
                datastream, start, first = row.datastream_id, new, time
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
        hours.append(((datastream, start, count, total, least, greatest, last), first))
    return hours


def _was_empty(extent: tuple[int, int] | None, start: int, end: int) -> bool:
    return extent is None or start > extent[1] or end <= extent[0]


def _follow_days(
    connection: psycopg.Connection, hours: _Plan, done: set[tuple[int, int]], old: _Old, grid: HourGrid, *,
    copying: bool,
) -> None:  # fmt: skip
    """Days from hours: new and longer ones from these alone, the others, but those `done`, from all their hours."""
    sums: dict[tuple[int, int], WholeRow] = {}
    earlier: dict[tuple[int, int], int] = {}  # days with an hour before others of the datastream: that hour
    longer = {row[:2] for row in hours.longer}
    for row in sorted(hours.whole + hours.longer) if longer else hours.whole:
        datastream, hour, count, total, least, greatest, last = row
        day = datastream, grid.day(hour)[0]
        if day in done:
            continue
        if (known := sums.get(day)) is not None:
            count, total = known[2] + count, known[3] + total
            least, greatest = min(known[4], least), max(known[5], greatest)
        sums[day] = (*day, count, total, least, greatest, last)
        extent = old.get(datastream)
        if extent is not None and hour <= extent[1] and row[:2] not in longer:
            earlier[day] = hour
    days = _Plan()
    partial: list[rollups.Hour] = []
    for day, row in sums.items():
        if copying and _was_empty(old.get(day[0]), day[1], grid.day(row[1])[1]):
            days.whole.append(row)
        elif day in earlier:
            partial.append((day[0], earlier[day]))
        else:
            days.longer.append(row)
    rollups.copy(connection, "day", days.whole)
    rollups.extend(connection, "day", days.longer)
    rollups.recompute_days(connection, partial)
