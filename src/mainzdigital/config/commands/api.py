"""`mainzdigital api`: the public port."""

import os

import click

from mainzdigital.config import log, mortal, port
from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG

_DRAIN = 3.0  # seconds for requests in flight


@click.command(epilog=EPILOG)
@click.option("--share-port", is_flag=True, help="Several api processes on one port.")
def command(*, share_port: bool) -> None:
    """Serve the data APIs on the public port and pass everything else to `web`."""
    log.configure("api")
    if supervisor := os.environ.get(log.SUPERVISED):
        mortal.die_with(int(supervisor))
    settings = city_settings()
    if not share_port:
        port.require_free(settings.host, settings.port)
    import uvloop

    from mainzdigital.config.serving import serve_api

    uvloop.run(serve_api(settings, drain_seconds=_DRAIN))
