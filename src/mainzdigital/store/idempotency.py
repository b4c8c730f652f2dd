"""Batches taken under an explicit key: the same key twice is one batch."""

from datetime import datetime

import psycopg

from mainzdigital.store.statements import statement

_CLAIM = statement(
    "idempotency.claim",
    "INSERT INTO ingest_key (key, result) VALUES (%(key)s::text, '{}') ON CONFLICT DO NOTHING RETURNING key",
)
_RESULT = statement("idempotency.result", "SELECT result::text FROM ingest_key WHERE key = %(key)s::text")
_SETTLE = statement(
    "idempotency.settle", "UPDATE ingest_key SET result = %(result)s::text::jsonb WHERE key = %(key)s::text"
)
_PURGE = statement("idempotency.purge", "DELETE FROM ingest_key WHERE at < %(before)s::timestamptz")


def claim(connection: psycopg.Connection, key: str) -> bytes | None:
    """Claim a key in this transaction, or the result (JSON) of who had it before; waits for one not committed yet."""
    while True:
        if connection.execute(_CLAIM.sql, {"key": key}).fetchone() is not None:
            return None
        row = connection.execute(_RESULT.sql, {"key": key}).fetchone()
        if row is not None:
            return str(row[0]).encode()


def settle(connection: psycopg.Connection, key: str, result: bytes) -> None:
    connection.execute(_SETTLE.sql, {"key": key, "result": result.decode()})


def purge(connection: psycopg.Connection, before: datetime) -> int:
    """Forget keys that are older than any retry."""
    return connection.execute(_PURGE.sql, {"before": before}).rowcount
