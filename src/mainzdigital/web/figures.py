"""The live figures of the start page, found by what is observed: no address of any station stands here."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mainzdigital.exchange import things
from mainzdigital.exchange.things import Hour, Limit, Stream
from mainzdigital.kernel.access import Reader
from mainzdigital.web import drawing, wording
from mainzdigital.web.shell import current

FRESH = timedelta(hours=3)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as the page shows it; `value` is formatted."""

    title: str
    value: str
    unit: str
    note: str
    time: datetime | None
    trend: drawing.Spark | None
    url: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Air:
    """The answer to `how is the air here now`: the station with the highest nitrogen dioxide of this hour."""

    stream: Stream
    stations: int
    value: float
    time: datetime
    limit: Limit | None
    last_week: float | None
    week_mean: float | None
    trend: drawing.Spark | None
    scale: drawing.Scale | None
    simulated: bool

    @property
    def share(self) -> float | None:
        return self.value / self.limit.value if self.limit and self.limit.value > 0 else None

    @property
    def change(self) -> str:
        """`less`, `more` or `same` as a week ago; empty where that is not known."""
        if self.last_week is None:
            return ""
        difference = self.value - self.last_week
        if abs(difference) < max(1.0, 0.05 * self.last_week):
            return "same"
        return "more" if difference > 0 else "less"


@dataclass(frozen=True, slots=True)
class Topic:
    """An observed property by its definition or name, and how a figure is made of its streams."""

    key: str
    title: str | Promise
    pattern: str
    make: Callable[["Topic", Connection, Sequence[Stream], datetime], Figure | None]

    def matches(self, name: str, definition: str) -> bool:
        return re.search(self.pattern, f"{name} {definition.rsplit('/', 1)[-1]}", re.IGNORECASE) is not None


_LONG_TERM = re.compile(r"jahr|year|annual|tages|tag\b|day|daily", re.IGNORECASE)
NITROGEN_DIOXIDE = r"\bno ?[2₂]\b|stickstoffdioxid|nitrogen.?dioxide"


def start_figures(connection: Connection, *, reader: Reader, now: datetime) -> tuple[Air | None, list[Figure]]:
    """The air in one answer, and up to five other figures; what nobody measures is left out."""
    properties = things.observed_properties(connection, reader=reader)
    air_ids = [key for key, name, definition in properties if _is_air(name, definition)]
    by_topic: dict[str, list[int]] = {}
    for key, name, definition in properties:
        for topic in TOPICS:
            if topic.matches(name, definition):
                by_topic.setdefault(topic.key, []).append(key)
                break
    wanted = air_ids + [key for keys in by_topic.values() for key in keys]
    streams = things.measured(connection, reader=reader, properties=wanted) if wanted else ()
    found = [
        topic.make(topic, connection, [item for item in streams if item.property_id in by_topic[topic.key]], now)
        for topic in TOPICS
        if topic.key in by_topic
    ]
    air = _air(connection, [item for item in streams if item.property_id in air_ids], now)
    return air, [figure for figure in found if figure is not None][:5]


def _is_air(name: str, definition: str) -> bool:
    return re.search(NITROGEN_DIOXIDE, f"{name} {definition.rsplit('/', 1)[-1]}", re.IGNORECASE) is not None


def fresh(streams: Sequence[Stream], now: datetime) -> list[Stream]:
    """Streams whose latest value is a number of the last hours: older ones say nothing about now."""
    return [item for item in streams if item.number is not None and item.time is not None and item.time > now - FRESH]


def short_term_limit(limits: Sequence[Limit]) -> Limit | None:
    """The limit an hourly value is compared with: the one for an hour where it is named, never a yearly mean."""
    hourly = [item for item in limits if item.period == "PT1H"]
    others = [item for item in limits if not item.period and not _LONG_TERM.search(item.title)]
    return next(iter(hourly or others), None)


