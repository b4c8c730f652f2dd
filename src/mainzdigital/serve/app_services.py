"""What the handlers of the data APIs share in one process: pools, writer threads, the authenticator."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from zoneinfo import ZoneInfo

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from mainzdigital.exchange.sensorthings.write_single import Known
from mainzdigital.ingest.queue import GroupCommit
from mainzdigital.kernel.errors import Unavailable
from mainzdigital.serve.auth import Authenticator
from mainzdigital.serve.events import ChangeFeed
from mainzdigital.serve.http import ASGIApp, Request, Response
from mainzdigital.serve.limits import Limits
from mainzdigital.store import connect
from mainzdigital.store.changes import CHANNEL
from mainzdigital.store.entities_write import moves_datastreams

T = TypeVar("T")

log = logging.getLogger(__name__)

_GATHER = 0.02  # seconds for which changes are gathered before one question is asked about them
WAITING_LIMIT = 256  # writes that wait for a thread; the next one is told to come back
LOCK_SECONDS = 10


@dataclass(slots=True)
class Services:
    """What the handlers work with. config composes it; `opened` fills the lower part for the life of the process."""

    dsn: str
    secret_key: str
    origin: str
    zone: ZoneInfo
    open_write: bool = False
    fallback: ASGIApp | None = None
    # Further mounts by prefix, and what else lives as long as the process (the relay's session, a sampler).
    mounts: Mapping[str, "Handler"] = field(default_factory=dict)
    companions: Sequence[Callable[["Services"], AbstractAsyncContextManager[None]]] = ()
    # (peer, values of X-Forwarded-For) → the client's address.
    client_of: Callable[[str, Sequence[str]], str] = field(default=lambda peer, forwarded: peer)
    limits: Limits = field(default_factory=Limits)
    read_connections: int = 8
    write_threads: int = 4

    readers: AsyncConnectionPool = field(init=False)
    writers: ConnectionPool = field(init=False)
    queue: GroupCommit = field(init=False)
    known: Known = field(init=False)
    feed: ChangeFeed = field(init=False)
    authenticator: Authenticator = field(init=False)
    _threads: ThreadPoolExecutor = field(init=False)
    _waiting: int = field(default=0, init=False)

    async def write(self, work: Callable[[psycopg.Connection], T]) -> T:
        """Run a synchronous write on a connection of its own in a thread; raises Unavailable when too many wait."""
        if self._waiting >= WAITING_LIMIT:
            raise Unavailable("too many writes are waiting", remedy="try again", retry_after=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, work)
        finally:
            self._waiting -= 1

    def _run(self, work: Callable[[psycopg.Connection], T]) -> T:
        with self.writers.connection() as connection:
            return work(connection)


Handler = Callable[[Request, Services], Awaitable[Response]]


@asynccontextmanager
async def opened(services: Services) -> AsyncIterator[None]:
    """Pools, threads and listeners of one process; what was acknowledged is written before they close."""
    dsn = services.dsn
    async with AsyncExitStack() as stack:
        stack.enter_context(_few_collections())
        services.readers = _pool(
            _read_only(connect.conninfo(dsn, name="read", statement_seconds=services.limits.read_seconds)), services
        )
        await stack.enter_async_context(services.readers)
        keys = AsyncConnectionPool(
            connect.conninfo(dsn, name="keys", statement_seconds=5), min_size=1, max_size=2, timeout=5,
            check=connect.check_alive, kwargs={"autocommit": True}, open=False,
        )  # fmt: skip
        await stack.enter_async_context(keys)
        services.writers = ConnectionPool(
            _waiting_for_locks(connect.conninfo(dsn, name="write", statement_seconds=services.limits.write_seconds)),
            min_size=1, max_size=services.write_threads, timeout=10, kwargs={"autocommit": True},
            check=ConnectionPool.check_connection, open=False,
        )  # fmt: skip
        services.writers.open(wait=False)
        stack.callback(services.writers.close)
        services._threads = ThreadPoolExecutor(services.write_threads, thread_name_prefix="write")
        stack.callback(services._threads.shutdown)
        services.queue = GroupCommit(
            connect.conninfo(dsn, name="observations", statement_seconds=services.limits.write_seconds)
        )
        stack.push_async_callback(services.queue.close)
        services.known = Known()
        services.authenticator = Authenticator(
            keys, secret_key=services.secret_key, open_write=services.open_write, limits=services.limits,
            origin=services.origin,
        )  # fmt: skip
        listened = connect.conninfo(dsn, name="listen", statement_seconds=None)
        await stack.enter_async_context(_running(services.authenticator.listen(listened)))
        await stack.enter_async_context(_running(forget_changed(services.known, listened)))
        services.feed = ChangeFeed(listened)
        await stack.enter_async_context(_running(services.feed.run()))
        for companion in services.companions:
            await stack.enter_async_context(companion(services))
        yield


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for reference cycles after 50,000 new objects rather than 700.

    A data array of 10,000 rows is 40,000 objects without a cycle; looking through them took a third of its time.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _read_only(conninfo: str) -> str:
    # An answer of several statements is one look at the city.
    snapshot = _with_option(conninfo, r"default_transaction_isolation=repeatable\ read")
    return _with_option(snapshot, "default_transaction_read_only=on")


def _waiting_for_locks(conninfo: str) -> str:
    return _with_option(conninfo, f"lock_timeout={LOCK_SECONDS}s")


def _with_option(conninfo: str, option: str) -> str:
    given = conninfo_to_dict(conninfo).get("options") or ""
    return make_conninfo(conninfo, options=f"{given} -c {option}".strip())


def _pool(conninfo: str, services: Services) -> AsyncConnectionPool:
    return AsyncConnectionPool(
        conninfo, min_size=2, max_size=services.read_connections, timeout=5,
        max_waiting=services.read_connections * 64, max_idle=300, check=connect.check_alive,
        kwargs={"autocommit": True}, open=False,
    )  # fmt: skip


async def forget_changed(known: Known, conninfo: str) -> None:
    """Forget what is known of datastreams when metadata changed anywhere; runs until cancelled, reconnecting."""
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                known.forget()
                while True:
                    told = [int(notice.payload) async for notice in connection.notifies(stop_after=1)]
                    told += [int(notice.payload) async for notice in connection.notifies(timeout=_GATHER)]
                    if await moves_datastreams(connection, told):
                        known.forget()
        except psycopg.Error as error:
            log.warning("not listening for changes, trying again: %s", error)
            known.forget()
        await asyncio.sleep(1)


@asynccontextmanager
async def _running(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
