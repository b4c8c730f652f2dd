"""The list of things: search and facets, table or cards or map, its state in the address, its rows as CSV."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from math import ceil

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from mainzdigital.exchange import things
from mainzdigital.exchange.things import ThingQuery
from mainzdigital.web import cartography, kinds, wording
from mainzdigital.web.connection import core
from mainzdigital.web.reader import reader_of

PAGE = 25
EXPORT_LIMIT = 100_000
VIEWS = ("tabelle", "karten", "karte")
# Names of the facets in the address.
KEYS = {"kind": "art", "district": "stadtteil", "observed": "groesse", "operator": "betreiber", "state": "zustand"}
# Characters with which a cell would start a formula in a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    title: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """`first` are shown at once, `more` on demand; everything chosen is among the first."""

    key: str
    title: str
    first: tuple[Choice, ...]
    more: tuple[Choice, ...]


def query_of(request: HttpRequest) -> ThingQuery:
    """The address as a query; what cannot be read is passed over, so that an old link still shows something."""

    def chosen(name: str) -> tuple[str, ...]:
        return tuple(value.replace("\x00", "")[:200] for value in request.GET.getlist(KEYS[name])[:50] if value)

    order = request.GET.get("ordnung", "")
    return ThingQuery(
        now=datetime.now(UTC),
        words=request.GET.get("q", "").replace("\x00", "")[:200].strip(),
        kinds=chosen("kind"),
        districts=chosen("district"),
        operators=chosen("operator"),
        observed=chosen("observed"),
        states=chosen("state"),
        order=order if order in things.ORDERS else "name",
        kind_words={item.key: things.fold(f"{item.words} {item.title}") for item in kinds.KINDS.values()},
    )


@require_safe
@vary_on_headers("HX-Request")
def stations(request: HttpRequest) -> HttpResponse:
    """`/messstellen/`"""
    query = query_of(request)
    reader, connection = reader_of(request), core()
    view = request.GET.get("ansicht", "")
    view = view if view in VIEWS else VIEWS[0]
    page = max(1, int(text)) if (text := request.GET.get("seite", ""))[:9].isdecimal() and len(text) < 7 else 1
    limit = 5000 if view == "karte" else PAGE
    found = things.search(
        connection, reader=reader, query=replace(query, limit=limit, offset=0 if view == "karte" else (page - 1) * PAGE)
    )
    pages = max(1, ceil(found.total / limit))
    page = min(page, pages)
    suggestion = (
        things.suggestion(connection, reader=reader, words=query.words) if query.words and not found.total else ""
    )
    placed = [(row.lon, row.lat, row) for row in found.rows if row.lon is not None and row.lat is not None]
    context = {
        "crumbs": [(_("Measuring stations"), "")],
        "query": query,
        "found": found,
        "view": view,
        "order": query.order,
        "orders": [
            ("name", _("Name")),
            ("kind", _("Kind")),
            ("district", _("District")),
            ("newest", _("Latest value first")),
            ("added", _("Newest station first")),
        ],
        "facets": facets(found.facets, query),
        "chips": chips(query),
        "suggestion": suggestion,
        "page": page,
        "pages": page_numbers(page, pages),
        "first_row": (page - 1) * limit + 1,
        "last_row": (page - 1) * limit + len(found.rows),
        "map": cartography.drawing(placed) if view == "karte" else None,
        "without_place": found.total - len(placed) if view == "karte" else 0,
    }
    context["fragment"] = fragment = request.headers.get("HX-Target") == "result"
    return render(request, "web/stations_result.html" if fragment else "web/stations.html", context)


def facets(counted: Mapping[str, Sequence[tuple[str, int]]], query: ThingQuery) -> list[Facet]:
    """The facets with titles; a chosen value without a match stays visible, so that it can be taken back."""
    found = []
    for name, title, chosen in _dimensions(query):
        counts = dict(counted[name])
        values = [*(value for value in chosen if value not in counts), *counts]
        choices = [Choice(value, value_title(name, value), counts.get(value, 0), value in chosen) for value in values]
        if name == "state":
            choices.sort(key=lambda item: things.STATES.index(item.value) if item.value in things.STATES else 9)
        if len(choices) > 1 or any(item.chosen for item in choices):
            first = [item for index, item in enumerate(choices) if index < 7 or item.chosen]
            more = [item for item in choices if item not in first]
            if len(more) == 1:
                first, more = choices, []
            found.append(Facet(KEYS[name], title, tuple(first), tuple(more)))
    return found


def _dimensions(query: ThingQuery) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        ("kind", _("Kind"), query.kinds),
        ("observed", _("What is measured"), query.observed),
        ("district", _("District"), query.districts),
        ("state", _("State"), query.states),
        ("operator", _("Operator"), query.operators),
    ]


def value_title(facet: str, value: str) -> str:
    if facet == "kind":
        return str(kinds.kind(value).title)
    if facet == "state" and value in things.STATES:
        return wording.state_title(value)
    return value


def chips(query: ThingQuery) -> list[tuple[str, str, str]]:
    """What is chosen, as (key in the address, value, title), each to be taken back by itself."""
    found = [("q", query.words, f"„{query.words}“")] if query.words else []
    for name, _title, chosen in _dimensions(query):
        found += [(KEYS[name], value, value_title(name, value)) for value in chosen]
    return found


def page_numbers(page: int, pages: int) -> list[int | None]:
    """Page numbers to show: the ends and the neighbours; None is a gap. Empty when there is one page."""
    if pages == 1:
        return []
    wanted = sorted({1, pages, *range(max(1, page - 1), min(pages, page + 1) + 1)})
    found: list[int | None] = []
    for number in wanted:
        if found and isinstance(found[-1], int) and number - found[-1] > 1:
            found.append(None)
        found.append(number)
    return found


@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """`/messstellen.csv`: all rows of exactly this search, in this order; UTF-8 with a mark, so that Excel reads it."""
    query = replace(query_of(request), limit=EXPORT_LIMIT)
    found = things.search(core(), reader=reader_of(request), query=query)
    response = StreamingHttpResponse(_csv(found, request), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="messstellen.csv"'
    return response


def _csv(found: things.ThingList, request: HttpRequest) -> Iterator[bytes]:
    out = StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(
        ["id", "name", "kind", "district", "operator", "state", "longitude", "latitude", "observed_property", "unit",
         "value", "time", "page"]
    )  # fmt: skip
    yield b"\xef\xbb\xbf"
    for row in found.rows:
        page = request.build_absolute_uri(f"/messstellen/{row.id}/")
        start: list[object] = [row.id, row.name, row.kind, row.district, row.operator, row.state, row.lon, row.lat]
        for stream in row.streams or (None,):
            now = (
                [stream.property_name, stream.unit, stream.value, stream.time and stream.time.isoformat()]
                if stream
                else [""] * 4
            )
            writer.writerow([_cell(value) for value in [*start, *now, page]])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def _cell(value: object) -> object:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