def _air(connection: Connection, streams: Sequence[Stream], now: datetime) -> Air | None:
    living = fresh(streams, now)
    if not living:
        return None
    worst = max(living, key=lambda item: item.number or 0)
    assert worst.time is not None
    assert worst.number is not None
    hour = worst.time.replace(minute=0, second=0, microsecond=0)
    past = things.hours(connection, streams=[worst], since=hour - WEEK, until=hour + HOUR)
    by_hour = {item.start: item.mean for item in past}
    limit = short_term_limit(worst.limits)
    last_week = by_hour.get(hour - WEEK)
    return Air(
        stream=worst,
        stations=len(living),
        value=worst.number,
        time=worst.time,
        limit=limit,
        last_week=last_week,
        week_mean=sum(by_hour.values()) / len(by_hour) if len(by_hour) >= 24 else None,
        trend=_trend(past, hour, lambda item: item.mean, hours=48),
        scale=drawing.scale(worst.number, limit.value, last_week) if limit else None,
        simulated=is_simulated([worst]),
    )


def _trend(
    past: Sequence[Hour], last: datetime, value: Callable[[Hour], float], *, hours: int = 24, from_zero: bool = False
) -> drawing.Spark | None:
    by_hour = {item.start: value(item) for item in past}
    values = [by_hour.get(last - HOUR * back) for back in range(hours - 1, -1, -1)]
    return drawing.spark(values, from_zero=from_zero)


def is_simulated(streams: Sequence[Stream]) -> bool:
    return any(item.thing_properties.get("simulated") is True for item in streams)


def _newest(streams: Sequence[Stream]) -> datetime | None:
    return max((item.time for item in streams if item.time is not None), default=None)


def _list_address(streams: Sequence[Stream]) -> str:
    kinds = {str(item.thing_properties.get("kind", "")) for item in streams} - {""}
    if len(streams) == 1:
        return reverse("web:thing", args=[streams[0].thing_id])
    return reverse("web:things") + (f"?art={kinds.pop()}" if len(kinds) == 1 else "")


def _figure(
    topic: Topic, streams: Sequence[Stream], *, value: str, unit: str = "", note: str = "", trend: drawing.Spark | None
) -> Figure:
    return Figure(
        title=str(topic.title), value=value, unit=unit, note=note, time=_newest(streams), trend=trend,
        url=_list_address(streams), simulated=is_simulated(streams),
    )  # fmt: skip


def _counted_today(topic: Topic, connection: Connection, streams: Sequence[Stream], now: datetime) -> Figure | None:
    """Sum since midnight here, compared over full hours with the same day a week ago."""
    if not fresh(streams, now):
        return None
    zone = current().zone
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    before = (midnight.replace(tzinfo=None) - WEEK).replace(tzinfo=zone)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    past = things.hours(connection, streams=streams, since=before, until=now)
    today = sum(item.total for item in past if item.start >= midnight)
    full = sum(item.total for item in past if midnight <= item.start < this_hour)
    then = sum(item.total for item in past if before <= item.start < this_hour - (midnight - before))
    note = ngettext("today at %(count)d counter", "today at %(count)d counters", len(streams)) % {"count": len(streams)}
    if then > 0 and this_hour > midnight:
        note += "; " + _compared(full / then - 1)
    trend = _trend(past, this_hour - HOUR, lambda item: item.total, from_zero=True)
    return _figure(topic, streams, value=wording.number(today, 0), note=note, trend=trend)


def _compared(change: float) -> str:
    if abs(change) < 0.02:
        return _("as many as a week ago by this hour")
    text = wording.percent(abs(change))
    if change > 0:
        return _("%(share)s more than a week ago by this hour") % {"share": text}
    return _("%(share)s fewer than a week ago by this hour") % {"share": text}


