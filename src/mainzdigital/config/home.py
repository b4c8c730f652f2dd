"""The folder of all state: made private, checked for rights and room, and locked by the one process that runs it."""

import fcntl
import json
import os
import shutil
import stat
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from mainzdigital.config.exits import AlreadyRunning, Misplaced, explain

NEEDED_BYTES = 300_000_000  # initdb takes 40 MB, the write-ahead log fills up before it is recycled
_FOLDERS = ("run", "log", "media", "outbox")


def prepare(home: Path) -> None:
    """Make the home folder and those in it, readable by this user only; raises Misplaced."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in _FOLDERS:
            (home / name).mkdir(mode=0o700, exist_ok=True)
        probe = home / "run" / f".probe-{os.getpid()}"
        probe.write_bytes(b"x" * 4096)
        probe.unlink()
    except OSError as error:
        raise explain(error) or Misplaced(f"{home}: {error}") from error


def free_bytes(folder: Path) -> int:
    """Free room on the disk of the folder, or of the nearest parent that exists."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_room(home: Path) -> None:
    free = free_bytes(home)
    if free < NEEDED_BYTES:
        raise Misplaced(
            f"the disk of {home} is full: {free // 1_000_000} MB are free, {NEEDED_BYTES // 1_000_000} MB are needed",
            where=str(home),
            remedy="make room or choose another MAINZDIGITAL_HOME",
        )


def own_sockets(folder: Path) -> None:
    """Make the folder of the Unix sockets, closed to others; raises Misplaced where it is not ours."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise explain(error) or Misplaced(f"{folder}: {error}") from error
    # Below /tmp, where a long home puts it, anyone may have been first. As root the database's user owns it.
    if not stat.S_ISDIR(found.st_mode) or (os.geteuid() != 0 and found.st_uid != os.geteuid()) or found.st_mode & 0o077:
        raise Misplaced(f"{folder} belongs to someone else or is open to others", remedy="remove it")


class Lock:
    """A lock of the home folder that ends with its process, however it ends; `purpose` tells others what for."""

    def __init__(self, home: Path, name: str, purpose: str) -> None:
        self.file = home / f"{name}.lock"
        self.purpose = purpose
        self._descriptor = -1

    def acquire(self, *, wait: float = 0) -> None:
        """Take the lock, waiting up to `wait` seconds; raises AlreadyRunning."""
        try:
            self._descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise explain(error) or Misplaced(f"{self.file}: {error}") from error
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                holder = self.holder()
                os.close(self._descriptor)
                self._descriptor = -1
                raise AlreadyRunning(
                    f"the city in {self.file.parent} is already running (process {holder.get('pid', 'unknown')})",
                    remedy="stop it first, or name another folder in MAINZDIGITAL_HOME",
                ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, json.dumps({"pid": os.getpid(), "purpose": self.purpose}).encode(), 0)

    def holder(self) -> dict[str, object]:
        """What the holder wrote: `pid`, `purpose`; empty when unknown."""
        try:
            found = json.loads(self.file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.release()
