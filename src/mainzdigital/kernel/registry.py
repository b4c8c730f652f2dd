"""The frozen list of modules. config fills it once at start; everything below reads it, nobody changes it."""

from collections.abc import Mapping
from types import MappingProxyType

from mainzdigital.kernel.modules import Collection, Link, Module

_modules: tuple[Module, ...] | None = None
_collections: tuple[Collection, ...] | None = None
_settings: Mapping[str, Mapping[str, str | int | float | bool]] = {}


def freeze(modules: tuple[Module, ...], settings: Mapping[str, Mapping[str, str | int | float | bool]]) -> None:
    """Set modules (ordered by depends_on) and the value of each of their settings; a second call is a bug."""
    global _modules, _settings  # noqa: PLW0603  # the one place where start-up hands down what it found
    if _modules is not None:
        raise RuntimeError("the module registry is frozen")
    _modules = modules
    _settings = MappingProxyType({slug: MappingProxyType(dict(values)) for slug, values in settings.items()})


def modules() -> tuple[Module, ...]:
    """All modules, those a module depends on before it."""
    if _modules is None:
        raise RuntimeError("the module registry is not filled yet; config does it at start")
    return _modules


def freeze_collections(collections: tuple[Collection, ...]) -> None:
    """Set the collections of all modules; a second call is a bug."""
    global _collections  # noqa: PLW0603
    if _collections is not None:
        raise RuntimeError("the collections registry is frozen")
    _collections = collections


def collections() -> tuple[Collection, ...]:
    """All collections, in the modules' order."""
    if _collections is None:
        raise RuntimeError("the collections registry is not filled yet; config does it at start")
    return _collections


def module(slug: str) -> Module:
    """The module of this slug; KeyError where there is none."""
    for found in modules():
        if found.slug == slug:
            return found
    raise KeyError(slug)


def setting(slug: str, name: str) -> str | int | float | bool:
    """Value of a module's setting: from city.toml, else the declared default."""
    modules()
    return _settings[slug][name]


def links(area: str) -> tuple[Link, ...]:
    """Navigation entries of all modules in one area, in order."""
    found = [link for entry in modules() for link in entry.navigation if link.area == area]
    return tuple(sorted(found, key=lambda link: (link.order, link.title)))
