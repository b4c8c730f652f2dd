"""Runs reading plans: a plan yields statements, gets their rows, and returns its answer; one plan, sync or async."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from mainzdigital.kernel.errors import Unavailable
from mainzdigital.store.entities_read import Statement

Rows = Sequence[tuple[Any, ...]]
Answer = TypeVar("Answer")
Plan = Generator[Statement, Rows, Answer]


@contextmanager
def _refusals() -> Generator[None]:
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise Unavailable(
            "the request took too long and was stopped (limit MAINZDIGITAL_READ_SECONDS)",
            remedy="narrow the filter, or ask for less at once",
            retry_after=5,
        ) from error


# Times leave as UTC; the driver gives them in the session's zone.
_UTC = frozenset({"UTC", "Etc/UTC"})


def run(connection: psycopg.Connection[Any], plan: Plan[Answer]) -> Answer:
    """Run a plan; raises what the plan raises, and Unavailable when the statement timeout strikes."""
    with _refusals(), psycopg.RawCursor(connection) as cursor:
        if connection.info.parameter_status("TimeZone") not in _UTC:
            cursor.execute("SET TIME ZONE 'UTC'")
        try:
            statement = next(plan)
            while True:
                cursor.execute(statement.sql, statement.values, binary=True)
                statement = plan.send(cursor.fetchall())
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer


async def run_async(connection: psycopg.AsyncConnection[Any], plan: Plan[Answer]) -> Answer:
    """As `run`, for asyncio."""
    with _refusals():
        async with psycopg.AsyncRawCursor(connection) as cursor:
            if connection.info.parameter_status("TimeZone") not in _UTC:
                await cursor.execute("SET TIME ZONE 'UTC'")
            try:
                statement = next(plan)
                while True:
                    await cursor.execute(statement.sql, statement.values, binary=True)
                    statement = plan.send(await cursor.fetchall())
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer
