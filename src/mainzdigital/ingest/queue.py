"""Group commit: single observations of many clients, written together, each answered after its commit."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

import psycopg

from mainzdigital.ingest.batch import Batch, NewObservation, WriteResult
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import CityError, InvalidInput, Unavailable

_log = logging.getLogger(__name__)
_WAIT = 0.003  # seconds a commit waits at most for clients that were just answered to come again
_STEP = 0.0005
_Pending = tuple[NewObservation, "asyncio.Future[int]"]


class GroupCommit:
    """Takes single observations on an event loop and writes them in threads of its own, hashed by datastream.

    The next commit begins when the last one ends. `capacity` bounds what waits: beyond it `submit` refuses. One writer
    makes larger groups, which cost less each; two use a second core of the database.
    """

    def __init__(self, dsn: str, *, writers: int = 1, capacity: int = 20_000, largest: int = 2_000) -> None:
        self._dsn = dsn
        self._capacity = capacity // writers
        self._largest = largest
        self._count = writers
        self._writers: list[_Writer] = []

    async def submit(self, observation: NewObservation) -> int:
        """The id, after the commit. Raises InvalidInput where it cannot be stored, Unavailable where none was taken."""
        loop = asyncio.get_running_loop()
        if not self._writers:
            self._writers = [_Writer(self._dsn, self._largest, loop) for _ in range(self._count)]
        writer = self._writers[observation.datastream_id % self._count]
        if len(writer.pending) >= self._capacity:
            raise Unavailable("too many observations are waiting to be written", retry_after=1)
        if writer.closing:
            raise Unavailable("the service is stopping", retry_after=5)
        future: asyncio.Future[int] = loop.create_future()
        writer.pending.append((observation, future))
        if writer.idle:
            writer.wake.set()
        return await future

    @property
    def waiting(self) -> int:
        """How many observations wait."""
        return sum(len(writer.pending) for writer in self._writers)

    async def close(self) -> None:
        """Write what waits, answer it, and stop."""
        for writer in self._writers:
            writer.closing = True
            writer.wake.set()
        for writer in self._writers:
            await asyncio.to_thread(writer.thread.join)
        await asyncio.sleep(0)  # lets the last answers out


class _Writer:
    def __init__(self, dsn: str, largest: int, loop: asyncio.AbstractEventLoop) -> None:
        self.pending: deque[_Pending] = deque()  # append and popleft are atomic
        self.wake = threading.Event()
        self.idle = False
        self.closing = False
        self._dsn = dsn
        self._largest = largest
        self._loop = loop
        self._connection: psycopg.Connection | None = None
        self.thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        expected = 0
        while True:
            if not self.pending:
                if self.closing:
                    break
                self.idle = True
                if not self.pending:  # somebody may have come before idle was seen
                    self.wake.wait(1.0)
                self.idle = False
                self.wake.clear()
                continue
            self._gather(expected)
            taken = [self.pending.popleft() for _ in range(min(len(self.pending), self._largest))]
            expected = len(taken)
            self._commit(taken)
        if self._connection is not None:
            self._connection.close()

    def _gather(self, expected: int) -> None:
        """Larger groups cost less: wait a moment for as many as came last time."""
        until = time.monotonic() + _WAIT
        while len(self.pending) < expected and not self.closing and time.monotonic() < until:
            time.sleep(_STEP)

    def _commit(self, taken: Sequence[_Pending]) -> None:
        answer: WriteResult | CityError
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._dsn, autocommit=True)
            answer = write(self._connection, Batch([observation for observation, _ in taken]))
        except CityError as error:
            answer = error
        except Exception as error:  # noqa: BLE001 - the thread must live on; the clients are told
            _log.warning("%d observations were not written: %s", len(taken), error)
            answer = Unavailable("the database did not take the observation", retry_after=5)
            if self._connection is not None:
                self._connection.close()
        self._loop.call_soon_threadsafe(_answer, taken, answer)


def _answer(taken: Sequence[_Pending], answer: WriteResult | CityError) -> None:
    if isinstance(answer, CityError):
        for _, future in taken:
            if not future.done():
                future.set_exception(answer)
        return
    for (_, future), one in zip(taken, answer.ids, strict=True):
        if one is not None and not future.done():
            future.set_result(one)
    for error in answer.rejected:
        future = taken[error.index][1]
        if not future.done():
            future.set_exception(InvalidInput(error.message, where=error.where))
