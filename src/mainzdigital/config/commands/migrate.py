"""`mainzdigital migrate`: the tables as this version needs them."""

import os
import time

import click

from mainzdigital.config import log
from mainzdigital.config.commands import city_settings
from mainzdigital.config.database import database_at_hand, require
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option


@click.command(epilog=EPILOG)
@json_option
def command(*, as_json: bool) -> None:
    """Bring the database to the tables of this version; does nothing where they are there."""
    settings = city_settings()
    report = Report(as_json=as_json)
    if os.environ.get(log.SUPERVISED):
        # The supervisor holds the database's lock, and tells the outcome itself.
        from mainzdigital.config.migrating import migrate

        log.configure("migrate")
        migrate(report)
        return
    started = time.monotonic()
    with database_at_hand(settings) as dsn:
        require(dsn)
        from mainzdigital.config.migrating import migrate

        applied = migrate(report)
    seconds = time.monotonic() - started
    report.result(f"{applied} migrations applied in {seconds:.1f} s", applied=applied, seconds=round(seconds, 1))
