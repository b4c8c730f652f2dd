"""`mainzdigital work`: background jobs."""

import asyncio
import os

import click

from mainzdigital.config import log, mortal
from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG


@click.command(epilog=EPILOG)
@click.option("--concurrency", type=click.IntRange(1, 32), default=2, show_default=True, help="Jobs at a time.")
def command(*, concurrency: int) -> None:
    """Run background jobs: repair of rollups, retention, delivery, and what modules put off."""
    log.configure("work")
    if supervisor := os.environ.get(log.SUPERVISED):
        mortal.die_with(int(supervisor))
    city_settings()
    from mainzdigital.config.jobs import work

    asyncio.run(work(concurrency=concurrency))
