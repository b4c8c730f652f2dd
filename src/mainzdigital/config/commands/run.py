"""`mainzdigital run`: the whole city in one command."""

import asyncio
import os
import signal

import click

from mainzdigital.config import database, home, log, mortal, port
from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.open_write import enter_open_write
from mainzdigital.config.settings import Settings


@click.command(epilog=EPILOG)
@click.option("--open-write", is_flag=True, help="An empty city of its own where anyone may write; loopback only.")
@click.option("--json", "as_json", is_flag=True, help="The log as one JSON object per line.")
def command(*, open_write: bool, as_json: bool) -> None:
    """Run the city: database, data APIs, pages, ingest and jobs, until Ctrl-C."""
    os.umask(0o077)
    if open_write:
        enter_open_write(os.environ)
    settings = city_settings()
    home.prepare(settings.home)
    with home.Lock(settings.home, "city", database.RUN):
        _run(settings, as_json=as_json)


def _run(settings: Settings, *, as_json: bool) -> None:
    log.configure("run", as_json=as_json, folder=settings.home / "log")
    children = settings.home / "run" / "children.json"
    # What a killed supervisor left holds the port and the sockets.
    left = [process for name, process in mortal.left_over(children) if name != "database"]
    mortal.stop(left, by=signal.SIGTERM, seconds=5)
    port.require_free(settings.host, settings.port)
    home.check_room(settings.home)
    lock = home.Lock(settings.home, "database", database.RUN)
    if settings.embedded:
        from mainzdigital.config import embedded

        lock.acquire(wait=30)  # a `key create` may have started the database for the moment
        cluster = database.cluster_of(settings)
        database.stop_left_over(cluster)
        embedded.initialise(cluster)
    else:
        home.own_sockets(settings.socket_folder)
    settings.web_socket.unlink(missing_ok=True)
    from mainzdigital.config.supervise import Supervisor

    try:
        asyncio.run(Supervisor(settings).run())
    finally:
        lock.release()
        children.unlink(missing_ok=True)
