"""Rows of the metadata entities: insert, change, link and lock. Deleting stands in `entities_write_delete`.

Every function joins the caller's transaction. Rows are locked in the order of their ids, and a row that is referred to
is locked against deletion until the transaction ends, so that links never point at nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.store import changes
from mainzdigital.store.geometry import Shape
from mainzdigital.store.model import ENTITY_TYPES

INT_LIMIT = 2**31  # exclusive; ids of metadata are integers of four bytes


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
    columns = "encoding_type" if "encodingType" in entity.properties else "''"
    content = next((p.column for p in entity.properties.values() if p.type is ValueType.GEOMETRY), "NULL")
    row = connection.execute(
        f'SELECT {columns}, {content} FROM "{entity.relation}" WHERE id = %s FOR UPDATE', (entity_id,)
    ).fetchone()
    return None if row is None else Current(row[0], row[1])


def hold(connection: psycopg.Connection, entity: EntityType, ids: Iterable[int]) -> set[int]:
    """Lock rows against deletion; returns the ids that exist."""
    wanted = sorted({one for one in ids if 0 < one < INT_LIMIT})
    if not wanted:
        return set()
    rows = connection.execute(
        f'SELECT id FROM "{entity.relation}" WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE', (wanted,)
    ).fetchall()
    return {row[0] for row in rows}


def point(connection: psycopg.Connection, entity: EntityType, ids: Sequence[int], column: str, target: int) -> None:
    """Let the rows `ids` refer to `target` by `column` (the far side of a to-many relation)."""
    changed = ", changed = now()" if entity.has_access else ""
    connection.execute(
        f'UPDATE "{entity.relation}" SET "{column}" = %s{changed} '
        f'WHERE id = ANY(%s) AND "{column}" IS DISTINCT FROM %s',
        (target, sorted(ids), target),
    )


def locations_of(connection: psycopg.Connection, thing: int) -> list[int]:
    """Ids of the locations a thing has now."""
    rows = connection.execute(
        "SELECT location_id FROM thing_location WHERE thing_id = %s ORDER BY location_id", (thing,)
    ).fetchall()
    return [row[0] for row in rows]


def set_locations(connection: psycopg.Connection, thing: int, locations: Sequence[int]) -> None:
    """Replace the locations a thing has now. The thing's row is locked, so that two movers wait for each other."""
    connection.execute("SELECT id FROM thing WHERE id = %s FOR NO KEY UPDATE", (thing,))
    connection.execute("DELETE FROM thing_location WHERE thing_id = %s", (thing,))
    connection.execute(
        "INSERT INTO thing_location (thing_id, location_id) SELECT %s, unnest(%s::int[])",
        (thing, sorted(set(locations))),
    )


def add_history(connection: psycopg.Connection, thing: int, locations: Sequence[int], time: datetime | None) -> int:
    """A HistoricalLocation of a thing at `time`, or now."""
    row = connection.execute(
        "INSERT INTO historical_location (thing_id, time) VALUES (%s, coalesce(%s, clock_timestamp())) RETURNING id",
        (thing, time),
    ).fetchone()
    assert row is not None
    set_history_locations(connection, row[0], locations)
    return int(row[0])


def set_history_locations(connection: psycopg.Connection, history: int, locations: Sequence[int]) -> None:
    """Replace the locations of a HistoricalLocation."""
    connection.execute("DELETE FROM historical_location_location WHERE historical_location_id = %s", (history,))
    connection.execute(
        "INSERT INTO historical_location_location (historical_location_id, location_id) SELECT %s, unnest(%s::int[])",
        (history, sorted(set(locations))),
    )


def add_history_location(connection: psycopg.Connection, histories: Sequence[int], location: int) -> None:
    """Link one location to HistoricalLocations."""
    connection.execute(
        "INSERT INTO historical_location_location (historical_location_id, location_id) SELECT unnest(%s::int[]), %s "
        "ON CONFLICT DO NOTHING",
        (sorted(set(histories)), location),
    )


def is_newest_history(connection: psycopg.Connection, history: int) -> tuple[int, list[int]] | None:
    """(thing, locations) of a HistoricalLocation if no other of its thing is later, else None."""
    row = connection.execute(
        "SELECT h.thing_id, array(SELECT location_id FROM historical_location_location "
        "WHERE historical_location_id = h.id) FROM historical_location h WHERE h.id = %s AND NOT EXISTS "
        "(SELECT 1 FROM historical_location o WHERE o.thing_id = h.thing_id AND o.id <> h.id AND o.time >= h.time)",
        (history,),
    ).fetchone()
    return None if row is None else (row[0], row[1])


@dataclass(frozen=True, slots=True)
class Place:
    """A datastream and its thing's place, as far as a feature of interest is to be made of it."""

    datastream: int
    thing: int
    foi: int | None  # the datastream's own feature
    same: bool  # the datastream's own feature is that of the place
    observed: bool  # the datastream has observations
    location: int | None


