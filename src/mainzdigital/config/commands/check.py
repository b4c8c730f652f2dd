"""`mainzdigital check`: what is wrong, and what to do."""

import sys

import click

from mainzdigital.config.commands import city_settings
from mainzdigital.config.exits import EPILOG, Exit
from mainzdigital.config.report import Report, json_option

_MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "error": ("✗", "red")}


@click.command(epilog=EPILOG)
@json_option
def command(*, as_json: bool) -> None:
    """Look at settings, disk, rights, port, database, sources and modules; exit code 1 if something is wrong."""
    from mainzdigital.config.checks import Finding, findings
    from mainzdigital.kernel.errors import CityError

    report = Report(as_json=as_json)
    wrong = 0

    def tell(found: Finding) -> None:
        nonlocal wrong
        wrong += found.level == "error"
        if as_json:
            fields = {"level": found.level, "subject": found.subject, "remedy": found.remedy}
            report.say(found.message, **fields)
            return
        mark, colour = _MARKS[found.level]
        click.echo(f"{click.style(mark, fg=colour)} {found.subject}: {found.message}")
        if found.remedy:
            click.echo(f"    → {found.remedy}")

    try:
        settings = city_settings()
    except CityError as error:
        tell(Finding("error", error.where or "settings", error.message, error.remedy))
    else:
        for found in findings(settings):
            tell(found)
    text = "nothing stands in the way" if not wrong else f"{wrong} things to put right"
    report.result(text, errors=wrong)
    sys.exit(Exit.FAILURE if wrong else Exit.OK)
