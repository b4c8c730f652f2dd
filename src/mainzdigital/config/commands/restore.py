"""`mainzdigital restore`: a city from its backup."""

import os
import time
from pathlib import Path

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--replace", is_flag=True, help="Delete what the city holds now; without it only an empty city is filled."
)
@click.option("--yes", is_flag=True, help="Do not ask before --replace deletes.")
@json_option
def command(*, file: Path, replace: bool, yes: bool, as_json: bool) -> None:
    """Bring the city of the backup FILE back, all of it or nothing; the city must be stopped.

    The restored tables are compared with the checksums of the backup before anything counts.
    """
    os.umask(0o077)
    from mainzdigital.config.backup import fingerprint, pending, restore

    settings = city_settings()
    report = Report(as_json=as_json)
    if replace and not yes:
        click.confirm(
            f"Everything in the city of {settings.home} is deleted and replaced by {file}. Go on?", abort=True, err=True
        )
    started = time.monotonic()
    manifest = restore(settings, file.absolute(), replace=replace, report=report)
    content, seconds = manifest.database, time.monotonic() - started
    behind = pending(content)
    key = "secret_key" in {name.removeprefix("files/") for name in manifest.members}
    if manifest.secret_key != fingerprint(settings.secret_key) and not (
        key and "MAINZDIGITAL_SECRET_KEY" not in os.environ
    ):
        report.say(
            "the signing key is another one than the backup's: everybody signs in again and sets up second factors"
            " anew; set MAINZDIGITAL_SECRET_KEY to the former key to avoid that", warning="secret_key",
        )  # fmt: skip
    told = f"; {behind} migrations are applied at the next start" if behind else ""
    report.result(
        f"{manifest.city} of {manifest.taken} is restored: {content.rows} rows in {len(content.tables)} tables,"
        f" checksums equal, {seconds:.1f} s{told}",
        city=manifest.city, taken=manifest.taken, rows=content.rows, tables=len(content.tables),
        files=len(manifest.members) - 1, pending_migrations=behind, seconds=round(seconds, 1),
    )  # fmt: skip
