"""The chart of a series as SVG, made by the server: for paper, without script, and until the script is there."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil, floor, log10

from babel.dates import format_date

from mainzdigital.exchange.things import Limit
from mainzdigital.web import shell, wording
from mainzdigital.web.drawing import path
from mainzdigital.web.series import Point, Series

WIDTH, HEIGHT = 900, 320
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 16, 36


@dataclass(frozen=True, slots=True)
class Plot:
    """Path data and labels; the template prints them. `limits` are (y, title), `outside` those beyond the picture."""

    line: str
    band: str
    dots: tuple[tuple[float, float], ...]
    bars: tuple[tuple[float, float, float, float], ...]
    y_ticks: tuple[tuple[float, str], ...]
    x_ticks: tuple[tuple[float, str], ...]
    base: float
    limits: tuple[tuple[float, str], ...]
    outside: tuple[Limit, ...]


def plot(series: Series) -> Plot | None:
    """None when nothing was measured."""
    known = series.known
    if not known:
        return None
    values = [value for point in known for value in (point.value, *_spread(series, point)) if value is not None]
    inside = [limit for limit in series.limits if limit.value <= 2.5 * max(values)]
    low, high, step = scale_of([*values, *(limit.value for limit in inside)], from_zero=min(values) >= 0)
    since, until = series.period.since, series.period.until
    span = (until - since).total_seconds()

    def x(at: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at - since).total_seconds() / span, 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    runs = _runs(series)
    band = "".join(
        path([(x(p.start), y(p.high if p.high is not None else p.value or 0)) for p in run])
        + "L" + path([(x(p.start), y(p.low if p.low is not None else p.value or 0)) for p in reversed(run)])[1:] + "Z"
        for run in runs if len(run) > 1
    )  # fmt: skip
    width = max(1.0, (WIDTH - LEFT - RIGHT) / max(1, len(series.points)) * 0.8)
    return Plot(
        line="" if series.added_up else "".join(path([(x(p.start), y(p.value or 0)) for p in run]) for run in runs),
        band=band if not series.added_up and any(p.count > 1 for p in known) else "",
        dots=tuple((x(r[0].start), y(r[0].value or 0)) for r in runs if len(r) == 1) if not series.added_up else (),
        bars=tuple(
            (x(p.start), y(max(p.value or 0, 0)), width, round(abs(y(0) - y(p.value or 0)), 1)) for p in known
        ) if series.added_up else (),
        y_ticks=tuple(
            (y(low + step * index), wording.number(round(low + step * index, 6)))
            for index in range(round((high - low) / step) + 1)
        ),
        x_ticks=tuple((x(at), text) for at, text in time_ticks(since, until)),
        base=y(max(low, 0)),
        limits=tuple((y(limit.value), limit.title or wording.number(limit.value)) for limit in inside),
        outside=tuple(limit for limit in series.limits if limit not in inside),
    )  # fmt: skip


def _spread(series: Series, point: Point) -> tuple[float | None, ...]:
    return () if series.added_up else (point.low, point.high)


def _runs(series: Series) -> list[list[Point]]:
    """Stretches without a gap."""
    runs: list[list[Point]] = [[]]
    for point in series.points:
        if point.gap or point.value is None:
            runs.append([])
        if point.value is not None:
            runs[-1].append(point)
    return [run for run in runs if run]


def scale_of(values: Sequence[float], *, from_zero: bool) -> tuple[float, float, float]:
    """Round ends and step of an axis with four to seven steps that holds all values."""
    low, high = min(values), max(values)
    if from_zero and (low <= 0.6 * high or low < 0):
        low = min(0.0, low)
    if high <= low:
        high = low + 1
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    steps = (1.0, 2.0, 2.5, 5.0, 10.0)
    step = steps[min(bisect_left(steps, rough / power), 4)] * power
    return floor(low / step) * step, ceil(high / step - 1e-9) * step, step


def time_ticks(since: datetime, until: datetime) -> list[tuple[datetime, str]]:
    """Marks at local hours, days, months or years, six to twelve of them."""
    zone = shell.current().zone
    start, end = since.astimezone(zone), until.astimezone(zone)
    span = end - start
    found: list[tuple[datetime, str]] = []
    if span <= timedelta(days=2):
        hours = 3 if span <= timedelta(hours=26) else 6
        at = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        while at < end:
            if at.hour % hours == 0:
                found.append((at, wording.clock(at)))
            at = (at.astimezone(since.tzinfo) + timedelta(hours=1)).astimezone(zone)
        return found
    every = next((days for days in (1, 2, 4, 7) if span / timedelta(days=days) <= 10), 0)
    if every:
        day = start.date() + timedelta(days=1)
        while datetime(day.year, day.month, day.day, tzinfo=zone) < end:
            if (day - start.date()).days % every == 1 or every == 1:
                found.append((datetime(day.year, day.month, day.day, tzinfo=zone), _day(day)))
            day += timedelta(days=1)
        return found
    months = next((count for count in (1, 2, 3, 6, 12, 24, 60) if span / timedelta(days=30.4 * count) <= 13), 120)
    number = start.year * 12 + start.month
    while True:
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=zone)
        if at >= end:
            return found
        if number % months == 0:
            found.append(
                (at, str(format_date(at.date(), "LLL yy" if months < 12 else "yyyy", locale=wording.language())))
            )
        number += 1


def _day(day: date) -> str:
    return str(format_date(day, "d. MMM" if wording.language() == "de" else "d MMM", locale=wording.language()))
