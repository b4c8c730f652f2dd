"""`run --open-write`: a city for conformance suites and classrooms, where anyone may write and all is open."""

from collections.abc import MutableMapping
from pathlib import Path

from mainzdigital.config.exits import Misplaced
from mainzdigital.config.settings import default_home, is_loopback

_MARK = "open-write"


def enter_open_write(environ: MutableMapping[str, str]) -> None:
    """Set the environment for an open city; raises Misplaced where it would open more than itself.

    It lives in a home of its own, `<home>/open-write`, unless one is named. A named home must be empty or have been
    open from its beginning, marked by a file: nobody opens the city's data by a flag.
    """
    if not is_loopback(environ.get("MAINZDIGITAL_HOST") or "127.0.0.1"):
        raise Misplaced(
            "an open city listens on this machine only", where="MAINZDIGITAL_HOST",
            remedy="unset MAINZDIGITAL_HOST, or start without --open-write",
        )  # fmt: skip
    if environ.get("MAINZDIGITAL_DATABASE_URL"):
        raise Misplaced(
            "an open city has a database of its own", where="MAINZDIGITAL_DATABASE_URL",
            remedy="unset MAINZDIGITAL_DATABASE_URL, or start without --open-write",
        )  # fmt: skip
    named = environ.get("MAINZDIGITAL_HOME")
    home = Path(named).expanduser().absolute() if named else default_home() / _MARK
    environ["MAINZDIGITAL_HOME"] = str(home)
    environ["MAINZDIGITAL_OPEN_WRITE"] = "1"
    mark = home / _MARK
    if (home / "postgres").exists() and not mark.exists():
        raise Misplaced(
            f"{home} holds a city that is not open", where="MAINZDIGITAL_HOME",
            remedy="name an empty folder in MAINZDIGITAL_HOME",
        )  # fmt: skip
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark.touch()
