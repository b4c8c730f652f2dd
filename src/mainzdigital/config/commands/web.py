"""`mainzdigital web`: the pages."""

import os

import click

from mainzdigital.config import home, log, mortal
from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG


@click.command(epilog=EPILOG)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes of one thread; MAINZDIGITAL_WEB_WORKERS.")
def command(*, workers: int | None) -> None:
    """Serve portal, module pages and administration on the Unix socket that `api` passes to."""
    log.configure("web")
    if supervisor := os.environ.get(log.SUPERVISED):
        mortal.die_with(int(supervisor))
    settings = city_settings()
    home.prepare(settings.home)
    home.own_sockets(settings.socket_folder)
    from mainzdigital.config.serving import serve_web

    serve_web(settings, workers=workers or settings.web_workers)
