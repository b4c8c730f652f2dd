"""Writers that load a city and remember what was acknowledged, and the look afterwards whether it is all there.

Half of them repeat what got no answer under the same Idempotency-Key, the others post without a key what they can tell
apart.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg

from mainzdigital.store import maintenance
from tests.house.city import City, wait_for
from tests.store.datastreams import assert_consistent

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
# `make faults` asks for ten; the suite contents itself with one.
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
DATASTREAM: dict[str, Any] = {
    "name": "d", "description": "d",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "unitOfMeasurement": {"name": "n", "symbol": "n", "definition": "n"},
    "ObservedProperty": {"name": "o", "description": "o", "definition": "http://example.org/o"},
    "Sensor": {"name": "s", "description": "s", "encodingType": "text/html", "metadata": "m"},
}  # fmt: skip


@dataclass(slots=True)
class Writer:
    """A client that posts numbered observations. `acknowledged`: number → id; `unanswered` may be there or not."""

    url: str
    key: str
    stream: int
    keyed: bool
    stop: threading.Event
    acknowledged: dict[int, int] = field(default_factory=dict)
    unanswered: set[int] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        number = 0
        with httpx.Client(timeout=20, headers={"Authorization": f"Bearer {self.key}"}) as client:
            while not self.stop.is_set():
                number += 1
                self._post(client, number)

    def _post(self, client: httpx.Client, number: int) -> None:
        headers = {"Idempotency-Key": f"{self.stream}-{number}"} if self.keyed else {}
        body = {"phenomenonTime": (BEGIN + timedelta(seconds=number)).isoformat(), "result": number}
        path = f"{self.url}/sensorthings/v1.1/Datastreams({self.stream})/Observations"
        while True:
            try:
                answer = client.post(path, json=body, headers=headers)
            except httpx.TransportError:
                if not self.keyed:  # nobody knows; without a key it must not be sent again
                    self.unanswered.add(number)
                    time.sleep(0.05)
                    return
            else:
                if answer.status_code == 201:
                    self.acknowledged[number] = answer.json()["@iot.id"]
                    return
                if answer.status_code != 503 or "Retry-After" not in answer.headers:
                    self.refused.append(f"{answer.status_code} {answer.text}")
                    return
                if not self.keyed:
                    self.unanswered.add(number)
                    time.sleep(0.02)
                    return
            if self.stop.is_set():
                self.unanswered.add(number)
                return
            time.sleep(0.05)


def stored(url: str, key: str, stream: int) -> list[tuple[int, int]]:
    """(result, id) of all observations of a datastream."""
    found: list[tuple[int, int]] = []
    link = f"{url}/sensorthings/v1.1/Datastreams({stream})/Observations?$select=id,result&$top=1000"
    with httpx.Client(timeout=60, headers={"Authorization": f"Bearer {key}"}) as client:
        while link:
            page = client.get(link).raise_for_status().json()
            found += [(each["result"], each["@iot.id"]) for each in page["value"]]
            link = page.get("@iot.nextLink", "")
    return found


def furnish(url: str, key: str, streams: int) -> list[int]:
    """One Thing at a place with datastreams; their ids."""
    place = {"type": "Point", "coordinates": [8.27, 50.0]}
    location = {"name": "l", "description": "l", "encodingType": "application/geo+json", "location": place}
    thing = {
        "name": "t",
        "description": "t",
        "Locations": [location],
        "Datastreams": [DATASTREAM | {"name": f"d{n}"} for n in range(streams)],
    }
    headers = {"Authorization": f"Bearer {key}"}
    made = httpx.post(f"{url}/sensorthings/v1.1/Things", json=thing, headers=headers, timeout=60)
    assert made.status_code == 201, made.text
    found = httpx.get(f"{url}/sensorthings/v1.1/Datastreams?$select=id", headers=headers, timeout=60).json()
    return [each["@iot.id"] for each in found["value"]]


def kill(found: City, name: str) -> None:
    os.kill(found.pids()[name], signal.SIGKILL)


@dataclass(slots=True)
class Load:
    """Writers at work on one city, which may be started anew meanwhile at the same address."""

    writers: list[Writer]

    def progress(self, found: City) -> None:
        """Every client is served again."""
        reached = {writer.stream: len(writer.acknowledged) + 20 for writer in self.writers}
        wait_for(
            lambda: all(len(one.acknowledged) >= reached[one.stream] or one.refused for one in self.writers),
            message=f"writes go on; log: {found.log[-5:]}",
        )

    def assert_kept(self, found: City) -> None:
        """What was acknowledged is there once, and what follows from it is right."""
        for writer in self.writers:
            assert writer.refused == []
            rows = stored(found.url, writer.key, writer.stream)
            numbers = [number for number, _ in rows]
            assert len(set(numbers)) == len(numbers), "an observation is there twice"
            kept = dict(rows)
            lost = {number for number, identifier in writer.acknowledged.items() if kept.get(number) != identifier}
            assert lost == set()
            # What is there without an answer was at least sent.
            assert set(numbers) - set(writer.acknowledged) <= writer.unanswered
        with database(found) as connection:
            maintenance.repair_rollups(connection)
            assert_consistent(connection)


@contextmanager
def load(found: City, key: str, *, streams: int = 4) -> Iterator[Load]:
    """Load a city until the block ends."""
    stop = threading.Event()
    ids = furnish(found.url, key, streams)
    writers = [Writer(found.url, key, stream, number % 2 == 0, stop) for number, stream in enumerate(ids)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    working = Load(writers)
    try:
        working.progress(found)
        yield working
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@contextmanager
def database(found: City) -> Iterator[psycopg.Connection]:
    """The database of a running city."""
    from mainzdigital.config.settings import load_settings

    settings = load_settings({"MAINZDIGITAL_HOME": str(found.home), "MAINZDIGITAL_SECRET_KEY": "x" * 40})
    with psycopg.connect(settings.dsn, autocommit=True, connect_timeout=30) as connection:
        yield connection
