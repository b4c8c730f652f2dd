"""What `mainzdigital ingest` hosts: pollers, simulators, watchers of files. Each runs once, in whichever process.

A feed is registered by its factory below: a function of the settings that returns the feeds switched on in them.
"""

import hashlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

import psycopg

from mainzdigital.config.settings import Settings
from mainzdigital.connect.polled.told import Told
from mainzdigital.store.connect import connect
from mainzdigital.store.lease import release_all, take

_logger = logging.getLogger(__name__)

# "package.module:function"; the function takes Settings and returns an iterable of feeds.
FACTORIES: tuple[str, ...] = ("mainzdigital.config.demo.feed:feeds", "mainzdigital.config.polled:feeds")

_LOOK = 2.0  # seconds between looks at leases and threads
_LONGEST_DELAY = 300.0


class Feed(Protocol):
    """A source that is read on and on. `run` returns soon after `stop` is set; what it raises is logged and it is run
    again, later each time. It opens and closes its own connections."""

    @property
    def name(self) -> str: ...

    def run(self, stop: threading.Event) -> None: ...


@runtime_checkable
class Telling(Protocol):
    """A feed that tells how its rounds go."""

    def told(self) -> Told: ...


def registered(settings: Settings, factories: Iterable[str] = ()) -> tuple[Feed, ...]:
    """The feeds of this city, in the order of their factories; names are unique."""
    found: list[Feed] = []
    for path in factories or FACTORIES:
        module, _, name = path.partition(":")
        factory: Callable[[Settings], Iterable[Feed]] = getattr(import_module(module), name)
        found.extend(factory(settings))
    names = [feed.name for feed in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two feeds have the same name: {sorted(names)}")
    return tuple(found)


@dataclass(slots=True)
class _Hosted:
    feed: Feed
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    leased: bool = False
    state: str = "waiting"  # waiting: another process runs it | running | failing
    failures: int = 0
    error: str = ""
    next_try: float = 0.0


class Host:
    """Runs feeds in threads, each under an advisory lock of the database that ends with our connection."""

    def __init__(self, feeds: Iterable[Feed], *, dsn: str, status_file: Path) -> None:
        self._hosted = [_Hosted(feed) for feed in feeds]
        self._dsn = dsn
        self._status_file = status_file
        self._before = _successes(status_file)

    def run(self, stop: threading.Event) -> None:
        """Host until `stop` is set; feeds have 3 s to end."""
        while not stop.is_set():
            try:
                with connect(self._dsn, name="ingest leases") as connection:
                    self._hold(connection, stop)
                    if stop.is_set():
                        self._stop_feeds()
                        release_all(connection)
            except psycopg.Error as error:
                # Without the connection there are no leases: another process may run our feeds now.
                _logger.warning("the database does not answer, feeds pause: %s", str(error).strip())
                self._stop_feeds()
                stop.wait(1)
        self._stop_feeds()

    def _hold(self, connection: psycopg.Connection, stop: threading.Event) -> None:
        for hosted in self._hosted:
            hosted.leased = False
        while not stop.is_set():
            for hosted in self._hosted:
                if not hosted.leased:
                    hosted.leased = take(connection, _lock_number(hosted.feed.name))
                if hosted.leased and hosted.thread is None and time.monotonic() >= hosted.next_try:
                    self._start(hosted)
                elif hosted.thread is not None and not hosted.thread.is_alive():
                    hosted.thread = None
            connection.execute("SELECT 1")
            self._tell()
            stop.wait(_LOOK)

    def _start(self, hosted: _Hosted) -> None:
        hosted.stop.clear()
        hosted.state = "running"
        hosted.thread = threading.Thread(target=self._run, args=(hosted,), name=hosted.feed.name, daemon=True)
        hosted.thread.start()

    def _run(self, hosted: _Hosted) -> None:
        begun = time.monotonic()
        try:
            hosted.feed.run(hosted.stop)
            hosted.failures, hosted.error = 0, ""
            hosted.next_try = time.monotonic() + _LOOK
        except Exception as error:
            if hosted.stop.is_set():
                return
            hosted.failures = 1 if time.monotonic() - begun > _LONGEST_DELAY else hosted.failures + 1
            delay = min(2.0**hosted.failures, _LONGEST_DELAY)
            hosted.state, hosted.error = "failing", f"{type(error).__name__}: {error}"
            hosted.next_try = time.monotonic() + delay
            _logger.exception("feed %s failed, next try in %.0f s", hosted.feed.name, delay)

    def _stop_feeds(self) -> None:
        for hosted in self._hosted:
            hosted.stop.set()
        deadline = time.monotonic() + 3
        for hosted in self._hosted:
            if hosted.thread is not None:
                hosted.thread.join(max(0.0, deadline - time.monotonic()))
                if hosted.thread.is_alive():
                    _logger.warning("feed %s does not stop", hosted.feed.name)
                hosted.thread = None

    def _tell(self) -> None:
        """For `mainzdigital check`: what runs here and what fails."""
        states = [self._state(each) for each in self._hosted]
        with suppress(OSError):
            temporary = self._status_file.with_suffix(".new")
            temporary.write_text(json.dumps({"at": time.time(), "feeds": states}, ensure_ascii=False), "utf-8")
            temporary.replace(self._status_file)

    def _state(self, hosted: _Hosted) -> dict[str, object]:
        name = hosted.feed.name
        state: dict[str, object] = {
            "name": name, "state": hosted.state if hosted.leased else "waiting", "failures": hosted.failures,
            "error": hosted.error,
        }  # fmt: skip
        if not isinstance(hosted.feed, Telling):
            return state
        told = asdict(hosted.feed.told())
        if told["success"] is None:
            told["success"] = self._before.get(name)
        if hosted.failures:
            del told["failures"], told["error"]
        elif told["failures"] and state["state"] == "running":
            state["state"] = "failing"
        return state | told


def _successes(file: Path) -> dict[str, float]:
    """When the feeds last succeeded, as told before we were started."""
    try:
        feeds = json.loads(file.read_text("utf-8"))["feeds"]
        return {feed["name"]: feed["success"] for feed in feeds if feed.get("success") is not None}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _lock_number(name: str) -> int:
    """A signed 64-bit number for the lock of a feed."""
    return int.from_bytes(hashlib.sha256(f"mainzdigital feed {name}".encode()).digest()[:8], signed=True)
