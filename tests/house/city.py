"""A city of real processes for the tests: started, watched and cleaned up."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import psutil

GENEROUS = 120.0  # seconds; nothing here measures speed, the machine may be busy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: Callable[[], object], *, seconds: float = GENEROUS, message: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not in {seconds} s: {message or what}"
        time.sleep(0.05)


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAINZDIGITAL_")}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    return kept | {"MAINZDIGITAL_HOME": str(home)} | more


def mainzdigital(
    home: Path, *arguments: str, prefix: tuple[str, ...] = (), **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    return subprocess.run(
        [*prefix, sys.executable, "-m", "mainzdigital", *arguments],
        env=environment(home, **more), capture_output=True, text=True, timeout=GENEROUS, check=False, cwd="/",
    )  # fmt: skip


class City:
    """`mainzdigital run --json` with its log as a list of records."""

    def __init__(self, home: Path, *arguments: str, prefix: tuple[str, ...] = (), **more: str) -> None:
        self.home = home
        self.port = int(more.setdefault("MAINZDIGITAL_PORT", str(free_port())))
        self.url = f"http://127.0.0.1:{self.port}"
        self.log: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "mainzdigital", "run", "--json", *arguments],
            env=environment(home, **more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(json.loads(line))

    def events(self, name: str) -> list[dict[str, Any]]:
        return [record for record in self.log if record.get("event") == name]

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.log} {self.errors()}"
            return bool(self.events("ready"))

        wait_for(ready, message=f"ready; log: {self.log[-10:]}")

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def child(self, name: str) -> psutil.Process:
        """The living child of that name, as the supervisor notes it."""
        return psutil.Process(self.pids()[name])

    def pids(self) -> Mapping[str, int]:
        noted = json.loads((self.home / "run" / "children.json").read_text())
        return {entry["name"]: entry["pid"] for entry in noted}

    def alive(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health", timeout=5).status_code == 200
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(GENEROUS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def city(home: Path, *arguments: str, prefix: tuple[str, ...] = (), **more: str) -> Iterator[City]:
    """A city that is ready."""
    found = City(home, *arguments, prefix=prefix, **more)
    try:
        found.wait_ready()
        yield found
    finally:
        found.close()
