"""`mainzdigital upgrade`: a city of an earlier version brought to this one."""

import os
import shutil
import time
from pathlib import Path

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option
from mainzdigital.config.settings import Settings


@click.command(epilog=EPILOG)
@click.option(
    "--programs", type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the programs of the PostgreSQL that made the embedded database; searched for without it.",
)  # fmt: skip
@click.option("--remove-old", is_flag=True, help="Remove the database of the former PostgreSQL after success.")
@json_option
def command(*, programs: Path | None, remove_old: bool, as_json: bool) -> None:
    """Bring database and tables to this version of the program; the city must be stopped. Take a backup before.

    An embedded database of an earlier PostgreSQL is copied into a new one and compared by checksums; the former folder
    is kept. Then the tables are brought to what this version needs, as `run` does at its start, too.
    """
    os.umask(0o077)
    settings = city_settings()
    report = Report(as_json=as_json)
    started = time.monotonic()
    former = _database(settings, programs, report=report)
    from mainzdigital.config.database import database_at_hand
    from mainzdigital.config.migrating import migrate

    with database_at_hand(settings):
        applied = migrate(report)
    lines = [f"{applied} migrations applied, {time.monotonic() - started:.1f} s"]
    kept = settings.home / f"postgres.{former}" if former else None
    if kept is not None:
        lines.insert(0, f"the database was made by PostgreSQL {former} and is brought to the present one")
        if remove_old:
            shutil.rmtree(kept)
            kept = None
        else:
            lines.append(
                f"the former one is kept in {kept}, settings of its postgresql.conf too; remove it when all is well"
            )
    report.result("\n".join(lines), former=former, applied=applied, kept=str(kept) if kept else None)


def _database(settings: Settings, programs: Path | None, *, report: Report) -> int | None:
    from mainzdigital.config import copying, home
    from mainzdigital.config.database import MOMENT

    home.prepare(settings.home)
    if not settings.embedded:
        return None
    with home.Lock(settings.home, "city", "upgrade"):
        lock = home.Lock(settings.home, "database", MOMENT)
        lock.acquire(wait=30)
        try:
            return copying.upgrade_cluster(settings, programs=programs, report=report)
        finally:
            lock.release()
