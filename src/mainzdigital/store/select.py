"""Runs reading plans: a plan yields statements, gets their rows, and returns its answer; one plan, sync or async."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from mainzdigital.kernel.errors import Unavailable
from mainzdigital.store.entities_read import Statement

Rows = Sequence[tuple[Any, ...]]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Compute:
    """Work between two statements that takes the processor long: done beside the event loop."""

    work: Callable[[], object]


Plan = Generator[Statement | Compute, Any, Answer]


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
                if isinstance(statement, Compute):
                    statement = plan.send(statement.work())
                    continue
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
                    if isinstance(statement, Compute):
                        statement = plan.send(await asyncio.to_thread(statement.work))
                        continue
                    await cursor.execute(statement.sql, statement.values, binary=True)
                    statement = plan.send(await cursor.fetchall())
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer
