"""The store beside bare COPY, bare INSERT and bare SELECT."""

import asyncio
import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString

import psutil
import psycopg

from bench.city import BATCH, THINGS
from bench.measure import Budget, Fact, Measured, measured
from mainzdigital.exchange import series
from mainzdigital.exchange.series_write import SeriesQuery
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.queue import GroupCommit
from mainzdigital.ingest.write import write
from mainzdigital.kernel.access import ANONYMOUS
from mainzdigital.store import zone
from mainzdigital.store.observations import BINARY_END, BINARY_HEADER, CopyRow, packed, to_micros

CLIENTS = 64


def me() -> psutil.Process:
    return psutil.Process(os.getpid())


def backends(*connections: psycopg.Connection) -> list[psutil.Process]:
    return [psutil.Process(connection.info.backend_pid) for connection in connections]


def bulk(dsn: str, datastreams: Sequence[int], after: datetime, batches: int) -> list[Measured]:
    """Batches of 10,000 mixed streams: by one writer, and by two side by side; the limit is COPY of the same rows."""
    per_stream = BATCH // THINGS

    def batch(number: int, streams: Sequence[int]) -> Batch:
        repeat = BATCH // len(streams)
        first = after + timedelta(minutes=number * repeat)
        return Batch(
            [NewObservation(one, first + timedelta(minutes=n), 21.5) for n in range(repeat) for one in streams]
        )

    long = datastreams[:THINGS]
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE bare (LIKE observation INCLUDING ALL)")
        rows: list[list[CopyRow]] = []
        for number in range(batches):
            first = after + timedelta(minutes=number * per_stream)
            rows.append(
                [
                    (n, to_micros(first + timedelta(minutes=n)), 21.5, None, one, None, 0, None)
                    for one in long
                    for n in range(per_stream)
                ]
            )
        blocks = [b"".join([BINARY_HEADER, *packed(part), BINARY_END]) for part in rows]
        with measured(
            "bare COPY, one commit per 10,000", batches * BATCH, own=[me()], database=backends(connection)
        ) as limit:
            for block in blocks:
                with connection.cursor().copy(
                    "COPY bare (id, phenomenon_time, number, result_time, datastream_id, foi_id, seq, more) "
                    "FROM STDIN (FORMAT binary)"
                ) as out:
                    out.write(block)
        connection.execute("DROP TABLE bare")
        prepared = [batch(number, long) for number in range(batches)]
        write(connection, batch(-1, long))
        with measured(
            "bulk, batches of 10,000, one writer", batches * BATCH, own=[me()], database=backends(connection),
            budget=Budget("≥ 100,000/s", rate=100_000),
        ) as one:  # fmt: skip
            for part in prepared:
                write(connection, part)
        one.limit = limit
    after += timedelta(minutes=(batches + 1) * per_stream)
    with psycopg.connect(dsn, autocommit=True) as left, psycopg.connect(dsn, autocommit=True) as right:
        halves = [[batch(number, half) for number in range(batches)] for half in (long[::2], long[1::2])]
        threads = [
            threading.Thread(target=lambda c=connection, parts=parts: [write(c, part) for part in parts])
            for connection, parts in zip((left, right), halves, strict=True)
        ]
        with measured(
            "bulk, two writers by datastream", 2 * batches * BATCH, own=[me()], database=backends(left, right),
            budget=Budget("≥ 100,000/s", rate=100_000),
        ) as two:  # fmt: skip
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    return [one, two]


