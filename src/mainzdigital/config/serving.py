"""Granian, as the `api` and `web` processes use it: one log, a bounded drain, and an end with the supervisor."""

import asyncio
import gc
import logging
import os
import signal
from typing import Any

from mainzdigital.config import log, mortal
from mainzdigital.config.settings import Settings

_logger = logging.getLogger(__name__)

# Granian configures its own handlers; ours are on the root.
_LOGGING: dict[str, Any] = {
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "level": "WARNING", "propagate": True}},
}


async def serve_api(settings: Settings, *, drain_seconds: float) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight have `drain_seconds`, then their connections are closed."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    from mainzdigital.config.asgi import application

    # One process without a parent of its own: what kills it kills all of it, and signals reach the loop.
    logging.getLogger("_granian").setLevel(logging.ERROR)
    server = Server(
        application,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=15_000),
        backlog=2048,
        log_dictconfig=_LOGGING,
    )
    logging.getLogger("_granian").setLevel(logging.ERROR)
    stopping = asyncio.Event()
    # What is loaded stays: the collector need not look at it again. Answers are many short-lived, acyclic objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    serving = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        application.end_streams()
        server.stop()  # type: ignore[no-untyped-call]
        done, _ = await asyncio.wait({serving}, timeout=drain_seconds)
        if not done:
            _logger.warning("requests still open after %.0f s are cut off", drain_seconds)
            # Nothing acknowledged is lost: an answer goes out after its commit.
            os._exit(0)
    await serving


def load_web(_target: str) -> Any:
    """In each worker: the application, tied to the life of granian's main process."""
    if os.environ.get(log.SUPERVISED):
        mortal.die_with(os.getppid())
    from mainzdigital.config.wsgi import application

    return application


def serve_web(settings: Settings, *, workers: int) -> None:
    """Serve Django on the Unix socket (mode 0600) until SIGTERM or SIGINT."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    # Imported before the workers are forked: they share its memory.
    from mainzdigital.config.wsgi import application

    del application
    settings.web_socket.unlink(missing_ok=True)
    MPServer(
        "mainzdigital.config.wsgi:application",
        uds=settings.web_socket,
        uds_permissions=0o600,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=1,
        backpressure=1,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=3,
        log_level=LogLevels.warning,
        log_dictconfig=_LOGGING,
    ).serve(target_loader=load_web)
