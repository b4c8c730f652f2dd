"""The supervisor of `mainzdigital run`: database, migrations, web, api, ingest and work as children of one process.

Children are forked from the main thread only: the signal that ends them with the supervisor follows that thread.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from mainzdigital.config import database, embedded, home, log, migrations, mortal
from mainzdigital.config.exits import Misplaced
from mainzdigital.config.settings import Settings

_logger = logging.getLogger(__name__)

_FIRST_DELAY, _LONGEST_DELAY = 0.5, 60.0  # seconds between starts of what keeps dying
_STEADY = 60.0  # seconds after which a child counts as well
_LOUD = 5  # deaths in a row after which we say that it does not help
_DATABASE_RETRY = 15.0  # seconds: after kill -9 of the postmaster its children hold the memory for a while
_LINE = 1 << 20


@dataclass(slots=True)
class Child:
    """A process that is kept alive. `ready` answers whether it serves; None: it says so itself in its log."""

    name: str
    command: Callable[[], list[str]]
    ready: Callable[[], Awaitable[bool]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 4.0
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0
    is_ready: asyncio.Event = field(default_factory=asyncio.Event)


def _python(command: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", "mainzdigital", command]


class Supervisor:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = asyncio.Event()
        self.hurry = asyncio.Event()
        self.database: Child | None = None
        if settings.embedded:
            cluster = database.cluster_of(settings)
            self.database = Child(
                "database",
                lambda: embedded.command(cluster, options=("log_line_prefix=", "log_min_messages=warning")),
                ready=self._database_answers,
                stop_signal=signal.SIGINT,
            )
        self.children = [
            Child("web", _python("web"), ready=self._web_answers),
            Child("api", _python("api"), ready=self._api_answers),
            Child("ingest", _python("ingest")),
            Child("work", _python("work")),
        ]

    async def run(self) -> None:
        """Run the city until SIGINT, SIGTERM or SIGHUP; raises Misplaced when it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        keepers: list[asyncio.Task[None]] = []
        try:
            if self.database is not None:
                await self._start_database(self.database)
                keepers.append(asyncio.create_task(self._keep(self.database)))
            else:
                await asyncio.to_thread(database.require, self.settings.dsn)
            if not self.stopping.is_set():
                await self._migrate()
            if not self.stopping.is_set():
                keepers += [asyncio.create_task(self._keep(child)) for child in self.children]
                keepers += [asyncio.create_task(self._announce()), asyncio.create_task(self._watch_disk())]
            await self.stopping.wait()
        finally:
            self.stopping.set()
            await self._stop_all()
            await asyncio.wait({*keepers}, timeout=2) if keepers else None
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)

    def _stop(self) -> None:
        if self.stopping.is_set():
            self.hurry.set()
        else:
            _logger.info("stopping", extra={"event": "stopping"})
            self.stopping.set()

    # Starting

    async def _spawn(self, child: Child) -> asyncio.subprocess.Process:
        environment = os.environ | {log.SUPERVISED: str(os.getpid())}
        child.is_ready.clear()
        process = await asyncio.create_subprocess_exec(
            *child.command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
            env=environment,
            cwd="/",
            limit=_LINE,
        )
        child.process = process
        living = [each for each in (self.database, *self.children) if each and each.process]
        pids = {each.name: each.process.pid for each in living if each.process and each.process.returncode is None}
        with suppress(OSError):  # a full disk must not keep a child from starting again
            mortal.remember(self.settings.home / "run" / "children.json", pids)
        return process

    async def _start_database(self, child: Child) -> None:
        """First start: what stands in the way is told, with the server's own words, and ends the run."""
        deadline = time.monotonic() + _DATABASE_RETRY
        while not self.stopping.is_set():
            process = await self._spawn(child)
            words: list[str] = []
            reading = asyncio.create_task(self._read(child, process, words))
            while process.returncode is None and not self.stopping.is_set():
                if await self._database_answers():
                    child.is_ready.set()
                    # The keeper goes on reading where we stop.
                    self._first_reading = reading
                    return
                await asyncio.sleep(0.05)
            if self.stopping.is_set():
                return
            await reading
            if time.monotonic() > deadline:
                reason = next((word for word in words if "could not" in word or "FATAL" in word), " ".join(words[-1:]))
                raise Misplaced(
                    f"the database does not start: {reason or f'exit code {process.returncode}'}",
                    remedy=f"see {self.settings.home / 'log' / 'city.log'}",
                )
            await asyncio.sleep(0.5)

    _first_reading: asyncio.Task[None] | None = None

    async def _migrate(self) -> None:
        if await asyncio.to_thread(migrations.is_current, self.settings):
            return
        child = Child("migrate", _python("migrate"))
        process = await self._spawn(child)
        words: list[str] = []
        reading = asyncio.create_task(self._read(child, process, words))
        stop = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({stop, reading}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            process.terminate()
        stop.cancel()
        await reading
        if await process.wait() and not self.stopping.is_set():
            said = next((word.removeprefix("mainzdigital: ") for word in reversed(words) if word), "no message")
            raise Misplaced(f"the database could not be prepared: {said}")

    # Keeping alive

    async def _keep(self, child: Child) -> None:
        """Start the child again whenever it ends, later each time; what keeps dying is said loudly and tried slowly."""
        while not self.stopping.is_set():
            if self.database is not None and child is not self.database:
                await self.database.is_ready.wait()
            started = time.monotonic()
            if child is self.database and self._first_reading is not None:
                reading, self._first_reading = self._first_reading, None
            else:
                try:
                    reading = asyncio.create_task(self._read(child, await self._spawn(child)))
                    if self.stopping.is_set():  # while it was being forked
                        await self._end(child)
                except OSError as error:
                    _logger.error("%s cannot be started: %s", child.name, error)
                    await self._pause(_LONGEST_DELAY)
                    continue
            process = child.process
            assert process is not None
            readiness = asyncio.create_task(self._await_readiness(child))
            code = await process.wait()
            readiness.cancel()
            child.is_ready.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(reading, 2)  # a grandchild may hold the pipe open
            if self.stopping.is_set():
                return
            await self._pause(self._after_death(child, code, time.monotonic() - started))

    def _after_death(self, child: Child, code: int, lived: float) -> float:
        """Count a death and say it; seconds to wait before the next start."""
        child.deaths = 1 if lived > _STEADY else child.deaths + 1
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        delay = 0.0 if child.deaths == 1 else min(_FIRST_DELAY * 2 ** (child.deaths - 2), _LONGEST_DELAY)
        if child is self.database and child.deaths * _FIRST_DELAY < _DATABASE_RETRY:
            delay = _FIRST_DELAY
        if child.deaths >= _LOUD and child is not self.database:
            _logger.critical(
                "%s ended %s, %d times in a row; its last lines above say why. Next try in %.0f s",
                child.name, how, child.deaths, delay,
            )  # fmt: skip
        else:
            _logger.error("%s ended %s; starting it again", child.name, how)
        return delay

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _await_readiness(self, child: Child) -> None:
        while child.ready is not None and not child.is_ready.is_set():
            if await child.ready():
                child.is_ready.set()
            await asyncio.sleep(0.05)

    async def _read(self, child: Child, process: asyncio.subprocess.Process, words: list[str] | None = None) -> None:
        assert process.stdout is not None
        while True:
            try:
                raw = await process.stdout.readline()
            except ValueError:  # a line longer than the limit: its rest follows as a line of its own
                continue
            if not raw:
                return
            line = raw.decode("utf-8", "replace").rstrip()
            if words is not None and line and not line.startswith("\t"):
                words.append(line)
            record = log.child_record(child.name, line)
            if getattr(record, "event", None) == "ready":
                child.is_ready.set()
            elif record.levelno >= logging.getLogger().level:
                logging.getLogger().handle(record)

    async def _announce(self) -> None:
        begun = time.monotonic()
        await asyncio.gather(*(child.is_ready.wait() for child in self.children))
        if not self.stopping.is_set():
            address = self.settings.origin
            _logger.info(
                "%s is ready after %.1f s: %s", self.settings.city.platform, time.monotonic() - begun, address,
                extra={"event": "ready", "address": address},
            )  # fmt: skip

    async def _watch_disk(self) -> None:
        while not self.stopping.is_set():
            with suppress(OSError):
                free = home.free_bytes(self.settings.home)
                if free < home.NEEDED_BYTES:
                    _logger.critical(
                        "the disk of %s is nearly full: %d MB are free; make room",
                        self.settings.home,
                        free // 1_000_000,
                    )
            await self._pause(60)

    # Readiness

    async def _database_answers(self) -> bool:
        try:
            return await asyncio.to_thread(embedded.answers, database.cluster_of(self.settings))
        except psycopg.Error:
            return False

    async def _web_answers(self) -> bool:
        return await _http_answers(asyncio.open_unix_connection(str(self.settings.web_socket)), "/.alive")

    async def _api_answers(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.host, self.settings.host)  # noqa: S104
        return await _http_answers(asyncio.open_connection(host, self.settings.port), "/health")

    # Stopping

    async def _stop_all(self) -> None:
        """Stop accepting first, then the rest, the database last; under 10 s in all."""
        named = {child.name: child for child in self.children}
        for names in (("api",), ("web", "ingest", "work")):
            await asyncio.gather(*(self._end(named[name]) for name in names))
        if self.database is not None:
            await self._end(self.database)

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        last = signal.SIGQUIT if child is self.database else signal.SIGKILL
        for number, seconds in ((child.stop_signal, child.stop_seconds), (last, 2.0), (signal.SIGKILL, 2.0)):
            if self.hurry.is_set() and number == child.stop_signal:
                continue
            with suppress(ProcessLookupError):
                process.send_signal(number)
            ended, hurried = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self.hurry.wait())
            waiting = {ended} if self.hurry.is_set() else {ended, hurried}
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            hurried.cancel()
            if child.process is None or child.process.returncode is not None:
                return
            _logger.warning("%s does not stop by %s", child.name, number.name)


async def _http_answers(connecting: Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]], path: str) -> bool:
    try:
        async with asyncio.timeout(2):
            reader, writer = await connecting
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                return (await reader.readline()).split(b" ")[1:2] == [b"200"]
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
