"""Connections to the city's database: named, bounded in time, without the planner's parallel workers and JIT.

Those two cost the short statements of the data APIs more than they give (architecture §11).
"""

import select
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

STATEMENT_SECONDS = 30


def conninfo(dsn: str, *, name: str, statement_seconds: float | None = STATEMENT_SECONDS) -> str:
    """The connection string with the options of every connection of ours; `name` shows in pg_stat_activity."""
    options = {"jit": "off", "max_parallel_workers_per_gather": "0", "timezone": "UTC"}
    if statement_seconds is not None:
        options["statement_timeout"] = str(round(statement_seconds * 1000))
        options["idle_in_transaction_session_timeout"] = "60000"
    return make_conninfo(
        dsn,
        application_name=f"mainzdigital {name}",
        connect_timeout=10,
        options=" ".join(f"-c {key}={value}" for key, value in options.items()),
        # A server whose machine vanished is noticed within half a minute.
        keepalives_idle=10, keepalives_interval=5, keepalives_count=3,
    )  # fmt: skip


def connect(dsn: str, *, name: str, statement_seconds: float | None = STATEMENT_SECONDS) -> psycopg.Connection:
    """A synchronous autocommit connection; transactions are begun by `connection.transaction()`."""
    return psycopg.connect(conninfo(dsn, name=name, statement_seconds=statement_seconds), autocommit=True)


def pool(dsn: str, *, name: str, size: int, waiting: int = 1000, wait_seconds: float = 10) -> AsyncConnectionPool:
    """A closed pool of autocommit connections; at most `waiting` callers queue, for `wait_seconds` each."""
    return AsyncConnectionPool(
        conninfo(dsn, name=name),
        min_size=min(2, size),
        max_size=size,
        max_waiting=waiting,
        timeout=wait_seconds,
        max_idle=300,
        max_lifetime=3600,
        reconnect_timeout=60,
        check=check_alive,
        kwargs={"autocommit": True},
        name=name,
        open=False,
    )


async def check_alive(connection: psycopg.AsyncConnection) -> None:
    """Raise OperationalError if the server has closed this idle connection.

    A look at the socket instead of a question to the server: an idle connection has nothing to read unless the server
    said goodbye or sent a notice, and only then it is asked.
    """
    look = select.poll()
    look.register(connection.fileno(), select.POLLIN)
    if look.poll(0):
        await AsyncConnectionPool.check_connection(connection)


async def migrated(connection: psycopg.AsyncConnection, expected: Mapping[str, str]) -> bool:
    """Whether the last migration of each app (`expected`: app → name) is applied."""
    cursor = await connection.execute(
        "SELECT app, name FROM django_migrations WHERE (app, name) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        (list(expected), list(expected.values())),
    )
    return len(await cursor.fetchall()) >= len(expected)
