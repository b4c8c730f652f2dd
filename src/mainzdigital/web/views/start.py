"""The start page: what is happening now, what you can do, what is new."""

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mainzdigital.exchange import things
from mainzdigital.exchange.things import ThingQuery
from mainzdigital.web import cartography, context, figures, kinds
from mainzdigital.web.connection import core
from mainzdigital.web.reader import reader_of

MAP_LIMIT = 5000


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    now = datetime.now(UTC)
    reader = reader_of(request)
    connection = core()
    air, found = figures.start_figures(connection, reader=reader, now=now)
    everything = things.search(connection, reader=reader, query=ThingQuery(now=now, order="added", limit=MAP_LIMIT))
    placed = [(row.lon, row.lat, row) for row in everything.rows if row.lon is not None and row.lat is not None]
    return render(
        request,
        "web/start.html",
        {
            "now": now,
            "air": air,
            "figures": found,
            "map": cartography.drawing(placed),
            "total": everything.total,
            "kinds": [(kinds.kind(key), count) for key, count in everything.facets["kind"]],
            "newest": everything.rows[:5],
            "doors": [entry for entry in context.menu(request, "main") if entry.url != request.path],
        },
    )
