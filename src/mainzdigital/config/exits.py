"""Exit codes of every command, and the one sentence that goes with each."""

import errno
from enum import IntEnum

from mainzdigital.kernel.errors import CityError, InvalidInput, Unavailable


class Exit(IntEnum):
    OK = 0
    FAILURE = 1
    USAGE = 2
    ALREADY_RUNNING = 3
    ENVIRONMENT = 4
    INTERRUPTED = 130


MEANING: dict[Exit, str] = {
    Exit.OK: "done",
    Exit.FAILURE: "the command did not do all it was asked to",
    Exit.USAGE: "the command line is not understood",
    Exit.ALREADY_RUNNING: "the city of this home folder is already running",
    Exit.ENVIRONMENT: "settings, rights, disk, port, database or installation stand in the way",
    Exit.INTERRUPTED: "stopped by Ctrl-C",
}

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {text}" for code, text in MEANING.items()) + "."


class AlreadyRunning(CityError):
    """Another process holds the lock of this home folder."""

    status = 409


class Misplaced(Unavailable):
    """Something about the machine or the installation stands in the way of a start."""


_REASONS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "make room and start again"),
    errno.EDQUOT: ("the disk quota is used up", "make room and start again"),
    errno.EACCES: ("permission denied", "give this user the rights, or choose another MAINZDIGITAL_HOME"),
    errno.EPERM: ("not permitted", "give this user the rights, or choose another MAINZDIGITAL_HOME"),
    errno.EROFS: ("the disk is read-only", "choose another MAINZDIGITAL_HOME"),
    errno.ENOTDIR: ("a part of the path is not a folder", "choose another MAINZDIGITAL_HOME"),
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n)"),
    errno.ENOMEM: ("memory is used up", "stop other programs or add memory"),
}


def explain(error: OSError) -> Misplaced | None:
    """The sentence for an operating system error that an operator can do something about; None for a bug of ours."""
    if error.errno not in _REASONS:
        return None
    what, remedy = _REASONS[error.errno]
    place = error.filename if isinstance(error.filename, str) else ""
    return Misplaced(f"{place}: {what}" if place else what, where=place, remedy=remedy)


def exit_code(error: CityError) -> Exit:
    if isinstance(error, AlreadyRunning):
        return Exit.ALREADY_RUNNING
    if isinstance(error, Unavailable):
        return Exit.ENVIRONMENT
    if isinstance(error, InvalidInput):
        return Exit.USAGE
    return Exit.FAILURE
