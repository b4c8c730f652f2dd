"""What an operator wants to know of the database, in a few statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """`stale_since` is the oldest hour whose rollup is not recomputed; `newest` the newest result that arrived."""

    now: datetime
    bytes: int
    connections: int
    most_connections: int
    missing_migrations: tuple[str, ...]
    stale_hours: int
    newest: datetime | None
    failed_jobs: int


def state(connection: psycopg.Connection, *, expected: Mapping[str, str]) -> DatabaseState:
    """The state of a database; `expected` names the last migration of each app. Works on an empty one too."""
    row = connection.execute(
        "SELECT clock_timestamp(), pg_database_size(current_database()),"
        " (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()),"
        " current_setting('max_connections')::int, to_regclass('django_migrations') IS NOT NULL"
    ).fetchone()
    assert row is not None
    now, size, connections, most, has_tables = row
    applied: set[tuple[str, str]] = set()
    if has_tables:
        applied = applied_migrations(connection)
    missing = tuple(f"{app}.{name}" for app, name in expected.items() if (app, name) not in applied)
    stale, newest, failed = 0, None, 0
    if not missing:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM rollup_stale),"
            " (SELECT max(phenomenon_time) FROM datastream_latest WHERE phenomenon_time <= now()),"
            " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed')"
        ).fetchone()
        assert row is not None
        stale, newest, failed = row
    return DatabaseState(now, size, connections, most, missing, stale, newest, failed)


def applied_migrations(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """(app, name) of the migrations in the database."""
    return set(connection.execute("SELECT app, name FROM django_migrations").fetchall())


async def observations_inserted(connection: psycopg.AsyncConnection) -> int:
    """Rows inserted into the partitions of observations since the server's statistics began; by all processes."""
    cursor = await connection.execute(
        "SELECT coalesce(sum(pg_stat_get_tuples_inserted(inhrelid)), 0)::bigint FROM pg_inherits"
        " WHERE inhparent = 'observation'::regclass"
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
