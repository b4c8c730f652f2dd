"""The page of a thing: what it measures now, a chart over any period, the equal table, and how to use the data."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from mainzdigital.exchange import things
from mainzdigital.exchange.things import Limit, Stream, ThingPage
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.web import cartography, drawing, kinds, plotting, series, shell
from mainzdigital.web.connection import core, core_with_binary
from mainzdigital.web.figures import short_term_limit
from mainzdigital.web.reader import reader_of

# Keys of a thing's properties that have a place of their own on the page.
_SHOWN = {"kind", "district", "operator", "source", "license", "simulated", "accessClass", "notice"}
_BUCKETS = {"raw": "raw", "hour": "hour", "day": "day", "month": "month"}


@dataclass(frozen=True, slots=True)
class Now:
    """A stream as the values on top show it; `meter` is the share of the limit in per cent of the bar."""

    stream: Stream
    limit: Limit | None
    meter: float
    over: bool
    chosen: bool


@require_safe
@vary_on_headers("HX-Request")
def thing(request: HttpRequest, identifier: int) -> HttpResponse:
    """`/messstellen/<id>/`"""
    connection, reader = core(), reader_of(request)
    found = things.detail(connection, reader=reader, identifier=identifier)
    context: dict[str, Any] = {"thing": found}
    stream = _chosen(request, found)
    if stream is not None:
        context |= _series(request, reader, stream)
    if request.headers.get("HX-Target") == "reihe":
        return render(request, "web/thing_series.html", context)
    placed = [(lon, lat, found) for _name, lon, lat in found.places if lon is not None and lat is not None]
    return render(
        request,
        "web/thing.html",
        {
            **context,
            "crumbs": [(_("Measuring stations"), reverse("web:things")), (found.name, "")],
            "kind": kinds.kind(str(found.properties.get("kind", ""))),
            "now": [_now(item, item is stream) for item in found.streams],
            "simulated": found.properties.get("simulated") is True,
            "more": [
                (_label(key), _label(value))
                for key, value in found.properties.items()
                if key not in _SHOWN and _plain(value)
            ],
            "map": cartography.drawing(placed) if placed else None,
            "place": placed[0] if placed else None,
            "quality": [
                (item, item.properties.get("quality")) for item in found.streams if item.properties.get("quality")
            ],
            "use": use_this_data(found, stream),
        },
    )


def _label(text: object) -> object:
    """Words of the data that this portal knows in its own language; others are shown as they are."""
    known: dict[object, str] = {
        "capacity": _("Capacity"),
        "note": _("Note"),
        "siting": _("Surroundings"),
        "traffic": _("beside a busy road"),
        "background": _("away from busy roads"),
    }
    return known.get(text, text)


def _plain(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _now(stream: Stream, chosen: bool) -> Now:
    limit = short_term_limit(stream.limits)
    value = stream.number
    return Now(
        stream=stream,
        limit=limit,
        meter=drawing.meter(value, limit.value) if limit and value is not None else 0,
        over=bool(limit and value is not None and value > limit.value),
        chosen=chosen,
    )


def _chosen(request: HttpRequest, found: ThingPage) -> Stream | None:
    """The stream the address names, else the first one with a value."""
    wanted = request.GET.get("reihe", "")
    for stream in found.streams:
        if str(stream.id) == wanted:
            return stream
    return next((item for item in found.streams if item.time is not None), next(iter(found.streams), None))


def _series(request: HttpRequest, reader: Reader, stream: Stream) -> dict[str, Any]:
    now = datetime.now(UTC)
    since, until = request.GET.get("von", "")[:10], request.GET.get("bis", "")[:10]
    problem = ""
    try:
        period = series.period_of(request.GET.get("zeitraum", ""), since, until, now=now)
    except InvalidInput as error:
        problem = error.message
        period = series.period_of("", "", "", now=now)
    with core_with_binary() as connection:
        found = series.read(connection, reader=reader, stream=stream, period=period)
    zone = shell.current().zone
    return {
        "stream": stream,
        "series": found,
        "period": period,
        "problem": problem,
        "periods": [("24h", _("24 hours")), ("7t", _("7 days")), ("30t", _("30 days")), ("1j", _("One year"))],
        "since": since or period.since.astimezone(zone).date().isoformat(),
        "until": until or period.until.astimezone(zone).date().isoformat(),
        "answer": series.answer(found),
        "plot": plotting.plot(found),
        "frame": {"width": plotting.WIDTH, "height": plotting.HEIGHT, "left": plotting.LEFT,
                  "right": plotting.WIDTH - plotting.RIGHT, "bottom": plotting.HEIGHT - plotting.BOTTOM},
        "data": series.chart_data(found),
        "rows": [(series.when(point.start, period.bucket), point) for point in reversed(found.known)],
        "spread": not found.added_up and any(point.count > 1 for point in found.known),
        "csv": series_address(stream, period, "csv"),
        "json": series_address(stream, period, "json"),
        "words": {"reading": _("Arrow keys read the values one by one."), "none": _("no value"), "chart": _("Chart")},
    }  # fmt: skip


def series_address(stream: Stream, period: series.Period, form: str) -> str:
    """The call of `/series/v1` with the values of this page."""
    query = {
        "datastream": stream.id,
        "from": period.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "to": period.until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "bucket": _BUCKETS[period.bucket],
        "format": form,
    }
    return "/series/v1?" + urlencode(query, safe=":")


def use_this_data(found: ThingPage, stream: Stream | None) -> dict[str, str]:
    """Addresses and lines to copy, with this city's origin."""
    origin = shell.current().origin
    base = f"{origin}/sensorthings/v1.1"
    lines = {"thing": f"{base}/Things({found.id})", "documentation": base}
    if stream is None:
        return lines
    year = f"{origin}/series/v1?datastream={stream.id}&from=P1Y&bucket=hour&format=csv"
    return lines | {
        "observations": f"{base}/Datastreams({stream.id})/Observations",
        "events": f"{origin}/events/v1?datastream={stream.id}",
        "curl": f"curl '{year}'",
        "python": (
            "import csv, io, urllib.request\n"
            f"address = '{year}'\n"
            "with urllib.request.urlopen(address) as answer:\n"
            "    rows = list(csv.DictReader(io.TextIOWrapper(answer, 'utf-8')))"
        ),
    }
