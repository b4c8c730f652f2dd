"""The data APIs by their place below the origin."""

from collections.abc import Mapping

from mainzdigital.kernel.errors import InvalidInput, MethodNotAllowed, NotFound
from mainzdigital.serve import events, openapi, sensorthings, series
from mainzdigital.serve.app_services import Handler, Services
from mainzdigital.serve.http import JSON_TYPE, Request, Response, require_accept

SERIES = "/series/v1"
EVENTS = "/events/v1"


async def handle_series(request: Request, services: Services) -> Response:
    """Values of datastreams over time, as JSON, CSV, Parquet or Arrow."""
    _require_get(request)
    reader = await services.authenticator.reader(request)
    headers, body = await series.answer(
        request.query, request.headers.get("accept", ""), pool=services.readers, reader=reader, zone=services.zone
    )
    return Response(200, body, headers=_cached_by(reader.subject, headers))


async def handle_events(request: Request, services: Services) -> Response:
    """The newest observations as server-sent events."""
    _require_get(request)
    reader = await services.authenticator.reader(request)
    last = request.headers.get("last-event-id", "")
    stream = await services.feed.events(request.query, last_event_id=last, reader=reader)
    return Response(200, stream, headers=dict(events.HEADERS))


async def handle_openapi(request: Request, services: Services) -> Response:
    """The OpenAPI document of what this process answers."""
    _require_get(request)
    require_accept(request, JSON_TYPE)
    await services.authenticator.reader(request)
    if request.query:
        raise InvalidInput("query options do not apply here", where="query", remedy="leave them out")
    mounted = frozenset({*MOUNTS, *services.mounts})
    body, tag = openapi.encoded(services.origin, services.limits, mounted, open_write=services.open_write)
    return Response(200, body, JSON_TYPE, {"ETag": tag})


MOUNTS: Mapping[str, Handler] = {
    sensorthings.MOUNT: sensorthings.handle, SERIES: handle_series, EVENTS: handle_events,
    openapi.PATH: handle_openapi,
}  # fmt: skip


def _require_get(request: Request) -> None:
    if request.path.removeprefix(request.mount).strip("/"):
        raise NotFound("there is nothing at this address", where="path", remedy=f"use {request.mount}")
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed(
            f"{request.method[:20]} is not offered here", allow=("GET", "HEAD"), where="method", remedy="use GET"
        )


def _cached_by(subject: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {"cache-control": "no-cache" if subject == "anonymous" else "private, no-cache", **headers}