def single(dsn: str, datastreams: Sequence[int], after: datetime, count: int) -> list[Measured]:
    """One observation each from 64 clients, acknowledged after commit; the limit commits bare prepared INSERTs."""

    async def bare() -> Measured:
        connections = [await psycopg.AsyncConnection.connect(dsn, autocommit=True) for _ in range(CLIENTS)]
        await connections[0].execute("CREATE TABLE bare (LIKE observation INCLUDING ALL)")
        left = iter(range(count))

        async def client(connection: psycopg.AsyncConnection) -> None:
            for n in left:
                await connection.execute(
                    "INSERT INTO bare (id, phenomenon_time, number, datastream_id) VALUES (%s, %s, %s, %s)",
                    (n, after + timedelta(seconds=n), 21.5, datastreams[n % THINGS]), prepare=True,
                )  # fmt: skip

        processes = [psutil.Process(connection.info.backend_pid) for connection in connections]
        with measured("bare prepared INSERT, a commit each", count, own=[me()], database=processes) as result:
            await asyncio.gather(*(client(connection) for connection in connections))
        await connections[0].execute("DROP TABLE bare")
        for connection in connections:
            await connection.close()
        return result

    async def grouped() -> Measured:
        queue = GroupCommit(f"{dsn} application_name=bench")
        await asyncio.gather(*(queue.submit(NewObservation(one, after, 1.0)) for one in datastreams[:8]))
        left = iter(range(count))

        async def client() -> None:
            for n in left:
                await queue.submit(NewObservation(datastreams[n % THINGS], after + timedelta(seconds=n), 21.5))

        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            cursor = await connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'bench'")
            processes = [psutil.Process(pid) for (pid,) in await cursor.fetchall()]
        with measured(
            "single, 64 clients, group commit",
            count,
            own=[me()],
            database=processes,
            budget=Budget("≥ 5,000/s", rate=5_000),
        ) as result:
            await asyncio.gather(*(client() for _ in range(CLIENTS)))
        await queue.close()
        return result

    limit = asyncio.run(bare())
    result = asyncio.run(grouped())
    result.limit = limit
    return [result]


def reads(dsn: str, datastreams: Sequence[int], start: datetime, end: datetime, count: int) -> list[Measured]:
    """Bare prepared statements for what the APIs answer, and a series from rollups beside the same from rows."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        database = backends(connection)

        def repeat(name: str, times: int, sql: LiteralString, *, many: bool = True) -> Measured:
            with measured(name, times, own=[me()], database=database) as result:
                for n in range(times):
                    values = (datastreams[n % THINGS],) if many else ()
                    connection.execute(sql, values, prepare=True, binary=True).fetchall()
            return result

        columns: LiteralString = "id, phenomenon_time, number, result_time, more"
        few = max(count // 100, 5)
        newest = repeat(
            "bare prepared statement: newest 100", count,
            f"SELECT {columns} FROM observation WHERE datastream_id = %s "
            "ORDER BY phenomenon_time DESC, seq DESC LIMIT 100",
        )  # fmt: skip
        latest = repeat(
            "bare prepared statement: latest of all", few,
            f"SELECT datastream_id, {columns} FROM datastream_latest", many=False,
        )  # fmt: skip
        from_rows = repeat(
            "hourly means from rows", few,
            "SELECT date_trunc('hour', phenomenon_time, city_zone()), avg(number) FROM observation "
            "WHERE datastream_id = %s GROUP BY 1 ORDER BY 1",
        )  # fmt: skip
        city = zone.city_zone(connection)
        with measured(
            "series: hourly means over all time", few, own=[me()], database=database,
            budget=Budget("≤ 15 ms", wall_ms=15),
        ) as hourly:  # fmt: skip
            for n in range(few):
                query = SeriesQuery((datastreams[n % THINGS],), start, end, "hour", "json", city)
                series.read_sync(connection, reader=ANONYMOUS, query=query)
        hourly.limit = from_rows
        scan = repeat("daily means of the whole city from rows", 1, _CITY_ROWS, many=False)
        daily = repeat("daily means of the whole city, from rollups", 3, _CITY_DAYS, many=False)
        daily.limit, daily.budget = scan, Budget("≤ 300 ms", wall_ms=300)
    return [newest, latest, hourly, daily]


_CITY_ROWS: LiteralString = (
    "SELECT date_trunc('day', phenomenon_time, city_zone()), avg(number) FROM observation GROUP BY 1 ORDER BY 1"
)
_CITY_DAYS: LiteralString = "SELECT bucket, sum(sum) / sum(count) FROM rollup_day GROUP BY 1 ORDER BY 1"


def sizes(dsn: str, rows: int) -> list[Fact]:
    """Bytes of hot storage per observation, indexes included."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'observation'::regclass"
        ).fetchone()
    assert found is not None
    return [Fact("hot storage per observation", float(found[0]) / rows, "bytes", "≤ 130 bytes", 130)]
