"""The values of a datastream over a period: chart, sentence and table of a page come from one read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg
from django.utils.translation import gettext as _

from mainzdigital.exchange import series as exchange
from mainzdigital.exchange.series_time import Bucket, between, floor
from mainzdigital.exchange.series_write import SeriesQuery
from mainzdigital.exchange.things import Limit, Stream
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.web import shell, wording

PERIODS: dict[str, timedelta] = {
    "24h": timedelta(hours=24),
    "7t": timedelta(days=7),
    "30t": timedelta(days=30),
    "1j": timedelta(days=365),
}
FREE = "frei"
# Streams whose values add up over time: counts and amounts. Others are averaged.
_ADDED_UP = re.compile(
    r"bicycle|fahrr[aä]d|radverkehr|zähl|niederschlag|precipitation|\brain\b|regenmenge", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Period:
    """`key` as in the address; from `since` (included) to `until` (excluded); `bucket` is raw, hour, day or month."""

    key: str
    since: datetime
    until: datetime
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class Point:
    """One bucket: `value` is the sum where values add up, else the mean; all None where nothing was measured."""

    start: datetime
    value: float | None
    low: float | None
    high: float | None
    count: int
    gap: bool = False  # of raw values: more than the usual interval lies before it


@dataclass(frozen=True, slots=True)
class Series:
    stream: Stream
    period: Period
    points: tuple[Point, ...]
    added_up: bool

    @property
    def known(self) -> list[Point]:
        return [point for point in self.points if point.value is not None]

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Limits over the same time as the buckets: an hour's limit says nothing about the mean of a day."""
        if self.added_up:
            return ()
        periods = {"raw": ("", "PT1H"), "hour": ("", "PT1H"), "day": ("", "P1D"), "month": ("",)}[self.period.bucket]
        return tuple(item for item in self.stream.limits if item.period in periods)

    @property
    def digits(self) -> int:
        """Decimals of all values of the table and the sentence."""
        return wording.digits_for([point.value for point in self.known if point.value is not None] or [0])


def bucket_for(span: timedelta) -> Bucket:
    """Buckets that a screen can show: at most some 750."""
    if span <= timedelta(days=2):
        return "raw"
    if span <= timedelta(days=31):
        return "hour"
    return "day" if span <= timedelta(days=800) else "month"


def period_of(key: str, since: str, until: str, *, now: datetime) -> Period:
    """The period that the address asks for; `since` and `until` are dates (inclusive). Raises InvalidInput."""
    if key != FREE:
        span = PERIODS.get(key)
        if span is None:
            key, span = "7t", PERIODS["7t"]
        return Period(key, now - span, now, bucket_for(span))
    zone = shell.current().zone
    first, last = _day(since, "von"), _day(until, "bis")
    if last < first:
        raise InvalidInput(_("The period ends before it begins."), where="bis")
    start = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    return Period(FREE, start, end, bucket_for(end - start))


