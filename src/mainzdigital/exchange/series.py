"""`/series/v1`: values of datastreams over time, for charts, tables and downloads.

A read is a generator of questions to the database; `read` and `read_sync` ask them. Bucketed answers cover whole
buckets of the city's calendar: `from` is moved down and `to` up to the next border.
"""

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any, TypeVar

import psycopg

from mainzdigital.exchange.series_time import STEP, WIDTH, floor, following
from mainzdigital.exchange.series_write import LIMIT, Series, SeriesQuery
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.store import series as store
from mainzdigital.store.series import Header, Question

T = TypeVar("T")
_GAP = 2.5  # times the usual interval
Questions = Generator[Question, Sequence[tuple[Any, ...]], T]


def _headers(query: SeriesQuery, reader: Reader) -> Questions[list[Header]]:
    rows = yield store.headers(reader, query.datastreams)
    found = {row[0]: Header(*(*row, reader)) for row in rows}
    for one in query.datastreams:
        if one not in found:
            raise NotFound(f"there is no Datastream with the id {one}", where="datastreams")
    return [found[one] for one in query.datastreams]


@dataclass(frozen=True, slots=True)
class Part:
    """A datastream, and the part of the period where it has values for the reader; empty where `start` is `end`."""

    header: Header
    start: datetime
    end: datetime


def _part(query: SeriesQuery, header: Header) -> Questions[Part]:
    start = floor(query.start, query.bucket, query.zone)
    end = floor(query.end, query.bucket, query.zone)
    if end < query.end:
        end = following(end, query.bucket, query.zone)
    first, last = header.first, header.last
    if not header.whole:
        ((first, last),) = yield store.extent(header, start, end)
    if first is None or last is None or first >= end or last < start:
        return Part(header, start, start)
    start = max(start, floor(first, query.bucket, query.zone))
    if query.bucket != "raw":
        end = min(end, following(floor(last, query.bucket, query.zone), query.bucket, query.zone))
    return Part(header, start, end)


def _plan(query: SeriesQuery, reader: Reader) -> Questions[list[Part]]:
    """What is to be read; raises NotFound, and InvalidInput where the answer would be too long."""
    parts = []
    left: float = LIMIT[query.form]
    for header in (yield from _headers(query, reader)):
        part = yield from _part(query, header)
        if part.start < part.end:
            if query.bucket == "raw":
                ((count,),) = yield store.count(header, part.start, part.end, limit=int(left) + 1)
                left -= count
            else:
                left -= (part.end - part.start) / WIDTH[query.bucket]
        if left < 0:
            raise _too_many(query)
        parts.append(part)
    return parts


def _too_many(query: SeriesQuery) -> InvalidInput:
    remedy = "ask for a coarser bucket, a shorter period or fewer datastreams"
    if query.form == "json":
        remedy += f", or for format=csv or parquet, which take {LIMIT['csv']}"
    return InvalidInput(f"the answer may have more than {LIMIT[query.form]} points", where="bucket", remedy=remedy)


def _points(query: SeriesQuery, part: Part) -> Questions[Series]:
    if part.start == part.end:
        return Series(part.header, [])
    if query.bucket == "raw":
        return _raw(part.header, (yield store.raw(part.header, part.start, part.end)))
    rows = yield store.buckets(part.header, part.start, part.end, query.bucket)
    if query.percentiles:
        fractions = [one / 100 for one in query.percentiles]
        found: dict[datetime, list[float]] = dict(
            (yield store.percentiles(part.header, part.start, part.end, query.bucket, fractions))
        )
        nothing = [None] * len(fractions)
        rows = [(*row, *found.get(row[0], nothing)) for row in rows]
    return Series(part.header, _filled(rows, query))


def _filled(rows: Sequence[tuple[Any, ...]], query: SeriesQuery) -> list[tuple[Any, ...]]:
    """The buckets in order, those without values between them."""
    points: list[tuple[Any, ...]] = []
    if not rows:
        return points
    empty = (0, *[None] * (len(rows[0]) - 1))
    step, due = STEP.get(query.bucket), rows[0][0]
    for time, count, least, greatest, total, *more in rows:
        while due < time:
            points.append((due, *empty))
            due = due + step if step else following(due, query.bucket, query.zone)
        points.append((time, count, least, total / count, greatest, total, *more))
        due = time + step if step else following(time, query.bucket, query.zone)
    return points


def _raw(header: Header, rows: Sequence[tuple[Any, ...]]) -> Series:
    steps = [(later[0] - row[0]).total_seconds() for row, later in pairwise(rows)]
    real_steps = [step for step in steps if step > 0]
    interval = median(real_steps) if len(real_steps) > 2 else None
    points = []
    for (time, number, other, end), step in zip(rows, [0.0, *steps], strict=False):
        result = number if other is None else other
        points.append((time, result, end, interval is not None and step > _GAP * interval))
    return Series(header, points, interval)


def _all(query: SeriesQuery, reader: Reader) -> Questions[list[Series]]:
    series = []
    for part in (yield from _plan(query, reader)):
        series.append((yield from _points(query, part)))  # noqa: PERF401 - a generator asks between the items
    return series


def _ask_sync(connection: psycopg.Connection, questions: Questions[T]) -> T:
    answer: Sequence[tuple[Any, ...]] | None = None
    try:
        while True:
            statement, parameters = questions.send(answer) if answer is not None else next(questions)
            answer = connection.execute(statement.sql, parameters, prepare=False, binary=True).fetchall()
    except StopIteration as stop:
        result: T = stop.value
        return result


async def _ask(connection: psycopg.AsyncConnection, questions: Questions[T]) -> T:
    answer: Sequence[tuple[Any, ...]] | None = None
    try:
        while True:
            statement, parameters = questions.send(answer) if answer is not None else next(questions)
            cursor = await connection.execute(statement.sql, parameters, prepare=False, binary=True)
            answer = await cursor.fetchall()
    except StopIteration as stop:
        result: T = stop.value
        return result


async def read(connection: psycopg.AsyncConnection, *, reader: Reader, query: SeriesQuery) -> list[Series]:
    """The series in the order asked for. Raises NotFound (not there or hidden) and InvalidInput (too long)."""
    return await _ask(connection, _all(query, reader))


def read_sync(connection: psycopg.Connection, *, reader: Reader, query: SeriesQuery) -> list[Series]:
    """The same for pages."""
    return _ask_sync(connection, _all(query, reader))


async def read_parts(
    connect: Callable[[], AbstractAsyncContextManager[psycopg.AsyncConnection]], *, reader: Reader, query: SeriesQuery
) -> tuple[list[Header], AsyncIterator[Series]]:
    """The series one after another, for answers too long for the memory. What is refused is refused at once.

    A connection is held only while it is asked, not while a slow client takes its bytes.
    """
    async with connect() as connection:
        parts = await _ask(connection, _plan(query, reader))

    async def found() -> AsyncIterator[Series]:
        for part in parts:
            async with connect() as connection, connection.transaction():
                series = await _ask(connection, _points(query, part))
            yield series

    return [part.header for part in parts], found()
