"""API keys as the data APIs look them up: by digest, in one statement. No Django.

Revocation, a new end, deletion of a key and the closing of its owner's account are told on the channel `city_keys`
(migration 0002 of identity): the payload is the digest, or empty: forget all.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import tuple_row

from mainzdigital.kernel.access import Reader, Scope, reader_for

CHANNEL = "city_keys"

# The day of last use is all that is kept, so a key in heavy use costs one write a day.
FIND: LiteralString = """
WITH found AS (
  SELECT k.id, k.scope, k.expires, k.last_used
  FROM api_key k LEFT JOIN account a ON a.id = k.owner_id
  WHERE k.digest = %(digest)s AND k.revoked IS NULL AND (k.expires IS NULL OR k.expires > now())
    AND (k.owner_id IS NULL OR a.is_active)
), used AS (
  UPDATE api_key SET last_used = CURRENT_DATE
  WHERE id = (SELECT id FROM found WHERE last_used IS DISTINCT FROM CURRENT_DATE)
)
SELECT id, scope, expires FROM found
"""


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key in force; `expires` bounds how long an answer may be cached."""

    id: int
    scope: Scope
    expires: datetime | None

    @property
    def reader(self) -> Reader:
        return reader_for(f"key:{self.id}", self.scope)


async def find_key(connection: psycopg.AsyncConnection, digest: str) -> FoundKey | None:
    """The key of this digest (tokens.digest), if it is in force now; notes the day of its use."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(FIND, {"digest": digest})
        return _found(await cursor.fetchone())


def find_key_sync(connection: psycopg.Connection, digest: str) -> FoundKey | None:
    """As `find_key`."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return _found(cursor.execute(FIND, {"digest": digest}).fetchone())


def _found(row: tuple[int, str, datetime | None] | None) -> FoundKey | None:
    return FoundKey(row[0], Scope(row[1]), row[2]) if row else None