def place_of(connection: psycopg.Connection, datastream: int) -> Place | None:
    """The place of a datastream, its row locked; a location in GeoJSON is preferred where there are several."""
    row = connection.execute(
        "SELECT d.thing_id, d.foi_id FROM datastream d WHERE d.id = %s FOR NO KEY UPDATE", (datastream,)
    ).fetchone()
    if row is None:
        return None
    found = connection.execute(
        "SELECT l.id, coalesce((SELECT f.feature = l.location AND f.encoding_type = l.encoding_type "
        "AND f.access = l.access FROM feature_of_interest f WHERE f.id = %(foi)s), false) "
        "FROM thing_location t JOIN location l ON l.id = t.location_id WHERE t.thing_id = %(thing)s "
        "ORDER BY l.geometry IS NULL, l.id LIMIT 1 FOR SHARE OF l",
        {"foi": row[1], "thing": row[0]},
    ).fetchone()
    observed = connection.execute("SELECT 1 FROM datastream_latest WHERE datastream_id = %s", (datastream,)).fetchone()
    return Place(
        datastream=datastream, thing=row[0], foi=row[1], same=bool(found and found[1]),
        observed=observed is not None, location=found[0] if found else None,
    )  # fmt: skip


def feature_of_location(connection: psycopg.Connection, location: int) -> int:
    """The feature of interest that stands for a location: the one made of it before, or a new copy of it."""
    # Two first observations at one place wait for each other here instead of making two features.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('city.feature', %s))", (location,))
    row = connection.execute(
        "SELECT f.id FROM location l JOIN feature_of_interest f ON f.name = l.name AND f.feature = l.location "
        "AND f.encoding_type = l.encoding_type AND f.access = l.access AND (l.box IS NULL OR f.box ~= l.box) "
        "WHERE l.id = %s ORDER BY f.id LIMIT 1 FOR KEY SHARE OF f",
        (location,),
    ).fetchone()
    if row is None:
        row = connection.execute(
            "INSERT INTO feature_of_interest "
            "(name, description, properties, access, encoding_type, feature, geometry, box) "
            "SELECT name, description, properties, access, encoding_type, location, geometry, box FROM location "
            "WHERE id = %s RETURNING id",
            (location,),
        ).fetchone()
        assert row is not None
        changes.record(connection, kind="insert", entity="FeatureOfInterest", ids=[row[0]])
    return int(row[0])


def set_feature(connection: psycopg.Connection, datastream: int, foi: int) -> None:
    """The feature of the datastream's observations that name none."""
    connection.execute("UPDATE datastream SET foi_id = %s WHERE id = %s", (foi, datastream))


def feature_of(connection: psycopg.Connection, datastream: int) -> int | None:
    """The datastream's own feature of interest."""
    row = connection.execute("SELECT foi_id FROM datastream WHERE id = %s", (datastream,)).fetchone()
    return None if row is None else row[0]


def classes_of(connection: psycopg.Connection, datastream: int, foi: int | None) -> frozenset[AccessClass]:
    """The access classes on the way to an observation of a datastream with the feature `foi`, else the datastream's."""
    rows = connection.execute(
        "SELECT d.access, t.access, s.access, o.access, f.access FROM datastream d JOIN thing t ON t.id = d.thing_id "
        "JOIN sensor s ON s.id = d.sensor_id JOIN observed_property o ON o.id = d.observed_property_id "
        "LEFT JOIN feature_of_interest f ON f.id = coalesce(%s, d.foi_id) WHERE d.id = %s",
        (foi, datastream),
    ).fetchall()
    return frozenset(AccessClass(access) for row in rows for access in row if access is not None)


def hidden(connection: psycopg.Connection, entity: str, ids: Sequence[int], classes: Iterable[AccessClass]) -> set[int]:
    """Those of the ids whose own class is none of `classes`; for a Datastream also that of what it belongs to."""
    relation = ENTITY_TYPES[entity].relation
    known = sorted(item.value for item in classes)
    wanted = [one for one in ids if 0 < one < INT_LIMIT]
    if entity == "Datastream":
        rows = connection.execute(
            "SELECT d.id FROM datastream d JOIN thing t ON t.id = d.thing_id JOIN sensor s ON s.id = d.sensor_id "
            "JOIN observed_property o ON o.id = d.observed_property_id WHERE d.id = ANY(%(ids)s) AND NOT "
            "(d.access = ANY(%(known)s) AND t.access = ANY(%(known)s) AND s.access = ANY(%(known)s) "
            "AND o.access = ANY(%(known)s))",
            {"ids": wanted, "known": known},
        ).fetchall()
    else:
        rows = connection.execute(
            f'SELECT id FROM "{relation}" WHERE id = ANY(%s) AND NOT access = ANY(%s)', (wanted, known)
        ).fetchall()
    return {row[0] for row in rows}


async def moves_datastreams(connection: psycopg.AsyncConnection, entries: Sequence[int]) -> bool:
    """Whether entries of the change log may alter what an observation of an existing datastream meets."""
    cursor = await connection.execute(
        "SELECT 1 FROM change_log WHERE id = ANY(%s) AND kind <> 'observations' "
        "AND (kind <> 'insert' OR entity IN ('Location', 'HistoricalLocation')) LIMIT 1",
        (list(entries),),
    )
    return await cursor.fetchone() is not None
