"""The `api` process: mounts of the data APIs, and everything else passed on to the portal."""

import logging
from collections.abc import Mapping

from mainzdigital.kernel.errors import MethodNotAllowed, NotFound
from mainzdigital.serve import errors
from mainzdigital.serve.app_mounts import MOUNTS
from mainzdigital.serve.app_services import Handler, Services, opened
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
    (b"access-control-expose-headers", b"ETag, Location, Retry-After, Allow"),
    # The same address answers differently to different readers.
    (b"vary", b"Authorization, Cookie, Accept"),
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
        request.mount = mount
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
    if isinstance(response.body, bytes) or method == "HEAD":
        await send_response(response, send, head=method == "HEAD", common=_COMMON)
    else:
        await send_stream(response, receive, send, common=_COMMON)


def _options(allowed: tuple[str, ...]) -> Response:
    methods = ", ".join(dict.fromkeys((*allowed, "OPTIONS")))
    readable = ", ".join(name for name in allowed if name in {"GET", "HEAD"})
    return Response(
        204,
        headers={
            "Allow": methods,
            "Access-Control-Allow-Methods": readable,
            "Access-Control-Allow-Headers": "Accept, Content-Type, If-None-Match",
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
