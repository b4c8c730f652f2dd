"""The change log: one row per batch or entity, in the transaction of the change; NOTIFY city_change carries its id."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg.types.json import Jsonb

from mainzdigital.store.arrays import BigInts
from mainzdigital.store.statements import statement

CHANNEL = "city_change"
Kind = Literal["insert", "update", "delete", "observations"]

_RECORD = statement(
    "changes.record",
    """
    WITH recorded AS (
      INSERT INTO change_log (kind, entity, ids, details)
      VALUES (%(kind)s::text, %(entity)s::text, %(ids)b::bigint[], %(details)s::jsonb) RETURNING id
    ) SELECT id, pg_notify('city_change', id::text) FROM recorded
    """,
)
_SINCE = statement(
    "changes.since",
    """
    SELECT id, at, kind, entity, ids, details FROM change_log
    WHERE id > %(after)s::bigint ORDER BY id LIMIT %(limit)s::int
    """,
)
_PURGE = statement("changes.purge", "DELETE FROM change_log WHERE at < %(before)s::timestamptz")


@dataclass(frozen=True, slots=True)
class Change:
    """One entry. `ids` are of the entity type `entity`; kind `observations`: datastreams that were written to,

    with details {"written", "replaced", "deleted": counts, "start", "end": phenomenon times touched}.
    """

    id: int
    at: datetime
    kind: str
    entity: str
    ids: list[int]
    details: Mapping[str, object] | None


def record(
    connection: psycopg.Connection,
    *,
    kind: Kind,
    entity: str,
    ids: Sequence[int],
    details: Mapping[str, object] | None = None,
) -> None:
    """Write one entry and notify on commit."""
    connection.execute(
        _RECORD.sql,
        {"kind": kind, "entity": entity, "ids": BigInts(ids), "details": None if details is None else Jsonb(details)},
    )


def since(connection: psycopg.Connection, after: int, *, limit: int = 1000) -> list[Change]:
    """Entries after the id `after`, in order. One with a smaller id may still be committed later."""
    return [Change(*row) for row in connection.execute(_SINCE.sql, {"after": after, "limit": limit}).fetchall()]


def purge(connection: psycopg.Connection, before: datetime) -> int:
    return connection.execute(_PURGE.sql, {"before": before}).rowcount