def _day(text: str, where: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not 1900 <= found.year <= 2200:
        raise InvalidInput(_("Please give both days of the period, such as 2026-11-22."), where=where)
    return found


def adds_up(stream: Stream) -> bool:
    """Whether values are summed over time: `properties.aggregation` says so (`PT15M sum`), else what is observed."""
    declared = stream.properties.get("aggregation") or stream.properties.get("aggregate")
    if isinstance(declared, str):
        return declared.lower().split()[-1:] in (["sum"], ["total"])
    return _ADDED_UP.search(f"{stream.property_name} {stream.definition.rsplit('/', 1)[-1]}") is not None


def answer(series: Series) -> str:
    """The chart in one or two sentences."""
    known = series.known
    unit = series.stream.unit
    if not known:
        return _("In this period nothing was measured, or the data is not here yet.")

    def amount(value: float) -> str:
        return f"{wording.number(value, series.digits)} {unit}".strip()

    values = [point.value for point in known if point.value is not None]
    top = max(known, key=lambda point: point.high if point.high is not None else point.value or 0)
    highest = top.high if top.high is not None and not series.added_up else top.value
    if series.added_up:
        text = _("In total %(sum)s. The most was %(most)s, on %(when)s.") % {
            "sum": amount(sum(values)), "most": amount(highest or 0), "when": when(top.start, series.period.bucket),
        }  # fmt: skip
    else:
        weight = sum(point.count for point in known) or 1
        mean = sum((point.value or 0) * point.count for point in known) / weight
        lowest = min(point.low if point.low is not None else point.value or 0 for point in known)
        text = _("Between %(low)s and %(high)s, %(mean)s on average. Highest on %(when)s.") % {
            "low": amount(lowest), "high": amount(highest or 0), "mean": amount(mean),
            "when": when(top.start, series.period.bucket),
        }  # fmt: skip
    missing = len(series.points) - len(known)
    if missing and series.period.bucket != "raw":
        share = wording.percent(missing / len(series.points))
        text += " " + _("For %(share)s of the time there is no value; these gaps stay empty.") % {"share": share}
    return text


def when(value: datetime, bucket: str) -> str:
    """A bucket's name: the day, or day and time."""
    return wording.day(value) if bucket in ("day", "month") else wording.instant(value)


def read(connection: psycopg.Connection[Any], *, reader: Reader, stream: Stream, period: Period) -> Series:
    """Values of a stream; raises NotFound where the reader may not see it, InvalidInput where they are too many."""
    zone = shell.current().zone
    query = SeriesQuery((stream.id,), period.since, period.until, period.bucket, "json", zone)
    (found,) = exchange.read_sync(connection, reader=reader, query=query)
    added = adds_up(stream)
    if period.bucket == "raw":
        points = tuple(_raw(*row) for row in found.points)
    else:
        points = tuple(_bucket(row, added) for row in _whole(found.points, query))
    return Series(stream, period, points, added)


def _raw(at: datetime, result: object, _end: object, gap: bool) -> Point:
    value = float(result) if isinstance(result, (int, float)) and not isinstance(result, bool) else None
    return Point(at, value, value, value, int(value is not None), gap)


def _bucket(row: tuple[Any, ...], added: bool) -> Point:
    at, count, low, mean, high, total, _last = row
    return Point(at, total if added else mean, low, high, count, False)


def _whole(points: Sequence[tuple[Any, ...]], query: SeriesQuery) -> list[tuple[Any, ...]]:
    """The answer ends with the last value; the page shows the whole period, so that silence is seen as a gap."""
    known = {row[0]: row for row in points}
    if not known:
        return []
    now = datetime.now(UTC)
    last = min(query.end, now) - timedelta(microseconds=1)
    times = between(
        floor(query.start, query.bucket, query.zone), floor(last, query.bucket, query.zone), query.bucket, query.zone
    )
    rows = [known.get(time) or (time, 0, None, None, None, None, None) for time in times]
    # The bucket that has only begun is no gap.
    return rows[:-1] if rows and not rows[-1][1] else rows


def chart_data(series: Series) -> dict[str, Any]:
    """What the script needs to draw the same chart."""
    zone = shell.current().zone
    return {
        "name": series.stream.name,
        "unit": series.stream.unit,
        "digits": series.digits,
        "bars": series.added_up,
        "bucket": series.period.bucket,
        "zone": zone.key,
        "times": [point.start.timestamp() for point in series.points],
        "values": [point.value for point in series.points],
        "gaps": [index for index, point in enumerate(series.points) if point.gap],
        "lows": _if_spread([point.low for point in series.points], series),
        "highs": _if_spread([point.high for point in series.points], series),
        "limits": [{"value": item.value, "title": item.title} for item in series.limits],
    }


def _if_spread(values: Sequence[float | None], series: Series) -> list[float | None]:
    """Lowest and highest are drawn where a bucket holds several values."""
    spread = not series.added_up and any(point.count > 1 for point in series.points)
    return list(values) if spread else []
