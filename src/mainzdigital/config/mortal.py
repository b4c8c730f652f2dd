"""Children that do not outlive their supervisor, and the ends of those that did."""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Ask the kernel for SIGTERM when `parent`, which started us, dies; Linux only, elsewhere the next start cleans up.

    The supervisor forks from its main thread, which lives as long as it does (the signal follows the thread).
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def remember(file: Path, children: Mapping[str, int]) -> None:
    """Note the processes of a run, so that the next start finds what a killed supervisor left."""
    noted = []
    for name, pid in children.items():
        with suppress(psutil.NoSuchProcess):
            noted.append({"name": name, "pid": pid, "created": psutil.Process(pid).create_time()})
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(noted), "utf-8")
    temporary.replace(file)


def left_over(file: Path) -> list[tuple[str, psutil.Process]]:
    """Processes of the last run that still live, with their names."""
    try:
        noted = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    found = []
    for entry in noted:
        with suppress(psutil.Error, KeyError, TypeError):
            process = psutil.Process(entry["pid"])
            # A process id is used again after a while, its time of creation is not.
            if abs(process.create_time() - entry["created"]) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                found.append((str(entry["name"]), process))
    return found


def stop(processes: Iterable[psutil.Process], *, by: signal.Signals, seconds: float) -> None:
    """Stop processes that are not our children; kills what does not go in time."""
    living = [process for process in processes if process.is_running()]
    for process in living:
        with suppress(psutil.Error):
            process.send_signal(by)
    _, living = psutil.wait_procs(living, timeout=seconds)
    for process in living:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(living, timeout=5)


def postmaster(data: Path) -> psutil.Process | None:
    """The server that postmaster.pid of this cluster names, if it lives."""
    try:
        lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
        process = psutil.Process(int(lines[0]))
        same_place = Path(process.cwd()) == Path(lines[1]).resolve()
        if same_place and "postgres" in process.name() and process.status() != psutil.STATUS_ZOMBIE:
            return process
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return None
