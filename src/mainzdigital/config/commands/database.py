"""`mainzdigital database`: where the city's data are."""

import os
import time

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option


@click.group(epilog=EPILOG)
def command() -> None:
    """Move the city's database to another server."""
    os.umask(0o077)


@command.command(epilog=EPILOG)
@click.argument("target")
@json_option
def move(*, target: str, as_json: bool) -> None:
    """Copy the database to TARGET, a PostgreSQL server's URL or the word `embedded`; the city must be stopped.

    TARGET must be empty. It is compared by checksums, and the database stays where it was, too: the move counts when
    you change the setting that is told at the end.
    """
    from mainzdigital.config import copying

    settings = city_settings()
    report = Report(as_json=as_json)
    started = time.monotonic()
    content = copying.move(settings, target, report=report)
    seconds = time.monotonic() - started
    shown = "" if target == copying.EMBEDDED else copying.without_password(target)
    advice = f"set MAINZDIGITAL_DATABASE_URL={shown}" if shown else "unset MAINZDIGITAL_DATABASE_URL"
    report.result(
        f"{content.rows} rows in {len(content.tables)} tables are copied, checksums equal, {seconds:.1f} s.\n"
        f"Now {advice} and start the city; its former database is untouched.",
        rows=content.rows, tables=len(content.tables), seconds=round(seconds, 1),
        setting="MAINZDIGITAL_DATABASE_URL", value=shown,
    )  # fmt: skip
