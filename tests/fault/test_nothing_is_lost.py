"""kill -9 of any process during writes: every acknowledged observation is there, exactly once.

Clients repeat what got no answer under the same Idempotency-Key, and post without a key what they can tell apart.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.house.city import City, city, free_port, mainzdigital, wait_for

pytestmark = pytest.mark.fault

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DATASTREAM: dict[str, Any] = {
    "name": "d", "description": "d",
    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
    "unitOfMeasurement": {"name": "n", "symbol": "n", "definition": "n"},
    "ObservedProperty": {"name": "o", "description": "o", "definition": "http://example.org/o"},
    "Sensor": {"name": "s", "description": "s", "encodingType": "text/html", "metadata": "m"},
}  # fmt: skip


@dataclass(slots=True)
class Writer:
    """A client that posts numbered observations. `acknowledged`: number → id; `sent` counts numbers, not attempts."""

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
                if answer.status_code != 503:
                    self.refused.append(answer.text)
                    return
                if not self.keyed:
                    self.unanswered.add(number)
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


def test_every_acknowledged_observation_is_there_once(tmp_path: Path) -> None:
    home, port = tmp_path / "home", str(free_port())
    key = mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()
    stop = threading.Event()
    with city(home, MAINZDIGITAL_PORT=port) as found:
        streams = furnish(found.url, key, 4)
        writers = [Writer(found.url, key, stream, number % 2 == 0, stop) for number, stream in enumerate(streams)]
        threads = [threading.Thread(target=writer.run) for writer in writers]
        for thread in threads:
            thread.start()

        def progress(found: City) -> None:
            """Every client is served again."""
            reached = {writer.stream: len(writer.acknowledged) + 20 for writer in writers}
            wait_for(
                lambda: all(len(writer.acknowledged) >= reached[writer.stream] or writer.refused for writer in writers),
                message=f"writes go on; log: {found.log[-5:]}",
            )

        try:
            progress(found)
            for name in ("api", "database", "api", "database"):
                kill(found, name)
                progress(found)
            found.process.kill()
            found.process.wait()
            with city(home, MAINZDIGITAL_PORT=port) as second:
                progress(second)
                assert second.stop() == 0  # in the middle of writes
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)

    with city(home, MAINZDIGITAL_PORT=port) as third:
        for writer in writers:
            assert writer.refused == []
            rows = stored(third.url, key, writer.stream)
            numbers = [number for number, _ in rows]
            assert len(set(numbers)) == len(numbers), "an observation is there twice"
            kept = dict(rows)
            lost = {number for number, identifier in writer.acknowledged.items() if kept.get(number) != identifier}
            assert lost == set()
            # What is there without an answer was at least sent.
            assert set(numbers) - set(writer.acknowledged) <= writer.unanswered
