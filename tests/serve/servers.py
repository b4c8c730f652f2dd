"""Real server processes over the test database, and keys to them."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from mainzdigital.identity.tokens import new_key
from mainzdigital.kernel.access import Scope


@dataclass(frozen=True, slots=True)
class Running:
    """A server: `origin` like http://127.0.0.1:4711, and the file its log goes to."""

    origin: str
    log: Path

    @property
    def sensorthings(self) -> str:
        return f"{self.origin}/sensorthings/v1.1"


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextlib.contextmanager
def running(dsn: str, folder: Path, *options: str) -> Iterator[Running]:
    """Start a server process and stop it at the end."""
    port = free_port()
    server = Running(f"http://127.0.0.1:{port}", folder / f"server-{port}.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.serve.process", dsn, str(port), *options],
            cwd=Path(__file__).resolve().parents[2], stdout=log, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": "src"},
        )  # fmt: skip
    try:
        _await_answer(process, server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _await_answer(process: "subprocess.Popen[bytes]", server: Running) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.sensorthings}/Things", timeout=5).status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start:\n{server.log.read_text()}")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Keys:
    read: str
    write: str
    manage: str


def add_key(conn: psycopg.Connection, scope: Scope) -> str:
    """A key in force, in plain text."""
    plain, digest = new_key()
    conn.execute(
        "INSERT INTO api_key (digest, prefix, name, scope) VALUES (%s, %s, %s, %s)",
        (digest, plain[:10], f"test {secrets.token_hex(3)}", scope.value),
    )
    return plain


def client(server: Running, key: str | None = None) -> httpx.Client:
    """A client at the SensorThings root; `key` goes with every request."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=server.sensorthings + "/", headers=headers, timeout=30)
