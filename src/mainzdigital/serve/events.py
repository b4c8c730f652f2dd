"""`GET /events/v1`: the newest observations of visible datastreams as server-sent events (HTML standard, 9.2).

`?datastreams=1,2` or `?things=3` narrows the stream. Each event has the id of its change; who comes back with
Last-Event-ID gets what it missed. A slow client gets the newest value of each datastream, not all of them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec
import psycopg

from mainzdigital.exchange.series_query import datastream_ids, parameters
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import CityError, MethodNotAllowed, Unavailable
from mainzdigital.kernel.time import format_instant
from mainzdigital.serve.series import Receive, Scope, Send, refusal
from mainzdigital.store import feed as store
from mainzdigital.store.changes import CHANNEL
from mainzdigital.store.feed import LatestValue

_log = logging.getLogger(__name__)
_GATHER = 0.1  # seconds over which changes are gathered before their values are read
HEARTBEAT = 15.0  # seconds
LIFE = 15 * 60.0  # seconds; then the client comes back, with its rights looked up anew
_STUCK = 30.0  # seconds a client may take for one chunk
HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
}


@dataclass(eq=False, slots=True)
class _Client:
    reader: Reader
    datastreams: frozenset[int]
    things: frozenset[int]
    waiting: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # by datastream: change and event
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, value: LatestValue, change: int, event: bytes) -> None:
        wanted = not (self.datastreams or self.things) or (
            value.datastream_id in self.datastreams or value.thing_id in self.things
        )
        if wanted and self.reader.classes.issuperset(value.access):
            if change >= self.waiting.get(value.datastream_id, (0, b""))[0]:
                self.waiting[value.datastream_id] = change, event
            self.called.set()

    def take(self) -> bytes:
        """All that waits, in the order of the changes: whoever is cut off in the midst has missed only later ones."""
        events = [event for _, event in sorted(self.waiting.values())]
        self.waiting.clear()
        return b"".join(events)


class ChangeFeed:
    """Listens to the change log on one connection and hands newest values to the clients of this process."""

    def __init__(self, dsn: str, *, most_clients: int = 500) -> None:
        self._dsn = dsn
        self._most = most_clients
        self._clients: set[_Client] = set()
        self._sent: dict[int, LatestValue] = {}
        self._change: int | None = None
        self._resuming = asyncio.Semaphore(2)  # after a restart all come back at once
        self.listening = asyncio.Event()

    @property
    def clients(self) -> int:
        return len(self._clients)

    async def run(self) -> None:
        """Listen until cancelled; comes back after a lost connection and catches up."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    await self._listen(connection)
            except psycopg.Error as error:
                _log.warning("the event stream lost the database and tries again: %s", error)
            self.listening.clear()
            await asyncio.sleep(1)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        if self._change is None:
            self._change = await store.newest_change(connection)
        else:
            await self._tell(connection, await store.touched_since(connection, self._change))
        self.listening.set()
        while True:
            changes = [int(notice.payload) async for notice in connection.notifies(stop_after=1)]
            changes += [int(notice.payload) async for notice in connection.notifies(timeout=_GATHER)]
            self._change = max(self._change, *changes)
            if self._clients:
                await self._tell(connection, await store.touched(connection, changes))

    async def _tell(self, connection: psycopg.AsyncConnection, touched: dict[int, int]) -> None:
        for value in await store.latest(connection, touched):
            # Late data leave the latest value as it was.
            if self._sent.get(value.datastream_id) != value:
                self._sent[value.datastream_id] = value
                change = touched[value.datastream_id]
                event = _event(value, change)
                for client in self._clients:
                    client.offer(value, change, event)

    async def events(
        self, raw_query: str, *, last_event_id: str, reader: Reader, life: float = LIFE
    ) -> AsyncIterator[bytes]:
        """The stream of one client as chunks; raises InvalidInput, and Unavailable where too many are listening."""
        given = parameters(raw_query, ("datastreams", "things"))
        chosen = {name: frozenset(datastream_ids(text, where=name)) for name, text in given.items()}
        if len(self._clients) >= self._most:
            raise Unavailable("too many are listening", remedy="try again later", retry_after=30)
        client = _Client(reader, chosen.get("datastreams", frozenset()), chosen.get("things", frozenset()))
        known = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19
        return self._stream(client, int(last_event_id) if known else None, life)

    async def _stream(self, client: _Client, missed_since: int | None, life: float) -> AsyncIterator[bytes]:
        until = time.monotonic() + life
        self._clients.add(client)
        try:
            if missed_since is not None:
                await self._resume(client, missed_since)
            yield b"retry: 3000\n\n"
            while (left := until - time.monotonic()) > 0:
                client.called.clear()
                if client.waiting:
                    yield client.take()
                    continue
                try:
                    await asyncio.wait_for(client.called.wait(), min(HEARTBEAT, left))
                except TimeoutError:
                    yield b":\n\n"
        except psycopg.Error as error:
            _log.warning("a client of the event stream must come again: %s", error)
        finally:
            self._clients.discard(client)

    async def _resume(self, client: _Client, change: int) -> None:
        async with (
            self._resuming,
            await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection,
        ):
            touched = await store.touched_since(connection, change)
            if client.datastreams and not client.things:
                touched = {one: at for one, at in touched.items() if one in client.datastreams}
            for value in await store.latest(connection, touched):
                change_of_value = touched[value.datastream_id]
                client.offer(value, change_of_value, _event(value, change_of_value))


def _event(value: LatestValue, change: int) -> bytes:
    more = value.more or {}
    phenomenon_time = format_instant(value.phenomenon_time)
    data = {
        "id": value.id,
        "datastream": value.datastream_id,
        "thing": value.thing_id,
        "phenomenonTime": f"{phenomenon_time}/{more['end']}" if "end" in more else phenomenon_time,
        "resultTime": None if value.result_time is None else format_instant(value.result_time),
        "result": more.get("result", value.number),
        "unit": value.unit,
    }
    return b"id: %d\nevent: observation\ndata: %s\n\n" % (change, msgspec.json.encode(data))


async def events_app(scope: Scope, receive: Receive, send: Send, *, feed: ChangeFeed, reader: Reader) -> None:
    """The ASGI application of the mount, for one authenticated request."""
    given = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    try:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['method']} is not taken here", allow=("GET", "HEAD"))
        query = scope.get("query_string", b"").decode("latin-1")
        stream = await feed.events(query, last_event_id=given.get(b"last-event-id", ""), reader=reader)
    except CityError as error:
        status, headers, body = refusal(error)
        await send({"type": "http.response.start", "status": status, "headers": _pairs(headers)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
        return
    sending = asyncio.ensure_future(_send_all(stream, send, head=scope["method"] == "HEAD"))
    leaving = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, TimeoutError, OSError):
                await task


def _pairs(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


async def _send_all(stream: AsyncIterator[bytes], send: Send, *, head: bool) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _pairs(HEADERS)})
    async for chunk in stream:
        if head:
            break
        await asyncio.wait_for(send({"type": "http.response.body", "body": chunk, "more_body": True}), _STUCK)
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
