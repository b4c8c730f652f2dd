"""How far files (and the simulator) have come, and which entities came from which source.

What a source made carries `properties.origin` = {"source", "key"}: the natural key under which it is found again.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import psycopg

from mainzdigital.store.statements import statement

Keyed = Literal["Thing", "Datastream", "Sensor", "ObservedProperty"]

_FIND = statement(
    "progress.find",
    """
    SELECT position, rows_read, rows_rejected, finished IS NOT NULL FROM file_progress
    WHERE source = %(source)s::text AND sha256 = %(sha256)s::text
    """,
)
_SAVE = statement(
    "progress.save",
    """
    INSERT INTO file_progress (source, sha256, name, position, rows_read, rows_rejected, finished)
    VALUES (%(source)s::text, %(sha256)s::text, %(name)s::text, %(position)s::bigint, %(rows_read)s::bigint,
            %(rows_rejected)s::bigint, CASE WHEN %(finished)s::boolean THEN now() END)
    ON CONFLICT (source, sha256) DO UPDATE SET name = excluded.name, position = excluded.position,
      rows_read = excluded.rows_read, rows_rejected = excluded.rows_rejected, finished = excluded.finished
    """,
)
_THINGS = statement(
    "progress.things",
    """
    SELECT t.properties->'origin'->>'key', t.id, t.name, t.description, t.properties, (
      SELECT l.location FROM location l JOIN thing_location tl ON tl.location_id = l.id
      WHERE tl.thing_id = t.id ORDER BY l.id DESC LIMIT 1)
    FROM thing t WHERE t.properties->'origin'->>'source' = %(source)s::text
    """,
)
_OTHERS = {
    "Datastream": statement(
        "progress.datastreams",
        """
        SELECT properties->'origin'->>'key', id, name, description, properties, NULL
        FROM datastream WHERE properties->'origin'->>'source' = %(source)s::text
        """,
    ),
    "Sensor": statement(
        "progress.sensors",
        """
        SELECT properties->'origin'->>'key', id, name, description, properties, NULL
        FROM sensor WHERE properties->'origin'->>'source' = %(source)s::text
        """,
    ),
    "ObservedProperty": statement(
        "progress.observed_properties",
        """
        SELECT properties->'origin'->>'key', id, name, description, properties, NULL
        FROM observed_property WHERE properties->'origin'->>'source' = %(source)s::text
        """,
    ),
}
_LOCK = statement("progress.lock", "SELECT pg_try_advisory_lock(%(number)s::bigint)")
_UNLOCK = statement("progress.unlock", "SELECT pg_advisory_unlock(%(number)s::bigint)")


@dataclass(frozen=True, slots=True)
class FileProgress:
    """`position`: the last row (or, for the simulator, the second since 1970) that is committed."""

    position: int
    rows_read: int
    rows_rejected: int
    finished: bool


@dataclass(slots=True)
class Known:
    """An entity that a source made; `location` is the GeoJSON of a thing's newest location."""

    id: int
    name: str
    description: str
    properties: dict[str, object]
    location: dict[str, object] | None


def find(connection: psycopg.Connection, *, source: str, sha256: str) -> FileProgress | None:
    row = connection.execute(_FIND.sql, {"source": source, "sha256": sha256}).fetchone()
    return FileProgress(*row) if row else None


def save(
    connection: psycopg.Connection, *, source: str, sha256: str, name: str, position: int, rows_read: int,
    rows_rejected: int, finished: bool,
) -> None:  # fmt: skip
    """Note how far a file is, in the transaction of its rows."""
    connection.execute(
        _SAVE.sql,
        {"source": source, "sha256": sha256, "name": name, "position": position, "rows_read": rows_read,
         "rows_rejected": rows_rejected, "finished": finished},
    )  # fmt: skip


def keyed(connection: psycopg.Connection, entity: Keyed, *, source: str) -> dict[str, Known]:
    """All entities of a type that a source made, by their natural key."""
    query = _THINGS if entity == "Thing" else _OTHERS[entity]
    rows = connection.execute(query.sql, {"source": source}).fetchall()
    return {key: Known(*rest) for key, *rest in rows if key is not None}


def _lock_number(source: str) -> int:
    return int.from_bytes(hashlib.sha256(f"mainzdigital source {source}".encode()).digest()[:8], signed=True)


def lock(connection: psycopg.Connection, source: str) -> bool:
    """Be the only reader of a source for as long as the connection lives; False if another one is."""
    row = connection.execute(_LOCK.sql, {"number": _lock_number(source)}).fetchone()
    return bool(row and row[0])


def unlock(connection: psycopg.Connection, source: str) -> None:
    connection.execute(_UNLOCK.sql, {"number": _lock_number(source)})
