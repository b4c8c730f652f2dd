"""The migrations of this version, read from the folders: processes without Django know what the database must have."""

import hashlib
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import psycopg

from mainzdigital.config.settings import Settings
from mainzdigital.store.connect import connect
from mainzdigital.store.connect_state import applied_migrations

_PACKAGE = Path(__file__).resolve().parent.parent
_OTHERS = ("Django", "django-allauth", "procrastinate")  # packages that bring migrations


@cache
def shipped() -> dict[str, tuple[str, ...]]:
    """App label → names of its migrations in order, for our own apps (label = name of the app's folder)."""
    found: dict[str, tuple[str, ...]] = {}
    for folder in sorted(_PACKAGE.glob("**/migrations")):
        names = sorted(file.stem for file in folder.glob("[0-9]*.py"))
        if names:
            found[folder.parent.name] = tuple(names)
    return found


def expected() -> dict[str, str]:
    """App label → name of its last migration."""
    return {app: names[-1] for app, names in shipped().items()}


def is_current(settings: Settings) -> bool:
    """Whether the same program has migrated this database before, so that it need not look again."""
    try:
        if _mark(settings).read_text("ascii") != _fingerprint(settings):
            return False
        with connect(settings.dsn, name="migrations") as connection:
            found = applied_migrations(connection)
    except (OSError, ValueError, psycopg.Error):
        return False
    ours = {(app, name) for app, names in shipped().items() for name in names}
    return {(app, name) for app, name in found if app in shipped()} == ours


def note_current(settings: Settings) -> None:
    with suppress(OSError):
        _mark(settings).write_text(_fingerprint(settings), "ascii")


def _mark(settings: Settings) -> Path:
    return settings.home / "run" / "migrated"


def _fingerprint(settings: Settings) -> str:
    # Declarations such as roles and permissions are written to the database after migrations, so any file counts.
    told = [settings.dsn, settings.city.time_zone, *(f"{name} {version(name)}" for name in _OTHERS)]
    for file in sorted(_PACKAGE.glob("**/*.py")):
        state = file.stat()
        told.append(f"{file.relative_to(_PACKAGE)} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
