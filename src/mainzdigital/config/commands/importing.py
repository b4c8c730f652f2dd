"""`mainzdigital import`: files into the city, by a declared mapping."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG, Exit
from mainzdigital.config.report import Report, json_option
from mainzdigital.connect.files.load import Report as Outcome
from mainzdigital.connect.files.mapping import Mapping, find_mapping, shipped
from mainzdigital.connect.files.recognise import recognise
from mainzdigital.connect.files.rejects import Entry
from mainzdigital.connect.files.values import Bounds
from mainzdigital.kernel.errors import InvalidInput


@click.command(epilog=EPILOG)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--mapping", "mapping_name", default="", help="Name of a mapping, or a .yaml file; else by the columns.")
@click.option("--list", "show_list", is_flag=True, help="Show the mappings that come with the platform.")
@click.option("--dry-run", is_flag=True, help="Read and check the file, write nothing.")
@click.option("--within-city", is_flag=True, help="Leave out what stands outside the city's bounds.")
@json_option
def command(
    *, files: tuple[Path, ...], mapping_name: str, show_list: bool, dry_run: bool, within_city: bool, as_json: bool
) -> None:
    """Import FILES (CSV, XLSX or Parquet). The same file twice changes nothing; an interrupted import goes on.

    A Parquet file of `mainzdigital export observations` needs no mapping: its rows go to the datastreams that have the
    same id and names, else to those that have the same names.

    Rows that cannot be taken stand with reason and remedy in a table below the home folder, in `rejects`.
    """
    report = Report(as_json=as_json)
    if show_list:
        for mapping in shipped().values():
            fields = {"name": mapping.name, "licence": mapping.licence, "columns": list(mapping.recognise)}
            report.result(f"{mapping.name:14} {mapping.title}", **fields)
        return
    if not files:
        raise InvalidInput("no file is named", where="FILES", remedy="mainzdigital import FILE --mapping NAME")
    settings = city_settings()
    _set_up_django()
    chosen: list[tuple[Path, Mapping | None]] = [(path, _mapping(path, mapping_name)) for path in files]
    within = settings.city.bounds if within_city else None
    if dry_run:
        rejected = sum([_rehearse(report, path, mapping, within) for path, mapping in chosen if mapping is not None])
        rejected += sum([_rehearse_ours(report, path) for path, mapping in chosen if mapping is None])
    else:
        from mainzdigital.config.database import database_at_hand

        with database_at_hand(settings) as dsn:
            outcomes = import_all(dsn, chosen, home=settings.home, within=within, report=report)
        rejected = sum(outcome.rejected for outcome in outcomes)
    if rejected:
        sys.exit(Exit.FAILURE)


def _set_up_django() -> None:
    """The words of the reject file come from the translations."""
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mainzdigital.config.django")
    django.setup()


def _mapping(path: Path, name: str) -> Mapping | None:
    """None for a file that `mainzdigital export` wrote."""
    if name:
        return find_mapping(name)
    from mainzdigital.connect.files import table
    from mainzdigital.connect.parquet.load import is_ours

    if is_ours(path):
        return None
    table.examine(path)  # says what is wrong with the file itself
    found = recognise(path, shipped().values())
    if found is None:
        raise InvalidInput(
            f"{path.name} fits none of the mappings", where=str(path), remedy="name one: --mapping FILE.yaml"
        )
    return found


def _rehearse(report: Report, path: Path, mapping: Mapping, within: Bounds | None) -> int:
    from mainzdigital.connect.files.load import rehearse

    outcome, problems = rehearse(path, mapping, within=within)
    _tell(report, problems)
    report.result(
        f"{path.name}: {outcome.rows:,} rows would give {outcome.written:,} values of {outcome.things_new:,} things; "
        f"{outcome.rejected:,} refused",
        **outcome.as_dict(),
    )
    return outcome.rejected


def _rehearse_ours(report: Report, path: Path) -> int:
    from mainzdigital.config.database import database_at_hand
    from mainzdigital.connect.parquet.load import import_observations
    from mainzdigital.store.connect import connect

    settings = city_settings()
    with (
        database_at_hand(settings) as dsn, connect(dsn, name="import", statement_seconds=None) as connection
    ):  # fmt: skip
        outcome, problems = import_observations(connection, path, folder=settings.home / "rejects", dry_run=True)
    _tell(report, problems)
    report.result(
        f"{path.name}: {outcome.rows:,} rows would give {outcome.written:,} values; {outcome.duplicates:,} are known, "
        f"{outcome.rejected:,} refused",
        **outcome.as_dict(),
    )
    return outcome.rejected


def _tell(report: Report, problems: list[Entry]) -> None:
    for row, problem in problems[:20]:
        reason, remedy = problem.words()
        report.say(
            f"row {row}, {problem.column or '–'} {problem.value!r}: {reason} {remedy}",
            row=row, column=problem.column, value=problem.value, reason=reason, remedy=remedy,
        )  # fmt: skip


def import_all(
    dsn: str, chosen: Sequence[tuple[Path, Mapping | None]], *, home: Path, within: Bounds | None, report: Report
) -> list[Outcome]:
    """Import files one after the other, each with a progress bar; the outcomes in the same order.

    Without a mapping a file is one that `mainzdigital export` wrote.
    """
    from mainzdigital.connect.files.load import import_file
    from mainzdigital.connect.parquet.load import import_observations
    from mainzdigital.store.connect import connect

    outcomes = []
    with connect(dsn, name="import", statement_seconds=None) as connection:
        for path, mapping in chosen:
            if mapping is None:
                with report.progress(path.name, total=None) as advance:
                    outcome, _ = import_observations(connection, path, folder=home / "rejects", advance=advance)
                report.result(_sentence(path, outcome), **outcome.as_dict())
                outcomes.append(outcome)
                continue
            size = path.stat().st_size if path.is_file() else 0
            with report.progress(path.name, total=2 * size) as advance:
                outcome = import_file(
                    connection, path, mapping, folder=home / "rejects", within=within, advance=advance
                )
            report.result(_sentence(path, outcome), **outcome.as_dict())
            outcomes.append(outcome)
    return outcomes


def _sentence(path: Path, outcome: Outcome) -> str:
    if outcome.already:
        return f"{path.name}: imported before, nothing changed"
    parts = [f"{path.name}: {outcome.rows:,} rows, {outcome.written:,} new values"]
    for count, words in (
        (outcome.things_new, "new things"),
        (outcome.things_changed, "changed things"),
        (outcome.duplicates, "values known before"),
        (outcome.replaced, "values replaced"),
        (outcome.gaps, "empty cells"),
        (outcome.outside, "outside the city"),
        (outcome.without_location, "things without a known place"),
    ):
        if count:
            parts.append(f"{count:,} {words}")
    if outcome.rejected:
        parts.append(f"{outcome.rejected:,} refused, see {outcome.rejects}")
    return ", ".join(parts)
