"""Reference documents made from the code: settings, city.toml, commands. `tools.documents` writes and checks them."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args

import click
import msgspec

from mainzdigital.config import accounts, limits, settings
from mainzdigital.config.city import FIELDS, City
from mainzdigital.config.exits import MEANING

_MADE = "<!-- Made from the code by `python -m tools.documents update`. -->\n"


def documents() -> dict[str, str]:
    """File name below docs/reference → text."""
    return {
        "settings.md": settings_document(), "city.md": city_document(), "commands.md": commands_document(),
        "limits.md": limits_document(),
    }  # fmt: skip


def environment() -> dict[str, str]:
    """Every variable of the environment that changes what a process does."""
    return settings.ENVIRONMENT | accounts.ENVIRONMENT


def settings_document() -> str:
    lines = [
        "# Settings",
        "",
        _MADE,
        "Settings come from the environment; the city itself is described in [city.toml](city.md).",
        "",
        "| variable | meaning |",
        "|---|---|",
        *(f"| `{name}` | {_cell(meaning)} |" for name, meaning in environment().items()),
        "",
    ]
    return "\n".join(lines)


def limits_document() -> str:
    lines = [
        "# Limits",
        "",
        _MADE,
        "Nobody's request may cost so much that others notice. A refusal names the limit and its setting.",
        "",
        "| setting | of what | default | range | beyond it |",
        "|---|---|---|---|---|",
        *(
            f"| `{item.setting}` | {_cell(item.meaning)} | {item.default} | {item.least} to {item.most} "
            f"| {_cell(item.beyond)} |"
            for item in limits.LIMITS.values()
        ),
        "",
        "These stand fixed:",
        "",
        "| of what | limit | beyond it |",
        "|---|---|---|",
        *(f"| {_cell(what)} | {most} | {_cell(beyond)} |" for what, most, beyond in limits.fixed()),
        "",
    ]
    return "\n".join(lines)


def city_fields(struct: Any = City, prefix: str = "") -> Iterator[tuple[str, str, bool]]:
    """Fields of city.toml with dots between table and key: path, type, whether it is required."""
    for field in msgspec.structs.fields(struct):
        path = prefix + field.encode_name
        inner = next((kind for kind in (field.type, *get_args(field.type)) if _is_struct(kind)), None)
        if inner is None or inner is not field.type:
            yield path, _type(field.type), field.required
        if inner is not None:
            yield from city_fields(inner, f"{path}.")


def city_document() -> str:
    lines = [
        "# city.toml",
        "",
        _MADE,
        "The city's file: `city.toml` in the home folder, or the file that `MAINZDIGITAL_CITY` names. Another city",
        "needs another file and no code. A mistake is told with the name of its field, and the city does not start.",
        "",
        "| field | type | required | meaning |",
        "|---|---|---|---|",
        *(
            f"| `{path}` | {kind} | {'yes' if required else ''} | {_cell(FIELDS[path])} |"
            for path, kind, required in city_fields()
        ),
        "",
    ]
    return "\n".join(lines)


def commands_document() -> str:
    from mainzdigital.config.commands import cli

    lines = ["# Commands", "", _MADE, "`mainzdigital COMMAND --help` says the same.", ""]
    lines += ["| exit code | meaning |", "|---|---|", *(f"| {code.value} | {text} |" for code, text in MEANING.items())]
    for command, path in _commands(cli, "mainzdigital"):
        context = click.Context(command, info_name=path)
        usage = " ".join((path, *command.collect_usage_pieces(context)))
        lines += ["", f"## `{usage}`", "", cleandoc(command.help or ""), ""]
        options = [record for each in command.params if (record := each.get_help_record(context))]
        if options:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| `{_cell(name)}` | {_cell(meaning)} |" for name, meaning in options]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _commands(group: click.Group, path: str) -> Iterator[tuple[click.Command, str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield command, f"{path} {name}"


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _type(kind: Any) -> str:
    names = {str: "text", float: "number", int: "number", bool: "yes or no"}
    if kind in names:
        return names[kind]
    arguments = [each for each in get_args(kind) if each is not Ellipsis]
    if arguments and _is_struct(arguments[0]):
        return "list of tables"
    if arguments and getattr(kind, "__origin__", None) is tuple:
        return f"list of {names[arguments[0]]}s" if Ellipsis in get_args(kind) else f"{len(arguments)} numbers"
    return "table"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
