"""The `api` process: what the data APIs need, put together. Never imports Django."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mainzdigital.config.settings import settings
from mainzdigital.serve.relay import Relay

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_settings = settings()
_relay = Relay(socket=_settings.web_socket, origin=_settings.origin, proxies=_settings.trusted_proxies)


async def application(scope: _Scope, receive: _Receive, send: _Send) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await _relay.close()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["path"] == "/health":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b'{"status":"ok"}'})
    elif scope["type"] == "http":
        await _relay(scope, receive, send)
