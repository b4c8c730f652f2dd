import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.access import ANONYMOUS, Reader, Scope, reader_for
from mainzdigital.kernel.errors import InvalidInput, Unavailable
from mainzdigital.serve.events import ChangeFeed, events_app
from tests.store.datastreams import make_datastreams, make_feature

T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MANAGER = reader_for("key:1", Scope.MANAGE)


def run(dsn: str, work: Callable[[ChangeFeed], Awaitable[None]], *, most_clients: int = 500) -> None:
    async def with_feed() -> None:
        feed = ChangeFeed(dsn, most_clients=most_clients)
        task = asyncio.create_task(feed.run())
        try:
            await asyncio.wait_for(feed.listening.wait(), 10)
            await asyncio.wait_for(work(feed), 60)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    asyncio.run(with_feed())


async def opened(
    feed: ChangeFeed, query: str = "", *, last: str = "", reader: Reader = ANONYMOUS
) -> AsyncIterator[bytes]:
    stream = await feed.events(query, last_event_id=last, reader=reader)
    assert await anext(stream) == b"retry: 3000\n\n"
    return stream


async def told(stream: AsyncIterator[bytes], count: int) -> list[dict[str, Any]]:
    """The next events, each with its id under `change`."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        for block in (await anext(stream)).decode().split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
            if "data" in lines:
                found.append(json.loads(lines["data"]) | {"change": lines["id"]})
    assert len(found) == count
    return found


def put(connection: psycopg.Connection, stream: int, value: Any, minute: int = 0, **more: Any) -> None:
    write(connection, Batch([NewObservation(stream, T + timedelta(minutes=minute), value, **more)]))


def test_newest_values_reach_whoever_asked_for_them(dsn: str, conn: psycopg.Connection) -> None:
    one, two = make_datastreams(conn, 2)
    (elsewhere,) = make_datastreams(conn, 1)
    thing = conn.execute("SELECT thing_id FROM datastream WHERE id = %s", (elsewhere,)).fetchone()
    assert thing is not None

    async def work(feed: ChangeFeed) -> None:
        everything, only_two, one_thing = (
            await opened(feed), await opened(feed, f"datastreams={two}"), await opened(feed, f"things={thing[0]}"),
        )  # fmt: skip
        await asyncio.to_thread(
            write, conn, Batch([NewObservation(n, T, 1.5, result_time=T) for n in (one, two, elsewhere)])
        )
        (event,) = await told(only_two, 1)
        assert event.pop("change").isdigit()
        assert event.pop("id") > 2**40
        assert event == {
            "datastream": two, "thing": thing[0] - 1, "phenomenonTime": "2026-03-01T12:00:00Z",
            "resultTime": "2026-03-01T12:00:00Z", "result": 1.5, "unit": "µg/m³",
        }  # fmt: skip
        assert [event["datastream"] for event in await told(one_thing, 1)] == [elsewhere]
        assert {event["datastream"] for event in await told(everything, 3)} == {one, two, elsewhere}
        # Late data change nothing that is newest; the next event is the newer value.
        await asyncio.to_thread(put, conn, two, 0.0, -60)
        await asyncio.to_thread(put, conn, two, 2.5, 1)
        assert [event["result"] for event in await told(only_two, 1)] == [2.5]

    run(dsn, work)


@pytest.mark.parametrize("hidden", ["datastream", "thing", "sensor", "observed_property", "feature_of_interest"])
def test_hidden_values_reach_nobody_who_may_not_see_them(dsn: str, conn: psycopg.Connection, hidden: str) -> None:
    (seen,) = make_datastreams(conn, 1)
    (secret,) = make_datastreams(conn, 1)
    feature = make_feature(conn)
    conn.execute("UPDATE datastream SET foi_id = %s WHERE id = %s", (feature, secret))
    row = conn.execute(
        "SELECT id, thing_id, sensor_id, observed_property_id, foi_id FROM datastream WHERE id = %s", (secret,)
    ).fetchone()
    assert row is not None
    tables = ["datastream", "thing", "sensor", "observed_property", "feature_of_interest"]
    conn.execute(f"UPDATE {hidden} SET access = 'personal' WHERE id = {row[tables.index(hidden)]}".encode())

    async def work(feed: ChangeFeed) -> None:
        public, staff = await opened(feed), await opened(feed, reader=MANAGER)
        asked = await opened(feed, f"datastreams={secret},{seen}")
        await asyncio.to_thread(put, conn, secret, 1.0)
        assert [event["datastream"] for event in await told(staff, 1)] == [secret]
        await asyncio.to_thread(put, conn, seen, 2.0)
        assert [event["datastream"] for event in await told(public, 1)] == [seen]
        assert [event["datastream"] for event in await told(asked, 1)] == [seen]
        resumed = await opened(feed, last="0")
        assert [event["datastream"] for event in await told(resumed, 1)] == [seen]

    run(dsn, work)


def test_who_comes_back_gets_what_was_missed_and_who_is_slow_the_newest(dsn: str, conn: psycopg.Connection) -> None:
    one, two, three = make_datastreams(conn, 3)

    async def work(feed: ChangeFeed) -> None:
        stream = await opened(feed)
        await asyncio.to_thread(put, conn, one, 1.0)
        (last,) = await told(stream, 1)
        await stream.aclose()  # type: ignore[attr-defined]
        assert feed.clients == 0
        conn.execute("UPDATE change_log SET at = at - interval '1 hour'")
        await asyncio.to_thread(put, conn, two, 1.0)
        await asyncio.to_thread(put, conn, three, 1.0)
        conn.execute("UPDATE change_log SET at = at + interval '1 hour' WHERE id > %s", (int(last["change"]),))
        again = await opened(feed, last=last["change"])
        missed = await told(again, 3)  # the last one again: a minute of overlap
        assert [event["datastream"] for event in missed] == [one, two, three]
        assert [int(event["change"]) for event in missed] == sorted(int(event["change"]) for event in missed)
        # Nobody reads while a hundred values come; then each datastream has one event, the newest.
        for n in range(50):
            await asyncio.to_thread(put, conn, two, float(n), n + 1)
            await asyncio.to_thread(put, conn, one, float(n), n + 1)
        witness = await opened(feed, f"datastreams={three}")
        await asyncio.to_thread(put, conn, three, 7.0, 5)
        await told(witness, 1)
        events = await told(again, 3)
        assert [(event["datastream"], event["result"]) for event in events] == [(two, 49.0), (one, 49.0), (three, 7.0)]

    run(dsn, work)


def test_the_stream_goes_on_after_the_database_was_away(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)

    async def work(feed: ChangeFeed) -> None:
        stream = await opened(feed)
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'feed'")
        await asyncio.to_thread(put, conn, one, 1.0)
        assert [event["result"] for event in await told(stream, 1)] == [1.0]

    run(f"{dsn} application_name=feed", work)


def test_bad_questions_and_too_many_listeners_are_refused(dsn: str, conn: psycopg.Connection) -> None:
    async def work(feed: ChangeFeed) -> None:
        for query in ("datastreams=x", "things=", "all=1"):
            with pytest.raises(InvalidInput):
                await feed.events(query, last_event_id="", reader=ANONYMOUS)
        streams = [await opened(feed, last="nonsense") for _ in range(2)]
        with pytest.raises(Unavailable) as error:
            await feed.events("", last_event_id="", reader=ANONYMOUS)
        assert error.value.retry_after
        assert len(streams) == 2

    run(dsn, work, most_clients=2)


def test_over_http_a_stream_ends_when_the_client_leaves(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)

    async def work(feed: ChangeFeed) -> None:
        sent: asyncio.Queue[Any] = asyncio.Queue()
        gone = asyncio.Event()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        def ask(method: str, query: bytes = b"") -> Coroutine[Any, Any, None]:
            scope = {"type": "http", "method": method, "query_string": query, "headers": []}
            return events_app(scope, receive, sent.put, feed=feed, reader=ANONYMOUS)

        listening = asyncio.create_task(ask("GET"))
        start = await sent.get()
        assert (start["status"], dict(start["headers"])[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
        assert (await sent.get())["body"] == b"retry: 3000\n\n"
        await asyncio.to_thread(put, conn, one, 1.0)
        assert b'"result":1.0' in (await sent.get())["body"]
        gone.set()
        await listening
        assert feed.clients == 0
        await ask("POST")
        assert (await sent.get())["status"] == 405
        await sent.get()
        await ask("GET", b"datastreams=x")
        assert (await sent.get())["status"] == 400

    run(dsn, work)
