"""A disk that is full or slow, clocks that jump, clients that storm or never read: the city says so and goes on."""

import os
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.fault.load import ROUNDS, Load, database, furnish, load
from tests.house.city import City, city, mainzdigital, wait_for

pytestmark = pytest.mark.fault
_MEMORY = 400 * 1024 * 1024  # bytes of the api process, whatever its clients do
_DISK = 900 * 1024 * 1024
_MANY_THINGS = """
INSERT INTO thing (name, description, access)
SELECT 'T ' || n, repeat('x', 300), 'open' FROM generate_series(1, 8000) n
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own that can be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=0755", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


@pytest.fixture
def shim() -> Iterator[Path]:
    """Folder of the numbers that the preloaded shim obeys: `disk` and `clock`, in seconds."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to build the slow disk with")
    folder = Path(tempfile.mkdtemp(prefix="md-shim-"))
    folder.chmod(0o755)
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", source, "-ldl"], check=True)
    yield folder
    shutil.rmtree(folder)


def set_number(folder: Path, name: str, value: float) -> None:
    """All at once: nobody reads half a number."""
    draft = folder / f"{name}.new"
    draft.write_text(str(value))
    draft.chmod(0o644)
    draft.rename(folder / name)


def manager(home: Path) -> str:
    return mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()


def memory(found: City) -> int:
    return found.child("api").memory_info().rss


def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    home = small_disk / "home"
    key = manager(home)
    with city(home) as found, load(found, key) as working:
        for _ in range(ROUNDS):
            filler = small_disk / "filler"
            with filler.open("wb") as out:
                # The rest fills up by what is written.
                os.posix_fallocate(out.fileno(), 0, shutil.disk_usage(small_disk).free - 2_000_000)
            refused = _unanswered(working)
            while _unanswered(working) < refused + 10:
                bulk(found, key, working.writers[1].stream)
            filler.unlink()
            working.progress(found)
    with city(home) as after:
        forget_bulk(after, working.writers[1].stream)
        working.assert_kept(after)


def _unanswered(working: Load) -> int:
    return sum(len(writer.unanswered) for writer in working.writers)


def bulk(found: City, key: str, stream: int) -> None:
    """Something large to fill the disk with; it may be refused."""
    body = {"phenomenonTime": "2020-01-01T00:00:00Z", "result": -1, "parameters": {"x": os.urandom(300_000).hex()}}
    try:
        answer = httpx.post(
            f"{found.url}/sensorthings/v1.1/Datastreams({stream})/Observations", json=body, timeout=30,
            headers={"Authorization": f"Bearer {key}"},
        )  # fmt: skip
    except httpx.TransportError:
        return
    assert answer.status_code in {201, 503}, answer.text


def forget_bulk(found: City, stream: int) -> None:
    from mainzdigital.ingest import change

    with database(found) as connection:
        rows = connection.execute("SELECT id FROM observation WHERE datastream_id = %s AND number = -1", (stream,))
        change.delete(connection, [one for (one,) in rows.fetchall()])


def test_a_slow_disk_slows_and_loses_nothing(tmp_path: Path, shim: Path) -> None:
    home = tmp_path / "home"
    key = manager(home)
    with city(home, LD_PRELOAD=str(shim / "shim.so"), FAULT_SHIM=str(shim)) as found, load(found, key) as working:
        for _ in range(ROUNDS):
            set_number(shim, "disk", 0.3)
            working.progress(found)
            assert httpx.get(f"{found.url}/sensorthings/v1.1/Things", timeout=30).status_code == 200
            set_number(shim, "disk", 0)
            working.progress(found)
        assert found.stop() == 0
    with city(home) as after:
        working.assert_kept(after)


def test_clocks_that_jump(tmp_path: Path, shim: Path) -> None:
    home = tmp_path / "home"
    key = manager(home)
    with city(home, LD_PRELOAD=str(shim / "shim.so"), FAULT_SHIM=str(shim)) as found, load(found, key) as working:
        url = f"{found.url}/sensorthings/v1.1/Datastreams({working.writers[0].stream})/Observations"
        for _ in range(ROUNDS):
            for hours in (1, -26, 24 * 40, 0):
                set_number(shim, "clock", hours * 3600)
                working.progress(found)
                # An observation without a time gets that of the clock, whatever it says.
                made = httpx.post(url, json={"result": -1}, headers={"Authorization": f"Bearer {key}"}, timeout=30)
                assert made.status_code == 201, made.text
        stamped = httpx.get(
            f"{url}?$filter=result eq -1&$count=true", headers={"Authorization": f"Bearer {key}"}, timeout=30
        ).json()
        assert stamped["@iot.count"] == 4 * ROUNDS
    with city(home) as after:
        forget_bulk(after, working.writers[0].stream)
        working.assert_kept(after)


def test_storms_of_connections_and_clients_that_never_read(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = manager(home)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    try:
        with city(home) as found, load(found, key) as working:
            with database(found) as connection:
                connection.execute(_MANY_THINGS)
            for _ in range(ROUNDS):
                with ExitStack() as stack:
                    storm(found, stack, key)
                    working.progress(found)
                    assert memory(found) < _MEMORY
            wait_for(lambda: open_sockets(found) < 100, message="connections are given back")
            working.progress(found)
        with city(home) as after:
            working.assert_kept(after)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def storm(found: City, stack: ExitStack, key: str) -> None:
    """1,000 connections: silent ones, half requests, large answers and event streams that nobody reads."""
    parts = urlsplit(found.url)
    large = b"GET /sensorthings/v1.1/Things?$top=8000 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
    stream = b"GET /events/v1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
    said = (b"", b"GET /sensorthings/v1.1/Th", large % key.encode(), stream % key.encode())
    for number in range(1_000):
        one = stack.enter_context(socket.socket())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect((parts.hostname, parts.port))
        # A tenth asks for megabytes or for streams; the rest only holds the line.
        one.sendall(said[number % 4] if number % 10 == 0 else said[number % 2])


def open_sockets(found: City) -> int:
    return len(found.child("api").net_connections())


def test_more_than_can_be_taken_is_told_to_come_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = manager(home)
    with city(home) as found:
        (stream, *_) = furnish(found.url, key, 1)
        statuses: list[tuple[int, bool]] = []
        lock = threading.Lock()

        def post(number: int) -> None:
            answer = httpx.post(
                f"{found.url}/sensorthings/v1.1/Datastreams({stream})/Observations", json={"result": number},
                headers={"Authorization": f"Bearer {key}", "Idempotency-Key": str(number)}, timeout=60,
            )  # fmt: skip
            with lock:
                statuses.append((answer.status_code, "Retry-After" in answer.headers))

        with database(found) as connection:
            with connection.transaction():
                connection.execute("LOCK TABLE datastream_latest IN ACCESS EXCLUSIVE MODE")
                pool = ThreadPoolExecutor(400)
                sent = [pool.submit(post, number) for number in range(400)]
                wait_for(lambda: any(status == 503 for status, _ in list(statuses)), message="some are refused")
                assert memory(found) < _MEMORY
                assert httpx.get(f"{found.url}/health", timeout=30).status_code == 200
            for one in sent:
                one.result()
            pool.shutdown()
        # 409: it waited for the lock as long as a write may.
        assert {status for status, _ in statuses} <= {201, 409, 503}
        assert all(told for status, told in statuses if status != 201)
        # Sent again under the same keys, all are there once.
        for number in range(0, 400, 40):
            post(number)
        assert statuses[-1][0] == 201
