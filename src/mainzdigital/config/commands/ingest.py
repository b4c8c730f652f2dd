"""`mainzdigital ingest`: sources that are polled, watched or simulated."""

import os
import signal
import threading

import click

from mainzdigital.config import log, mortal
from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG


@click.command(epilog=EPILOG)
def command() -> None:
    """Read the city's sources: each is read by one process, however many there are."""
    log.configure("ingest")
    if supervisor := os.environ.get(log.SUPERVISED):
        mortal.die_with(int(supervisor))
    settings = city_settings()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    from mainzdigital.config.feeds import Host, registered

    host = Host(registered(settings), dsn=settings.dsn, status_file=settings.home / "run" / "feeds.json")
    log.tell_ready()
    host.run(stop)
