"""The migrations of this version, read from the folders: processes without Django know what the database must have."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def expected() -> dict[str, str]:
    """App label → name of its last migration, for our own apps (label = name of the app's folder)."""
    found: dict[str, str] = {}
    for folder in sorted(_PACKAGE.glob("**/migrations")):
        names = sorted(file.stem for file in folder.glob("[0-9]*.py"))
        if names:
            found[folder.parent.name] = names[-1]
    return found
