"""Rows of the metadata entities: insert, change, link and lock. Places and deleting stand in files of their own.

Every function joins the caller's transaction. Rows are locked in the order of their ids, and a row that is referred to
is locked against deletion until the transaction ends, so that links never point at nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.types.json import Jsonb

from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.store.geometry import Shape
from mainzdigital.store.model import ENTITY_TYPES, STREAMS
from mainzdigital.store.statements import statement

INT_LIMIT = 2**31  # exclusive; ids of metadata are integers of four bytes


_ROWS = {name: item for name, item in ENTITY_TYPES.items() if name != "Observation"}


def _content(entity: EntityType) -> str:
    """Columns with the encoding and content of a location or feature."""
    if "encodingType" not in entity.properties:
        return "''::text, NULL::jsonb"
    geometry = next((known.column for known in entity.properties.values() if known.type is ValueType.GEOMETRY), "NULL")
    return f"encoding_type, {geometry}"


_LOCK = {
    name: statement(
        f"entities_write.lock.{name}",
        f'SELECT {_content(item)} FROM "{item.relation}" WHERE id = %(id)s::int FOR UPDATE',
    )
    for name, item in _ROWS.items()
}
_HOLD = {
    name: statement(
        f"entities_write.hold.{name}",
        f'SELECT id FROM "{item.relation}" WHERE id = ANY(%(ids)s::int[]) ORDER BY id FOR KEY SHARE',
    )
    for name, item in _ROWS.items()
}
_POINT = {
    (name, navigation.name): statement(
        f"entities_write.point.{name}.{navigation.name}",
        f'UPDATE "{_ROWS[navigation.target].relation}" SET "{navigation.remote}" = %(target)s::int'
        + (", changed = now()" if _ROWS[navigation.target].has_access else "")
        + f' WHERE id = ANY(%(ids)s::int[]) AND "{navigation.remote}" IS DISTINCT FROM %(target)s::int',
    )
    for name, item in _ROWS.items()
    for navigation in item.navigations.values()
    if navigation.remote and navigation.target in _ROWS
}
_HIDDEN = {
    name: statement(
        f"entities_write.hidden.{name}",
        f'SELECT id FROM "{item.relation}" WHERE id = ANY(%(ids)s::int[]) AND NOT access = ANY(%(known)s::text[])',
    )
    for name, item in _ROWS.items()
    if item.has_access and name not in STREAMS
}
_HIDDEN["Datastream"] = statement(
    "entities_write.hidden.Datastream",
    """
    SELECT d.id FROM datastream d JOIN thing t ON t.id = d.thing_id JOIN sensor s ON s.id = d.sensor_id
    JOIN observed_property o ON o.id = d.observed_property_id
    WHERE d.id = ANY(%(ids)s::int[])
      AND NOT ARRAY[d.access, t.access, s.access, o.access]::text[] <@ %(known)s::text[]
    """,
)
_HIDDEN["MultiDatastream"] = statement(
    "entities_write.hidden.MultiDatastream",
    """
    SELECT d.id FROM multi_datastream d JOIN thing t ON t.id = d.thing_id JOIN sensor s ON s.id = d.sensor_id
    WHERE d.id = ANY(%(ids)s::int[]) AND (
      NOT ARRAY[d.access, t.access, s.access]::text[] <@ %(known)s::text[]
      OR d.id IN (
        SELECT l.datastream_id FROM multi_datastream_observed_property l JOIN observed_property o
          ON o.id = l.observed_property_id WHERE NOT o.access = ANY(%(known)s::text[])
      )
    )
    """,
)
_CLASSES = statement(
    "entities_write.classes",
    """
    SELECT d.access, t.access, s.access, o.access, f.access FROM single_datastream d JOIN thing t ON t.id = d.thing_id
    JOIN sensor s ON s.id = d.sensor_id JOIN observed_property o ON o.id = d.observed_property_id
    LEFT JOIN feature_of_interest f ON f.id = coalesce(%(foi)s::int, d.foi_id) WHERE d.id = %(datastream)s::int
    """,
)
_MOVES = statement(
    "entities_write.moves",
    """
    SELECT 1 FROM change_log WHERE id = ANY(%(entries)s::bigint[]) AND kind <> 'observations'
      AND (kind <> 'insert' OR entity IN ('Location', 'HistoricalLocation')) LIMIT 1
    """,
)


_HAS_AREA = statement(
    "entities_write.has_area", "SELECT observed_area IS NOT NULL FROM datastream WHERE id = %(datastream)s::int"
)


def has_area(connection: psycopg.Connection, datastream: int) -> bool:
    """Was the observedArea of a datastream given, so that none is worked out?"""
    row = connection.execute(_HAS_AREA.sql, {"datastream": datastream}).fetchone()
    return row is not None and bool(row[0])


def _columns(entity: EntityType, values: Mapping[str, object]) -> dict[str, object]:
    """Column values for values by property name."""
    columns: dict[str, object] = {}
    for name, value in values.items():
        known = entity.properties[name]
        if known.type is ValueType.GEOMETRY:
            columns[known.column] = Jsonb(value.content) if isinstance(value, Shape) else None
            if "encodingType" in entity.properties:
                columns["geometry"] = value.wkb if isinstance(value, Shape) else None
                columns["box"] = value.box if isinstance(value, Shape) else None
        elif known.type is ValueType.JSON:
            columns[known.column] = None if value is None else Jsonb(value)
        else:
            columns[known.column] = value
    return columns


def insert(
    connection: psycopg.Connection,
    entity: EntityType,
    values: Mapping[str, object],
    *,
    references: Mapping[str, int],
    access: AccessClass | None,
) -> int:
    """Insert one row; `values` by property name, `references` by column. Returns the new id."""
    columns = {**_columns(entity, values), **references}
    if access is not None:
        columns["access"] = access.value
    names = ", ".join(f'"{name}"' for name in columns)
    marks = ", ".join(f"%({name})s" for name in columns)
    row = connection.execute(
        f'INSERT INTO "{entity.relation}" ({names}) VALUES ({marks}) RETURNING id', columns
    ).fetchone()
    assert row is not None
    return int(row[0])


def change(
    connection: psycopg.Connection,
    entity: EntityType,
    entity_id: int,
    values: Mapping[str, object],
    *,
    references: Mapping[str, int],
    access: AccessClass | None,
) -> None:
    """Set the given properties and references of one row; what is not named stays."""
    columns = {**_columns(entity, values), **references}
    if access is not None:
        columns["access"] = access.value
    sets = [f'"{name}" = %({name})s' for name in columns]
    if entity.has_access:
        sets.append("changed = now()")
    if sets:
        connection.execute(
            f'UPDATE "{entity.relation}" SET {", ".join(sets)} WHERE id = %(id)s', {**columns, "id": entity_id}
        )


@dataclass(frozen=True, slots=True)
class Current:
    """What a change needs to know of the row it changes."""

    encoding: str
    content: object


def lock(connection: psycopg.Connection, entity: EntityType, entity_id: int) -> Current | None:
    """Lock one row for a change; None where there is none."""
    if not 0 < entity_id < INT_LIMIT:
        return None
    row = connection.execute(_LOCK[entity.name].sql, {"id": entity_id}).fetchone()
    return None if row is None else Current(row[0], row[1])


def hold(connection: psycopg.Connection, entity: EntityType, ids: Iterable[int]) -> set[int]:
    """Lock rows against deletion; returns the ids that exist."""
    wanted = sorted({one for one in ids if 0 < one < INT_LIMIT})
    if not wanted:
        return set()
    return {row[0] for row in connection.execute(_HOLD[entity.name].sql, {"ids": wanted}).fetchall()}


def point(connection: psycopg.Connection, owner: EntityType, relation: str, ids: Sequence[int], target: int) -> None:
    """Let the rows `ids` refer to the `owner` with the id `target`: a to-many relation seen from its one end."""
    connection.execute(_POINT[owner.name, relation].sql, {"ids": sorted(ids), "target": target})


def classes_of(connection: psycopg.Connection, datastream: int, foi: int | None) -> frozenset[AccessClass]:
    """The access classes on the way to an observation of a Datastream with the feature `foi`, else the datastream's.

    None where there is no such Datastream.
    """
    rows = connection.execute(_CLASSES.sql, {"datastream": datastream, "foi": foi}).fetchall()
    return frozenset(AccessClass(access) for row in rows for access in row if access is not None)


def hidden(connection: psycopg.Connection, entity: str, ids: Sequence[int], classes: Iterable[AccessClass]) -> set[int]:
    """Those of the ids whose own class is none of `classes`; for a Datastream also that of what it belongs to."""
    values = {
        "ids": [one for one in ids if 0 < one < INT_LIMIT], "known": sorted(item.value for item in classes),
    }  # fmt: skip
    return {row[0] for row in connection.execute(_HIDDEN[entity].sql, values).fetchall()}


async def moves_datastreams(connection: psycopg.AsyncConnection, entries: Sequence[int]) -> bool:
    """Whether entries of the change log may alter what an observation of an existing datastream meets."""
    cursor = await connection.execute(_MOVES.sql, {"entries": list(entries)})
    return await cursor.fetchone() is not None
