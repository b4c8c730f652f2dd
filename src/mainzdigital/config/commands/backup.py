"""`mainzdigital backup`: the whole city in one file."""

import os
import time
from pathlib import Path

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Compare the backup FILE with its checksums; no city is touched.")
@json_option
def command(*, file: Path, verify: bool, as_json: bool) -> None:
    """Write database, uploaded files, city.toml and signing key to FILE; the city may run meanwhile.

    Everything is of one moment: what was acknowledged before the backup began is in it. FILE opens the city to whoever
    reads it (accounts, personal data, signing key): it is made readable by you only, keep it so.
    """
    os.umask(0o077)
    report = Report(as_json=as_json)
    started = time.monotonic()
    path = file.absolute()
    if verify:
        from mainzdigital.config import archive

        with archive.reading(path) as backup:
            manifest = backup.manifest
            with report.progress("Checking", total=sum(one.bytes for one in manifest.members.values())) as advance:
                backup.verify(advance)
        said = f"{path} is whole"
    else:
        from mainzdigital.config.backup import back_up
        from mainzdigital.config.database import database_at_hand

        settings = city_settings()
        with database_at_hand(settings) as dsn:
            manifest = back_up(settings, dsn, path, report=report)
        said = f"{path} is written"
    content = manifest.database
    seconds, size = time.monotonic() - started, path.stat().st_size
    report.result(
        f"{said}: {manifest.city} of {manifest.taken}, {content.rows} rows in {len(content.tables)} tables,"
        f" {len(manifest.members) - 1} files, {size / 1e6:.1f} MB, {seconds:.1f} s",
        file=str(path), city=manifest.city, taken=manifest.taken, rows=content.rows, tables=len(content.tables),
        files=len(manifest.members) - 1, bytes=size, seconds=round(seconds, 1), program=manifest.program,
    )  # fmt: skip
