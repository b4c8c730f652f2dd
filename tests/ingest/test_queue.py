import asyncio
from datetime import UTC, datetime, timedelta

import psycopg

from mainzdigital.ingest.batch import NewObservation
from mainzdigital.ingest.queue import GroupCommit
from mainzdigital.kernel.errors import InvalidInput, Unavailable
from tests.store.datastreams import all_rows, assert_consistent, make_datastreams

T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_many_clients_get_their_own_ids_after_the_commit(dsn: str, conn: psycopg.Connection) -> None:
    streams = make_datastreams(conn, 8)

    async def client(queue: GroupCommit, number: int) -> list[tuple[int, float]]:
        answers = []
        for n in range(5):
            value = number * 100.0 + n
            one = await queue.submit(NewObservation(streams[number % 8], T + timedelta(minutes=n), value))
            # Acknowledged means committed: another connection sees it.
            async with await psycopg.AsyncConnection.connect(dsn) as other:
                cursor = await other.execute("SELECT number FROM observation WHERE id = %s", (one,))
                assert await cursor.fetchone() == (value,)
            answers.append((one, value))
        return answers

    async def run() -> list[tuple[int, float]]:
        queue = GroupCommit(dsn)
        try:
            results = await asyncio.gather(*(client(queue, number) for number in range(16)))
        finally:
            await queue.close()
        return [pair for pairs in results for pair in pairs]

    answers = asyncio.run(run())
    assert sorted(answers) == sorted((row[3], row[4]) for row in all_rows(conn))
    assert len(answers) == 80
    assert_consistent(conn)


def test_a_bad_observation_is_refused_alone(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)

    async def run() -> list[object]:
        queue = GroupCommit(dsn, writers=1)
        try:
            results = await asyncio.gather(
                queue.submit(NewObservation(one, T, 1.0)),
                queue.submit(NewObservation(one, T, float("nan"))),
                queue.submit(NewObservation(999_999, T, 1.0)),
                queue.submit(NewObservation(one, T, 2.0)),
                return_exceptions=True,
            )
            return list(results)
        finally:
            await queue.close()

    first, second, third, fourth = asyncio.run(run())
    assert isinstance(first, int)
    assert isinstance(fourth, int)
    assert isinstance(second, InvalidInput)
    assert second.where == "result"
    assert isinstance(third, InvalidInput)
    assert third.where == "Datastream"


def test_the_queue_is_bounded_and_closing_writes_what_waits(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)

    async def run() -> list[object]:
        queue = GroupCommit(dsn, writers=1, capacity=5)
        conn.execute("BEGIN")
        conn.execute("SELECT 1 FROM datastream FOR UPDATE")  # the writer waits for us
        tasks = [asyncio.create_task(queue.submit(NewObservation(one, T, float(n)))) for n in range(40)]
        await asyncio.sleep(0.2)
        conn.execute("COMMIT")
        await queue.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    results = asyncio.run(run())
    refused = [result for result in results if isinstance(result, Unavailable)]
    assert refused
    assert all(error.retry_after for error in refused)
    assert sorted(row[3] for row in all_rows(conn)) == sorted(one for one in results if isinstance(one, int))
    assert len(all_rows(conn)) == 40 - len(refused) >= 5


def test_the_queue_goes_on_after_the_database_was_away(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)

    async def run() -> list[object]:
        queue = GroupCommit(f"{dsn} application_name=queue", writers=1)
        results: list[object] = [await queue.submit(NewObservation(one, T, 1.0))]
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'queue'")
        for value in (2.0, 3.0):
            try:
                results.append(await queue.submit(NewObservation(one, T, value)))
            except Unavailable as error:
                results.append(error)
        await queue.close()
        return results

    first, second, third = asyncio.run(run())
    assert isinstance(first, int)
    assert isinstance(second, Unavailable)
    assert isinstance(third, int)
    assert [row[4] for row in all_rows(conn)] == [1.0, 3.0]
