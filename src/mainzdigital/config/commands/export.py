"""`mainzdigital export`: data of the city into files."""

from dataclasses import asdict
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG
from mainzdigital.config.report import Report, json_option
from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.kernel.time import parse_instant


@click.group(epilog=EPILOG)
def command() -> None:
    """Write data of the city into files."""


@command.command("observations", epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--datastream", "datastreams", type=int, multiple=True, help="Id of a Datastream; again for more.")
@click.option("--from", "start", default="", help="First day or date-time, as 2024-01-01 or 2024-01-01T00:00:00Z.")
@click.option("--to", "end", default="", help="Last day (included) or date-time (not included).")
@click.option(
    "--access", "access", type=click.Choice([item.value for item in AccessClass]), multiple=True,
    help="Access class that the file may hold; again for more. Default: open.",
)  # fmt: skip
@json_option
def observations(
    *, file: Path, datastreams: tuple[int, ...], start: str, end: str, access: tuple[str, ...], as_json: bool
) -> None:
    """Write observations into FILE, a Parquet file ordered by datastream and time; `mainzdigital import` reads it.

    Without --datastream all that is of the access classes is written, and the rest left out.
    """
    if file.suffix.lower() != ".parquet":
        raise InvalidInput(f"{file} is not named .parquet", where="FILE", remedy="name it FILE.parquet")
    if file.is_dir():
        raise InvalidInput(f"{file} is a folder", where="FILE", remedy="name a file")
    if not file.parent.is_dir():
        raise NotFound(f"there is no folder {file.parent}", where="FILE", remedy="make it first")
    settings = city_settings()
    zone = settings.city.zone
    first, last = _moment(start, "--from", zone, whole_day=False), _moment(end, "--to", zone, whole_day=True)
    if first is not None and last is not None and first >= last:
        raise InvalidInput("--from lies behind --to", where="--from", remedy="swap them")
    from mainzdigital.config.database import database_at_hand
    from mainzdigital.connect.parquet.write import export_file
    from mainzdigital.store.connect import connect

    report = Report(as_json=as_json)
    with (
        database_at_hand(settings) as dsn,
        connect(dsn, name="export", statement_seconds=None) as connection,
        report.progress(file.name, total=None) as advance,
    ):
        done = export_file(
            connection, file, classes={AccessClass(item) for item in access or ("open",)},
            datastreams=set(datastreams) or None, start=first, end=last, advance=advance,
        )  # fmt: skip
    text = f"{file}: {done.observations:,} observations of {done.datastreams:,} datastreams, {done.bytes / 1e6:,.1f} MB"
    if done.hidden:
        text += f"; {done.hidden:,} datastreams of other access classes were left out"
    report.result(text, **asdict(done))


def _moment(text: str, where: str, zone: ZoneInfo, *, whole_day: bool) -> datetime | None:
    """A day of the city's calendar (its begin, or with `whole_day` its end), or a date-time."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day + timedelta(days=whole_day), time(), zone)
    except (ValueError, OverflowError):
        return parse_instant(text, where=where)
