"""`mainzdigital demo`: the city of Mainz with simulated measurements, prepared once and run in the foreground."""

import os
import time
from pathlib import Path

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option
from mainzdigital.config.settings import Settings, settings
from mainzdigital.kernel.errors import InvalidInput

_FOLDER = click.Path(path_type=Path)


@click.command(epilog=EPILOG)
@click.option("--data", type=_FOLDER, help="A folder of real files; those of known form are imported.")
@click.option("--no-backfill", is_flag=True, help="Begin now, without a year of simulated values.")
@click.option("--prepare-only", is_flag=True, help="Prepare the city and do not run it.")
@json_option
def command(*, data: Path | None, no_backfill: bool, prepare_only: bool, as_json: bool) -> None:
    """Bring up the demo city Mainz: all its measurements are simulated, unless --data brings real ones."""
    os.umask(0o077)
    os.environ.setdefault("MAINZDIGITAL_STAFF_TWO_FACTOR", "0")
    report = Report(as_json=as_json)
    city = city_settings()
    folder = _folder(data)
    accounts = _prepare(city, folder, report=report, backfill=not no_backfill)
    settings.cache_clear()  # the home may have its own city.toml now
    report.result(_welcome(city, accounts), address=city.origin, accounts=accounts)
    if prepare_only:
        return
    from mainzdigital.config.commands import run

    assert run.command.callback is not None
    run.command.callback(open_write=False, as_json=as_json)


def _folder(data: Path | None) -> Path | None:
    if data is None or str(data) in ("", "."):
        return None
    if not data.is_dir():
        raise InvalidInput(f"there is no folder {data}", where="DATA", remedy="name the folder of the real files")
    return data.resolve()


def _prepare(city: Settings, data: Path | None, *, report: Report, backfill: bool) -> dict[str, str]:
    """What is missing, step by step; a second start finds nothing to do and does not even open the database."""
    from mainzdigital.config.demo import prepare
    from mainzdigital.config.demo.feed import FOLDER
    from mainzdigital.connect.simulator.plan import load_plan

    plan = load_plan(FOLDER)
    marks = prepare.Marks.read(city.home)
    if prepare.is_prepared(marks, plan, data):
        return marks.accounts
    from mainzdigital.config.database import database_at_hand

    begun = time.monotonic()
    with database_at_hand(city) as dsn:
        _migrate(report)
        prepare.furnish_city(dsn, plan, report=report, backfill=backfill)
        if data is not None and str(data) not in marks.data:
            prepare.take_boundary(city, data, report=report)
            prepare.import_folder(dsn, city, data, report=report)
            marks.data.append(str(data))
        from mainzdigital.config.demo.accounts import ensure_accounts

        marks.accounts = ensure_accounts(marks.accounts)
        marks.plan, marks.filled = plan.sha256, True
        marks.save(city.home)
    report.say(f"the city was prepared in {time.monotonic() - begun:.0f} s")
    return marks.accounts


def _migrate(report: Report) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mainzdigital.config.django")
    import django

    django.setup()
    from mainzdigital.config.migrating import migrate

    migrate(report)


def _welcome(city: Settings, accounts: dict[str, str]) -> str:
    lines = [f"{city.city.platform}: {city.origin}", "All measurements of the demo city are simulated and say so."]
    lines += [f"  {name:18} {password}" for name, password in accounts.items()]
    return "\n".join(lines)
