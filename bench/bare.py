"""A bare ASGI application on the same server: answers every request with the bytes of one file. The limit of HTTP."""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]


def answering(body: bytes, status: int) -> Callable[..., Awaitable[None]]:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]

    async def app(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def main(file: str, status: str, port: str) -> None:
    import uvloop
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    server = Server(
        answering(Path(file).read_bytes(), int(status)), address="127.0.0.1", port=int(port),
        interface=Interfaces.ASGI, websockets=False, http=HTTPModes.http1, log_enabled=False,
    )  # fmt: skip
    uvloop.run(server.serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
