"""The map page and its data."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from mainzdigital.exchange import things
from mainzdigital.exchange.things import Stream, ThingQuery, ThingRow
from mainzdigital.web import cartography, kinds, shell, wording
from mainzdigital.web.connection import core
from mainzdigital.web.reader import reader_of

LIMIT = 20_000
LISTED = 100


@require_safe
def city_map(request: HttpRequest) -> HttpResponse:
    """`/karte/`: the drawing, the legend and the first places; the script makes a moving map of it."""
    found = things.search(core(), reader=reader_of(request), query=_query(request))
    placed = [(row.lon, row.lat, row) for row in found.rows if row.lon is not None and row.lat is not None]
    chosen = request.GET.getlist("art")
    return render(
        request,
        "web/map.html",
        {
            "crumbs": [(_("Map"), "")],
            "map": cartography.drawing(placed),
            "rows": [row for _lon, _lat, row in placed][:LISTED],
            "total": len(placed),
            "legend": [(kinds.kind(key), count, not chosen or key in chosen) for key, count in found.facets["kind"]],
            "words": words(),
        },
    )


def _query(request: HttpRequest) -> ThingQuery:
    return ThingQuery(now=datetime.now(UTC), limit=LIMIT)


@require_safe
def data(request: HttpRequest) -> JsonResponse:
    """`/karte/daten.json`: the places this reader may see with their latest values, and the city's outline."""
    frame = shell.current()
    found = things.search(core(), reader=reader_of(request), query=_query(request))
    outline = cartography.outline(frame)
    response = JsonResponse(
        {
            "bounds": outline.geometry.bounds if outline else frame.bounds,
            "zone": frame.zone.key,
            "style": frame.map_style,
            "attribution": frame.map_attribution,
            "outline": outline.geojson if outline else None,
            "schematic": bool(outline and outline.schematic),
            "districts": [{"name": place.name, "point": place.point} for place in frame.districts],
            "kinds": {key: _kind(key) for key, _count in found.facets["kind"]} | {"": _kind("")},
            "things": [_thing(row) for row in found.rows if row.lon is not None],
        }
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _kind(key: str) -> dict[str, Any]:
    found = kinds.kind(key)
    return {"title": str(found.title), "colour": found.colour, "shape": found.shape}


def _thing(row: ThingRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "point": [row.lon, row.lat],
        "state": row.state,
        "simulated": row.properties.get("simulated") is True,
        "values": [_value(stream) for stream in row.streams],
    }


def _value(stream: Stream) -> dict[str, Any]:
    return {
        "id": stream.id,
        "name": stream.name,
        "unit": stream.unit,
        "value": stream.value,
        "time": stream.time.isoformat() if stream.time else None,
    }


def words() -> dict[str, str]:
    """The words of the map's script."""
    return {
        "yes": _("yes"),
        "no": _("no"),
        "open": _("Go to the station"),
        "close": _("Close"),
        "zoom_in": _("Zoom in"),
        "zoom_out": _("Zoom out"),
        "map": _("Map of the stations. Arrow keys move it, plus and minus zoom. All places stand in the list as well."),
        "stations": _("stations"),
        "more": _("more. Zoom in or choose a kind to see them."),
        "none_here": _("No station in this part of the map."),
        "in_view": _("In view"),
        "simulated": _("Simulated"),
        "schematic": _("The outline is schematic, drawn around the districts."),
        "current": wording.state_title("current"),
        "late": wording.state_title("late"),
        "silent": wording.state_title("silent"),
        "none": wording.state_title("none"),
        "live": _("Live"),
        "waiting": _("Connection lost. The map shows the last known values and connects again by itself."),
    }
