"""The live feed: every few seconds some streams have a new value. After a pause the gap is filled as the past is."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import psycopg

from mainzdigital.connect.simulator.fill import fill_shard, note_position, observations, position_of
from mainzdigital.connect.simulator.furnish import SHARDS, Furnished, furnished
from mainzdigital.connect.simulator.generate import live_value
from mainzdigital.connect.simulator.plan import SOURCE, Plan
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Unavailable
from mainzdigital.store import progress
from mainzdigital.store.connect import connect

_logger = logging.getLogger(__name__)
_PAUSE = 1200  # a longer gap is filled at the distance of the past
_YEAR = 365 * 86_400


def live_observations(streams: Sequence[Furnished], start: int, end: int) -> Iterator[NewObservation]:
    """New values of `start` ≤ time < `end` (seconds since 1970): at the live distance where a stream has one."""
    for one in streams:
        distance = one.stream.live
        if not distance:
            yield from observations([one], start, end)
            continue
        first = start + (one.stream.second - start) % distance
        for second in range(first, end, distance):
            at = datetime.fromtimestamp(second, UTC)
            found = live_value(one.stream, at)
            if found is not None:
                value, fault = found
                yield NewObservation(one.datastream_id, at, value, quality={"simulatedFault": fault} if fault else None)


def tick(connection: psycopg.Connection, streams: Sequence[Furnished], now: int) -> int:
    """Write what came since the last tick, in one transaction with the position; answers how many values."""
    positions = [position_of(connection, shard) for shard in range(SHARDS)]
    count = 0
    batch: list[NewObservation] = []
    for shard, position in enumerate(positions):
        own = [one for one in streams if one.shard == shard]
        if position is None or now - position > _PAUSE:
            count += fill_shard(
                connection, shard, own, start=now - _PAUSE if position is None else max(position, now - _YEAR),
                until=now, advance=lambda _: None,
            )  # fmt: skip
        elif position < now:
            batch += live_observations(own, position, now)
    with connection.transaction():
        if batch:
            count += write(connection, Batch(batch)).written
        for shard, position in enumerate(positions):
            note_position(connection, shard, max(now, position or 0))
    return count


class SimulatorFeed:
    """The feed of the simulated city, hosted by `mainzdigital ingest`."""

    name = SOURCE

    def __init__(self, dsn: str, plan: Plan, *, seconds: float = 5.0) -> None:
        self._dsn = dsn
        self._plan = plan
        self._seconds = seconds

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set: a tick every few seconds. Raises psycopg.Error where the database goes away."""
        with connect(self._dsn, name="simulator", statement_seconds=120) as connection:
            if not progress.lock(connection, SOURCE):
                raise Unavailable("another process fills the simulated city", retry_after=5)
            streams = furnished(connection, self._plan)
            _logger.info("the simulated city is alive with %d datastreams", len(streams))
            while not stop.is_set():
                tick(connection, streams, int(time.time()))
                stop.wait(self._seconds)
