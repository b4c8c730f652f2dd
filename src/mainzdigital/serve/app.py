"""The `api` process: mounts of the data APIs, and everything else passed on to the portal."""

import logging
from collections.abc import Mapping

from mainzdigital.kernel.errors import MethodNotAllowed, NotFound, UrlTooLong
from mainzdigital.serve import compress, errors
from mainzdigital.serve.app_mounts import MOUNTS
from mainzdigital.serve.app_services import Handler, Services, opened
from mainzdigital.serve.etags import coded, matches
from mainzdigital.serve.http import (
    ASGIApp,
    Disconnected,
    Receive,
    Response,
    Scope,
    Send,
    request_of,
    send_response,
    send_stream,
)

log = logging.getLogger(__name__)

# Encoded once: they stand in every answer.
_COMMON = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    # Anybody's page may read what is open; it never gets credentials sent along.
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        b"Allow, Content-Disposition, ETag, Link, Location, Preference-Applied, Retry-After, WWW-Authenticate",
    ),
    # The same address answers differently to different readers.
    (b"vary", b"Authorization, Cookie, Accept, Accept-Encoding"),
)


def create_app(services: Services) -> ASGIApp:
    """The ASGI application over `services`."""
    mounts: dict[str, Handler] = {**MOUNTS, **services.mounts}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(services, receive, send)
        elif scope["type"] == "http":
            mount = _mount(mounts, scope["path"])
            if mount:
                await _serve(mounts[mount], services, scope, receive, send, mount=mount)
            elif services.fallback is not None:
                await services.fallback(scope, receive, send)
            else:
                refusal = NotFound("there is nothing at this address", where="path")
                await send_response(errors.render(refusal), send, head=scope["method"] == "HEAD", common=_COMMON)
        else:  # a WebSocket; nothing here speaks it
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    return app


def _mount(mounts: Mapping[str, Handler], path: str) -> str:
    return next((prefix for prefix in mounts if path == prefix or path.startswith(prefix + "/")), "")


async def _serve(
    handler: Handler, services: Services, scope: Scope, receive: Receive, send: Send, *, mount: str
) -> None:
    method = scope["method"].upper()
    try:
        request = request_of(scope, receive, client_of=services.client_of)
        request.mount, request.body_limit = mount, services.limits.body
        _require_short(scope, services.limits.url)
        if method == "OPTIONS" and "access-control-request-method" in request.headers:
            # Asked before the request itself, whose answer the page shall see, be it a refusal.
            response = _options(_PREFLIGHT)
        else:
            response = await handler(request, services)
    except Disconnected:
        return
    except MethodNotAllowed as refusal:
        # Whoever refuses a method says which ones there are, so OPTIONS needs no code of its own.
        response = _options(refusal.allow) if method == "OPTIONS" else errors.render(refusal)
    except Exception as error:  # noqa: BLE001 the edge: every failure becomes an answer
        response = errors.answer(error, method=method, path=scope["path"])
    if not any(name.lower() == "cache-control" for name in response.headers):
        response.headers["Cache-Control"] = "no-cache"
    await _negotiate(response, scope, method)
    if isinstance(response.body, bytes) or method == "HEAD":
        await send_response(response, send, head=method == "HEAD", common=_COMMON)
    else:
        await send_stream(response, receive, send, common=_COMMON)


def _require_short(scope: Scope, limit: int) -> None:
    if len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b"")) > limit:
        raise UrlTooLong(
            f"the URL is longer than {limit} bytes (limit MAINZDIGITAL_URL_LIMIT)", where="URL",
            remedy="split the request",
        )  # fmt: skip


async def _negotiate(response: Response, scope: Scope, method: str) -> None:
    """304 where the client has the answer already, else the content coding it likes best (RFC 9110, 13.2.2 and 12.5.3).

    HEAD takes the same way as GET, so that its headers are the same.
    """
    if response.status != 200 or method not in {"GET", "HEAD"}:
        return
    headers = response.headers
    known = accepted = ""
    for name, value in scope["headers"]:
        lower = name.lower()
        if lower == b"if-none-match":
            known = f"{known}, {value.decode('latin-1')}" if known else value.decode("latin-1")
        elif lower == b"accept-encoding":
            accepted = f"{accepted}, {value.decode('latin-1')}" if accepted else value.decode("latin-1")
    tag, coding = headers.get("ETag", ""), compress.chosen(accepted) if accepted else ""
    if coding:
        kind = response.content_type or next((v for n, v in headers.items() if n.lower() == "content-type"), "")
        small = isinstance(response.body, bytes) and len(response.body) < compress.LEAST
        if small or not compress.compressible(kind):
            coding = ""
    if coding and tag:
        headers["ETag"] = coded(tag, coding)
    if known and tag and matches(known, tag, weak=True):
        response.status, response.body = 304, b""
    elif coding:
        headers["Content-Encoding"] = coding
        if isinstance(response.body, bytes):
            response.body = await compress.compress(response.body, coding)
        else:
            response.body = compress.compress_stream(response.body, coding)


_PREFLIGHT = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")
# What browsers let through unasked needs no naming; what clients of the standards send does.
_REQUEST_HEADERS = (
    "Accept, Authorization, Content-Encoding, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, "
    "OData-MaxVersion, OData-Version, Prefer"
)


def _options(allowed: tuple[str, ...]) -> Response:
    methods = ", ".join(dict.fromkeys((*allowed, "OPTIONS")))
    return Response(
        204,
        headers={
            "Allow": methods,
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": _REQUEST_HEADERS,
            "Access-Control-Max-Age": "3600",
        },
    )


async def _lifespan(services: Services, receive: Receive, send: Send) -> None:
    await receive()
    try:
        async with opened(services):
            await send({"type": "lifespan.startup.complete"})
            await receive()
    except Exception as error:
        log.exception("the api could not start or stop")
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})


__all__ = ["Handler", "Services", "create_app", "opened"]
