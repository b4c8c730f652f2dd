"""Finds the city modules in `apps/*/module.py`, checks them, orders them by `depends_on` and freezes the result.

A fault in a module is told at start, with the module and the remedy, never at the first click.
"""

import importlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from mainzdigital.config.settings import settings
from mainzdigital.kernel import registry
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.modules import Collection, Module

APPS = Path(__file__).resolve().parent.parent / "apps"
PACKAGE = "mainzdigital.apps"
REQUIRED_FILES = ("__init__.py", "module.py", "urls.py", "README.md", "locale/de/LC_MESSAGES/django.po")
SLUG = re.compile(r"[a-z][a-z0-9_]{1,38}[a-z0-9]")
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,62}")

Values = Mapping[str, str | int | float | bool]


@cache
def modules() -> tuple[Module, ...]:
    """The modules of this installation; the first call freezes them. Raises InvalidInput."""
    found = load(APPS, package=PACKAGE)
    registry.freeze(found, read_settings(found, settings().city.modules))
    return found


def installed_apps() -> list[str]:
    """Entries of INSTALLED_APPS, the depended-on first."""
    return [f"{PACKAGE}.{module.slug}" for module in modules()]


@cache
def collections() -> tuple[Collection, ...]:
    """The collections of all modules, from their register.py; the first call freezes them. Raises InvalidInput."""
    found = tuple(entry for module in modules() for entry in read_collections(module, package=PACKAGE))
    registry.freeze_collections(found)
    return found


def read_collections(module: Module, *, package: str) -> tuple[Collection, ...]:
    """`COLLECTIONS` of the module's register.py; their names must be those that the module declares."""
    if not module.collections:
        return ()
    found = tuple(importlib.import_module(f"{package}.{module.slug}.register").COLLECTIONS)
    names = tuple(entry.name for entry in found)
    if names != module.collections:
        raise InvalidInput(
            f"the module '{module.slug}' declares the collections {module.collections}, register.py makes {names}",
            where=module.slug,
            remedy="name the same ones, in the same order",
        )
    return found


def load(root: Path, *, package: str) -> tuple[Module, ...]:
    """Modules below `root`, importable as `package.<slug>.module`, checked and ordered."""
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
    return check([_read(folder, package=package) for folder in folders])


def _read(folder: Path, *, package: str) -> Module:
    where = f"apps/{folder.name}"
    if missing := [name for name in REQUIRED_FILES if not (folder / name).is_file()]:
        raise InvalidInput(
            f"the module '{folder.name}' lacks {', '.join(missing)}",
            where=where,
            remedy="add what is missing; `make new-module NAME=x` shows a complete module",
        )
    found = getattr(importlib.import_module(f"{package}.{folder.name}.module"), "MODULE", None)
    if not isinstance(found, Module):
        raise InvalidInput(f"{where}/module.py has no MODULE of type Module", where=where, remedy="declare MODULE")
    if found.slug != folder.name:
        raise InvalidInput(
            f"the module in {where} calls itself '{found.slug}'", where=where, remedy="slug and folder are one name"
        )
    return found


def check(found: Sequence[Module]) -> tuple[Module, ...]:
    """The modules in order of dependence; raises InvalidInput that names the first fault."""
    for module in found:
        if not SLUG.fullmatch(module.slug):
            raise InvalidInput(
                f"'{module.slug}' is not a slug",
                where=module.slug,
                remedy="3 to 40 of a-z, 0-9 and _, beginning with a letter, not ending with _",
            )
    _once("slug", (module.slug for module in found))
    for kind in ("collections", "processes", "events"):
        _once(kind, (name for module in found for name in getattr(module, kind)))
    for module in found:
        _once(f"permission of {module.slug}", (entry.codename for entry in module.permissions))
        _once(f"setting of {module.slug}", (entry.name for entry in module.settings))
        _check_permissions(module, found)
    return _ordered(found)


def _once(kind: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if not _NAME.fullmatch(name):
            raise InvalidInput(f"'{name}' is no name of a {kind}", where=name, remedy="use a-z, 0-9, '_', '.' and '-'")
        if count > 1:
            raise InvalidInput(f"'{name}' is there twice ({kind})", where=name, remedy="choose another name for one")


def _check_permissions(module: Module, found: Sequence[Module]) -> None:
    from mainzdigital.identity.roles import ROLES

    for permission in module.permissions:
        for group in permission.groups:
            if group not in ROLES:
                raise InvalidInput(
                    f"the module '{module.slug}' grants '{permission.codename}' to an unknown role '{group}'",
                    where=module.slug,
                    remedy=f"the roles are {', '.join(ROLES)}",
                )
    known = {f"{entry.slug}.{permission.codename}" for entry in found for permission in entry.permissions}
    for link in module.navigation:
        if link.permission and link.permission not in known:
            raise InvalidInput(
                f"the link '{link.title}' of '{module.slug}' asks for an unknown permission '{link.permission}'",
                where=module.slug,
                remedy="declare it in a module's permissions, and write it as slug.codename",
            )


def _ordered(found: Sequence[Module]) -> tuple[Module, ...]:
    by_slug = {module.slug: module for module in found}
    for module in found:
        for other in module.depends_on:
            if other not in by_slug:
                raise InvalidInput(
                    f"the module '{module.slug}' depends on '{other}', which is not there",
                    where=module.slug,
                    remedy="install it, or remove it from depends_on",
                )
    graph = {module.slug: sorted(module.depends_on) for module in sorted(found, key=lambda module: module.slug)}
    try:
        return tuple(by_slug[slug] for slug in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise InvalidInput(
            f"modules depend on each other in a circle: {' → '.join(error.args[1])}",
            where=error.args[1][0],
            remedy="take the shared part into a third module or a block",
        ) from None


def read_settings(
    found: Sequence[Module], given: Mapping[str, Values]
) -> dict[str, dict[str, str | int | float | bool]]:
    """Value of every declared setting: given in city.toml under [modules.<slug>], else its default."""
    by_slug = {module.slug: module for module in found}
    for slug in given:
        if slug not in by_slug:
            raise InvalidInput(
                f"city.toml sets up a module '{slug}' that is not there",
                where=f"modules.{slug}",
                remedy=f"the modules are {', '.join(sorted(by_slug))}",
            )
    return {module.slug: _read_settings(module, given.get(module.slug, {})) for module in found}


def _read_settings(module: Module, given: Values) -> dict[str, str | int | float | bool]:
    values = {setting.name: setting.default for setting in module.settings}
    for name, value in given.items():
        where = f"modules.{module.slug}.{name}"
        if name not in values:
            raise InvalidInput(
                f"the module '{module.slug}' has no setting '{name}'",
                where=where,
                remedy=f"its settings are: {', '.join(sorted(values)) or 'none'}",
            )
        kind = type(values[name])
        if kind is float and type(value) is int:
            value = float(value)  # noqa: PLW2901
        if type(value) is not kind:
            raise InvalidInput(f"{where} is not of type {kind.__name__}", where=where, remedy="correct it in city.toml")
        values[name] = value
    return values
