"""Fills the past: spans of whole days, each written with its progress in one transaction, by two writer processes.

The position of a shard (in file_progress) is the second up to which all its values are committed, so a run that was
interrupted goes on there, and values never come twice.
"""

import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.queues import Queue
from queue import Empty

import psycopg

from mainzdigital.connect.simulator.furnish import SHARDS, Furnished
from mainzdigital.connect.simulator.generate import day_points
from mainzdigital.connect.simulator.plan import SOURCE
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Unavailable
from mainzdigital.store import progress
from mainzdigital.store.connect import connect

_BATCH = 16_000
_DAY = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_logger = logging.getLogger(__name__)


class _Seconds(dict[int, timedelta]):
    """Time since midnight, made once: a year has few different ones."""

    def __missing__(self, second: int) -> timedelta:
        made = self[second] = timedelta(seconds=second)
        return made


_SECONDS = _Seconds()
Advance = Callable[[int], None]


def position_of(connection: psycopg.Connection, shard: int) -> int | None:
    """Seconds since 1970 up to which a shard is filled; None before the first fill."""
    found = progress.find(connection, source=SOURCE, sha256=f"shard-{shard}")
    return found.position if found else None


def note_position(connection: psycopg.Connection, shard: int, position: int) -> None:
    progress.save(
        connection, source=SOURCE, sha256=f"shard-{shard}", name="simulator", position=position, rows_read=0,
        rows_rejected=0, finished=False,
    )  # fmt: skip


def observations(streams: Sequence[Furnished], start: int, end: int) -> Iterator[NewObservation]:
    """The stored values of `start` ≤ time of completion < `end` (seconds since 1970), stream by stream."""
    for one in streams:
        first, last = start - one.delay, end - one.delay
        for day in range(first // _DAY, (last - 1) // _DAY + 1):
            midnight = datetime.fromtimestamp(day * _DAY, UTC)
            low, high = first - day * _DAY, last - day * _DAY
            for second, value, fault in day_points(one.stream, day + _EPOCH_DAY):
                if low <= second < high:
                    at = midnight + _SECONDS[second]
                    if fault:
                        yield NewObservation(one.datastream_id, at, value, quality={"simulatedFault": fault})
                    else:
                        yield NewObservation(one.datastream_id, at, value)


def expected(streams: Sequence[Furnished], start: int, end: int) -> int:
    """About how many values a span has, for the progress bar."""
    return sum(one.stream.count for one in streams) * max(0, end - start) // _DAY


def fill_shard(
    connection: psycopg.Connection, shard: int, streams: Sequence[Furnished], *, start: int, until: int,
    advance: Advance, is_wanted: Callable[[], bool] = lambda: True,
) -> int:  # fmt: skip
    """Fill one shard from where it stands (or `start`) to `until`; answers the number of values written."""
    own = [one for one in streams if one.shard == shard]
    position = position_of(connection, shard)
    position = start if position is None else position
    per_day = max(1, sum(one.stream.count for one in own))
    days = max(1, _BATCH // per_day)
    written = 0
    while position < until and is_wanted():
        end = min((position // _DAY + days) * _DAY, until)
        batch = list(observations(own, position, end))
        with connection.transaction():
            for first in range(0, len(batch), _BATCH):
                written += write(connection, Batch(batch[first : first + _BATCH])).written
            note_position(connection, shard, end)
        position = end
        advance(len(batch))
    return written


def _process(dsn: str, shard: int, streams: Sequence[Furnished], span: tuple[int, int], told: "Queue[object]") -> None:
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when Ctrl-C ends us

    def is_wanted() -> bool:
        return os.getppid() == parent

    try:
        with connect(dsn, name="simulator", statement_seconds=None) as connection:
            fill_shard(connection, shard, streams, start=span[0], until=span[1], advance=told.put, is_wanted=is_wanted)
    except psycopg.Error as error:
        told.put(str(error).strip())


def fill(dsn: str, streams: Sequence[Furnished], *, start: int, until: int, advance: Advance) -> None:
    """Fill all shards at once, one process each. Raises Unavailable when one of them fails; what is done stays."""
    context = get_context("spawn")
    told: Queue[object] = context.Queue()
    processes = [
        context.Process(target=_process, args=(dsn, shard, list(streams), (start, until), told), daemon=True)
        for shard in range(SHARDS)
    ]
    for process in processes:
        process.start()
    try:
        failure = ""
        while any(process.is_alive() for process in processes) or not told.empty():
            try:
                word = told.get(timeout=0.2)
            except Empty:
                continue
            if isinstance(word, int):
                advance(word)
            else:
                failure = str(word)
        if failure or any(process.exitcode for process in processes):
            raise Unavailable(
                f"the past could not be filled: {failure or 'a writer stopped'}", remedy="start again; it goes on there"
            )
    finally:
        for process in processes:
            process.terminate()
            process.join(5)
