"""The data APIs over HTTP, each beside a bare ASGI answer of the same bytes."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil

from bench.measure import Budget, Measured, measured

CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Call:
    """One request, `count` times over `connections`; `body` makes the body of each, `each` is what one counts for."""

    name: str
    target: str
    count: int
    budget: Budget | None = None
    body: Callable[[int], bytes] | None = None
    connections: int = 8
    each: int = 1

    def request(self, host: str, key: str, number: int) -> bytes:
        body = self.body(number) if self.body else b""
        method = "POST" if self.body else "GET"
        head = f"{method} {quote(self.target, safe='/?&=$(),;:@%')} HTTP/1.1\r\nhost: {host}\r\n"
        if key:
            head += f"authorization: Bearer {key}\r\n"
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"the server on port {port} did not start (exit code {process.poll()})")


@contextmanager
def running(command: list[str], port: int, environ: dict[str, str] | None = None) -> Iterator[psutil.Process]:
    process = subprocess.Popen(command, env=os.environ | (environ or {}))
    try:
        wait_for(port, process)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def api(dsn: str) -> Iterator[tuple[str, str, psutil.Process]]:
    """`mainzdigital api` over the database of the benchmark: address, key, process."""
    port = free_port()
    environ = {"MAINZDIGITAL_DATABASE_URL": dsn, "MAINZDIGITAL_PORT": str(port), "MAINZDIGITAL_HOST": "127.0.0.1"}
    program = [sys.executable, "-m", "mainzdigital"]
    made = subprocess.run(
        [*program, "key", "create", "--scope", "manage"], env=os.environ | environ, capture_output=True, check=True
    )
    with running([*program, "api"], port, environ) as process:
        yield f"http://127.0.0.1:{port}", made.stdout.decode().strip(), process


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), None)
    if length is not None:
        return int(lines[0].split()[1]), await reader.readexactly(length)
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip() or b"0", 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return int(lines[0].split()[1]), body


async def _load(address: str, requests: list[bytes], connections: int) -> bytes:
    """Send the requests over kept connections; the last body. Any other status than 2xx ends it."""
    parts = urlsplit(address)
    left = iter(requests)
    last = b""

    async def client() -> None:
        nonlocal last
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**24)
        for request in left:
            writer.write(request)
            status, last = await _answer(reader)
            if not 200 <= status < 300:
                raise SystemExit(f"{status}: {last[:500].decode(errors='replace')}")
        writer.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return last


def _requests(call: Call, host: str, key: str, first: int, count: int) -> list[bytes]:
    if call.body is None:
        return [call.request(host, key, 0)] * count
    return [call.request(host, key, first + number) for number in range(count)]


def measure(call: Call, address: str, key: str, process: psutil.Process | None) -> Measured:
    """The call against the API, then the same bytes from a bare application; CPU is the server's."""
    host = urlsplit(address).netloc
    warm = min(call.count, 20) if call.each == 1 else 2
    body = asyncio.run(_load(address, _requests(call, host, key, 0, warm), 1))
    processes = [process, *process.children(recursive=True)] if process else []
    requests = _requests(call, host, key, warm, call.count)
    items = call.count * call.each
    with measured(call.name, items, own=processes, budget=call.budget) as result:
        asyncio.run(_load(address, requests, call.connections))
    port = free_port()
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(body)
        command = [sys.executable, "-m", "bench.bare", file.name, "201" if call.body else "200", str(port)]
        with running(command, port) as bare:
            address = f"http://127.0.0.1:{port}"
            with measured(f"bare ASGI, {len(body):,} bytes", items, own=[bare]) as limit:
                asyncio.run(_load(address, requests, call.connections))
    result.limit = limit
    return result
