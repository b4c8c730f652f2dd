"""The data APIs alone in a process of their own: `python -m tests.serve.process <dsn> <port> [--open-write]`."""

import asyncio
import signal
import sys
from typing import Any
from zoneinfo import ZoneInfo

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from mainzdigital.serve.app import Services, create_app

SECRET_KEY = "portal-" * 8


async def serve(dsn: str, port: int, *, open_write: bool) -> None:
    services = Services(
        dsn=dsn, secret_key=SECRET_KEY, origin=f"http://127.0.0.1:{port}", zone=ZoneInfo("Europe/Berlin"),
        open_write=open_write,
    )  # fmt: skip
    server: Any = Server(
        create_app(services), address="127.0.0.1", port=port, interface=Interfaces.ASGI, websockets=False,
        http=HTTPModes.http1, log_enabled=False,
    )  # fmt: skip
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.serve()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), open_write="--open-write" in sys.argv))