def _free_now(topic: Topic, connection: Connection, streams: Sequence[Stream], now: datetime) -> Figure | None:
    """Sum of the present values, beside the capacity where the things name one."""
    living = fresh(streams, now)
    if not living:
        return None
    total = sum(item.number or 0 for item in living)
    capacities = [_capacity(item) for item in living]
    note = ngettext("at %(count)d place", "at %(count)d places", len(living)) % {"count": len(living)}
    if all(capacities):
        note = _("of %(all)s, %(where)s") % {"all": wording.number(sum(filter(None, capacities)), 0), "where": note}
    hour = now.replace(minute=0, second=0, microsecond=0)
    past = things.hours(connection, streams=living, since=hour - HOUR * 24, until=now)
    trend = _trend(past, hour, lambda item: item.level, from_zero=True)
    return _figure(topic, living, value=wording.number(total, 0), note=note, trend=trend)


def _capacity(stream: Stream) -> float | None:
    for source in (stream.properties, stream.thing_properties):
        for key in ("capacity", "kapazitaet", "spaces", "totalSpaces"):
            value = source.get(key)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
                return float(value)
    return None


def _mean_now(topic: Topic, connection: Connection, streams: Sequence[Stream], now: datetime) -> Figure | None:
    living = fresh(streams, now)
    if not living:
        return None
    values = [item.number or 0.0 for item in living]
    hour = now.replace(minute=0, second=0, microsecond=0)
    past = things.hours(connection, streams=living, since=hour - HOUR * 24, until=now)
    low, high = min((item.mean for item in past), default=0), max((item.mean for item in past), default=0)
    note = _("in 24 hours from %(low)s to %(high)s") % {"low": wording.number(low, 1), "high": wording.number(high, 1)}
    trend = _trend(past, hour, lambda item: item.mean)
    value = wording.number(sum(values) / len(values), 1)
    return _figure(topic, living, value=value, unit=living[0].unit, note=note if past else "", trend=trend)


def _fallen_today(topic: Topic, connection: Connection, streams: Sequence[Stream], now: datetime) -> Figure | None:
    """Rain since midnight: the mean over the gauges of their sums."""
    living = fresh(streams, now)
    if not living:
        return None
    midnight = now.astimezone(current().zone).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    past = things.hours(connection, streams=living, since=min(midnight, hour - HOUR * 24), until=now)
    total = sum(item.total for item in past if item.start >= midnight) / len(living)
    trend = _trend(past, hour, lambda item: item.total, from_zero=True)
    value = wording.number(total, 1 if total else 0)
    return _figure(topic, living, value=value, unit=living[0].unit, note=_("since midnight"), trend=trend)


FULL = 80


def _full_now(topic: Topic, connection: Connection, streams: Sequence[Stream], now: datetime) -> Figure | None:
    """How many containers are at least 80 % full."""
    living = fresh(streams, now)
    if not living:
        return None
    full = sum(1 for item in living if (item.number or 0) >= FULL)
    note = _("of %(count)s are at least %(share)s full") % {
        "count": wording.number(len(living), 0),
        "share": wording.percent(FULL / 100),
    }
    hour = now.replace(minute=0, second=0, microsecond=0)
    past = things.hours(connection, streams=living, since=hour - HOUR * 24, until=now)
    trend = _trend(past, hour, lambda item: item.mean)
    return _figure(topic, living, value=wording.number(full, 0), note=note, trend=trend)


TOPICS: tuple[Topic, ...] = (
    Topic("bicycles", gettext_lazy("Bicycles"), r"bicycle|fahrr[aä]d|radverkehr|radfahr|\bbikes?\b", _counted_today),
    Topic(
        "parking", gettext_lazy("Free parking spaces"),
        r"(free|vacant|available).{0,12}(park|space|spot)|frei.{0,12}(stellpl|parkpl|pl[aä]tze)|parking.{0,8}(free|avail)",
        _free_now,
    ),
    Topic("temperature", gettext_lazy("Air temperature"), r"luft.?temperatur|air.?temperature|^temperatur", _mean_now),
    Topic("rain", gettext_lazy("Rain"), r"niederschlag|precipitation|regenmenge|rainfall|\brain\b", _fallen_today),
    Topic("containers", gettext_lazy("Full containers"), r"f[uü]llstand|fill.?(level|ing)", _full_now),
)  # fmt: skip
