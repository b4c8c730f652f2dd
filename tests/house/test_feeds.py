"""Feeds: each runs in one process of many, is run again when it fails, and stops when it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from mainzdigital.config.feeds import Feed, Host, registered
from mainzdigital.config.settings import settings
from tests.house.city import wait_for


@dataclass(slots=True)
class Counted:
    """A feed that counts how often it runs and how many run at once."""

    name: str = "counted"
    fails: int = 0
    runs: int = 0
    running: int = 0
    most: int = 0
    stopped: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, stop: threading.Event) -> None:
        with self.lock:
            self.runs += 1
            self.running += 1
            self.most = max(self.most, self.running)
        try:
            if self.runs <= self.fails:
                raise ConnectionError("the source does not answer")
            assert stop.wait(120)
            self.stopped += 1
        finally:
            with self.lock:
                self.running -= 1


@contextmanager
def hosted(host: Host) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=host.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


def host(dsn: str, feed: Feed, folder: Path, name: str = "feeds.json") -> Host:
    return Host([feed], dsn=dsn, status_file=folder / name)


def test_one_of_two_processes_runs_a_feed_and_the_other_takes_over(dsn: str, tmp_path: Path) -> None:
    feed = Counted()
    with hosted(host(dsn, feed, tmp_path, "a.json")) as first:
        wait_for(lambda: feed.running == 1)
        with hosted(host(dsn, feed, tmp_path, "b.json")):
            wait_for((tmp_path / "b.json").exists)
            assert json.loads((tmp_path / "b.json").read_text())["feeds"][0]["state"] == "waiting"
            assert json.loads((tmp_path / "a.json").read_text())["feeds"][0]["state"] == "running"
            assert feed.runs == 1
            first.set()
            wait_for(lambda: feed.runs == 2 and feed.running == 1, message="the other process takes over")
    assert (feed.stopped, feed.most, feed.running) == (2, 1, 0)


def test_a_feed_that_fails_is_told_and_run_again(dsn: str, tmp_path: Path) -> None:
    feed = Counted(fails=1)

    def state() -> dict[str, object]:
        if not (tmp_path / "feeds.json").exists():
            return {}
        found: dict[str, object] = json.loads((tmp_path / "feeds.json").read_text())["feeds"][0]
        return found

    with hosted(host(dsn, feed, tmp_path)):
        wait_for(lambda: state().get("state") == "failing")
        assert state()["error"] == "ConnectionError: the source does not answer"
        wait_for(lambda: feed.running == 1, message="it is run again")
    assert (feed.runs, feed.stopped) == (2, 1)


def test_a_lost_connection_stops_what_it_held(dsn: str, tmp_path: Path) -> None:
    """Without its lease a feed must not go on: another process may have it."""
    feed = Counted()
    with hosted(host(dsn, feed, tmp_path)):
        wait_for(lambda: feed.running == 1)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'mainzdigital ingest leases'"
            )
        wait_for(lambda: feed.stopped == 1 and feed.runs == 2, message="it stops, and runs again under a new lease")
    assert feed.most == 1


def two_of_a_name(_: object) -> list[Counted]:
    return [Counted(), Counted()]


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="same name"):
        registered(settings(), [f"{__name__}:two_of_a_name"])


def test_registered_feeds_can_be_loaded() -> None:
    """Every factory that the platform names exists; a city that is no demo has none of the demo's."""
    assert registered(settings()) == ()
