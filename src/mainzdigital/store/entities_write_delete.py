"""Deleting metadata entities with what cannot be without them (18-088, 10.4, table 25).

First everything concerned is locked (`hold`), then the caller has the observations deleted, then the rows go
(`remove`). A write of observations that began earlier is waited for, one that begins later finds nothing.
"""

from collections.abc import Mapping, Sequence

import psycopg

from mainzdigital.kernel.entities import EntityType
from mainzdigital.store import changes
from mainzdigital.store import entities_write as rows
from mainzdigital.store.entities_write import INT_LIMIT
from mainzdigital.store.model import ENTITY_TYPES, STREAMS
from mainzdigital.store.statements import Statement, statement

_OWNERS = {
    "Thing": "thing_id", "Sensor": "sensor_id", "ObservedProperty": "observed_property_id", "Datastream": "id",
    "MultiDatastream": "id", "FeatureOfInterest": "foi_id",
}  # fmt: skip
_TABLES = {name: item.relation for name, item in ENTITY_TYPES.items() if name in STREAMS}
# An ObservedProperty takes the MultiDatastreams with it that have it at any position.
_ALSO = {
    "ObservedProperty": " OR id IN (SELECT datastream_id FROM multi_datastream_observed_property "
    "WHERE observed_property_id = %(id)s::int)"
}
_LOCK_STREAMS = {
    name: statement(
        f"entities_write.lock_streams.{name}",
        f"SELECT id FROM {_TABLES.get(name, 'datastream')} WHERE {column} = %(id)s::int{_ALSO.get(name, '')} "
        "ORDER BY id FOR UPDATE",
    )
    for name, column in _OWNERS.items()
}
_DELETE = {
    name: statement(
        f"entities_write.delete.{name}",
        f'DELETE FROM "{item.relation}" WHERE id = ANY(%(ids)s::int[]) RETURNING id',
    )
    for name, item in ENTITY_TYPES.items()
    if name != "Observation"
}
_HISTORIES = {
    "Thing": statement(
        "entities_write.histories.Thing", "SELECT id FROM historical_location WHERE thing_id = %(id)s::int ORDER BY id"
    ),
    "Location": statement(
        "entities_write.histories.Location",
        """
        SELECT historical_location_id FROM historical_location_location WHERE location_id = %(id)s::int
        ORDER BY historical_location_id
        """,
    ),
}
_UNLINK = {
    "Thing": statement("entities_write.unlink.Thing", "DELETE FROM thing_location WHERE thing_id = %(id)s::int"),
    "Location": statement(
        "entities_write.unlink.Location", "DELETE FROM thing_location WHERE location_id = %(id)s::int"
    ),
    "FeatureOfInterest": statement(
        "entities_write.unlink.FeatureOfInterest", "UPDATE datastream SET foi_id = NULL WHERE foi_id = %(id)s::int"
    ),
}
_UNLINK_PROPERTIES = statement(
    "entities_write.unlink_properties",
    "DELETE FROM multi_datastream_observed_property WHERE datastream_id = ANY(%(ids)s::int[])",
)
_EMPTY_HISTORIES = statement(
    "entities_write.empty_histories",
    "DELETE FROM historical_location_location WHERE historical_location_id = ANY(%(ids)s::int[])",
)


def hold(connection: psycopg.Connection, entity: EntityType, entity_id: int) -> list[int] | None:
    """Lock an entity and its datastreams for deletion; ids of the datastreams, None where there is no such entity.

    Those of a FeatureOfInterest are the datastreams whose own feature it is; they stay.
    """
    if not 0 < entity_id < INT_LIMIT:
        return None
    # In the order in which writers of observations lock: datastreams by id, then the feature.
    datastreams = _ids(connection, _LOCK_STREAMS, entity, entity_id)
    return None if rows.lock(connection, entity, entity_id) is None else datastreams


def remove(connection: psycopg.Connection, entity: EntityType, entity_id: int, *, datastreams: Sequence[int]) -> None:
    """Delete the rows of an entity and its dependants; `datastreams` from `hold`, their observations deleted."""
    histories = [entity_id] if entity.name == "HistoricalLocation" else _ids(connection, _HISTORIES, entity, entity_id)
    if entity.name in _UNLINK:
        connection.execute(_UNLINK[entity.name].sql, {"id": entity_id})
    if histories:
        connection.execute(_EMPTY_HISTORIES.sql, {"ids": histories})
        _delete(connection, "HistoricalLocation", histories)
    if datastreams and entity.name != "FeatureOfInterest":
        connection.execute(_UNLINK_PROPERTIES.sql, {"ids": list(datastreams)})
        for name in sorted(STREAMS):
            _delete(connection, name, datastreams)
    if entity.name not in {*STREAMS, "HistoricalLocation"}:
        _delete(connection, entity.name, [entity_id])


def _ids(
    connection: psycopg.Connection, statements: Mapping[str, Statement], entity: EntityType, entity_id: int
) -> list[int]:
    if entity.name not in statements:
        return []
    return [row[0] for row in connection.execute(statements[entity.name].sql, {"id": entity_id}).fetchall()]


def _delete(connection: psycopg.Connection, name: str, ids: Sequence[int]) -> None:
    deleted = [row[0] for row in connection.execute(_DELETE[name].sql, {"ids": list(ids)}).fetchall()]
    if deleted:
        changes.record(connection, kind="delete", entity=name, ids=deleted)
