"""The command line. A file here is a command: its `command` is imported when it is called, never before."""

import importlib
import json
import os
import pkgutil
import sys
from typing import NoReturn

import click

from mainzdigital.config.exits import EPILOG, Exit, Misplaced, exit_code, explain
from mainzdigital.config.settings import Settings, settings
from mainzdigital.kernel.errors import CityError

# Commands that need Django load it themselves.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mainzdigital.config.django")

# A word of Python cannot name a file of it.
_FILES = {"import": "importing", "new-module": "new_module"}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        names = {name: shown for shown, name in _FILES.items()}
        return sorted(names.get(found.name, found.name) for found in pkgutil.iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"{__name__}.{_FILES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        command.epilog = command.epilog or EPILOG
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CityError as error:
            refuse(error)
        except OSError as error:
            known = explain(error)
            if known is None:
                raise
            refuse(known)
        except KeyboardInterrupt:
            sys.exit(Exit.INTERRUPTED)


@click.command(cls=_Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mainzdigital", message="%(version)s")
def cli() -> None:
    """The digital city platform: one command runs a city."""


def refuse(error: CityError) -> NoReturn:
    """Say in one sentence what stands in the way and what to do, and leave with the exit code of the error."""
    code = exit_code(error)
    if "--json" in sys.argv:
        fields = {"error": error.message, "where": error.where, "remedy": error.remedy, "exit": int(code)}
        click.echo(json.dumps({name: value for name, value in fields.items() if value != ""}, ensure_ascii=False))
    else:
        click.echo(f"mainzdigital: {error.message}" + (f"; {error.remedy}" if error.remedy else ""), err=True)
    sys.exit(code)


def city_settings() -> Settings:
    """The settings, or the sentence that says which of them is wrong."""
    try:
        return settings()
    except CityError as error:
        raise Misplaced(error.message, where=error.where, remedy=error.remedy) from None
