"""Deleting metadata entities with what cannot be without them (18-088, 10.4, table 25).

First everything concerned is locked (`hold`), then the caller has the observations deleted, then the rows go
(`remove`). A write of observations that began earlier is waited for, one that begins later finds nothing.
"""

from collections.abc import Sequence

import psycopg

from mainzdigital.kernel.entities import EntityType
from mainzdigital.store import changes
from mainzdigital.store.entities_write import INT_LIMIT

_OWNERS = {
    "Thing": "thing_id", "Sensor": "sensor_id", "ObservedProperty": "observed_property_id", "Datastream": "id",
    "FeatureOfInterest": "foi_id",
}  # fmt: skip


def hold(connection: psycopg.Connection, entity: EntityType, entity_id: int) -> list[int] | None:
    """Lock an entity and its datastreams for deletion; ids of the datastreams, None where there is no such entity.

    Those of a FeatureOfInterest are the datastreams whose own feature it is; they stay.
    """
    if not 0 < entity_id < INT_LIMIT:
        return None
    datastreams: list[int] = []
    if entity.name in _OWNERS:
        # In the order in which writers of observations lock: datastreams by id, then the feature.
        datastreams = _ids(
            connection, f"SELECT id FROM datastream WHERE {_OWNERS[entity.name]} = %s ORDER BY id FOR UPDATE", entity_id
        )
    found = connection.execute(f'SELECT 1 FROM "{entity.relation}" WHERE id = %s FOR UPDATE', (entity_id,)).fetchone()
    return None if found is None else datastreams


def remove(connection: psycopg.Connection, entity: EntityType, entity_id: int, *, datastreams: Sequence[int]) -> None:
    """Delete the rows of an entity and its dependants; `datastreams` from `hold`, their observations deleted."""
    histories: list[int] = []
    match entity.name:
        case "Thing":
            histories = _ids(connection, "SELECT id FROM historical_location WHERE thing_id = %s", entity_id)
            connection.execute("DELETE FROM thing_location WHERE thing_id = %s", (entity_id,))
        case "Location":
            histories = _ids(
                connection,
                "SELECT historical_location_id FROM historical_location_location WHERE location_id = %s",
                entity_id,
            )
            connection.execute("DELETE FROM thing_location WHERE location_id = %s", (entity_id,))
        case "HistoricalLocation":
            histories = [entity_id]
        case "FeatureOfInterest":
            connection.execute("UPDATE datastream SET foi_id = NULL WHERE foi_id = %s", (entity_id,))
    if histories:
        connection.execute(
            "DELETE FROM historical_location_location WHERE historical_location_id = ANY(%s)", (histories,)
        )
        connection.execute("DELETE FROM historical_location WHERE id = ANY(%s)", (histories,))
        changes.record(connection, kind="delete", entity="HistoricalLocation", ids=histories)
    if datastreams and entity.name != "FeatureOfInterest":
        connection.execute("DELETE FROM datastream WHERE id = ANY(%s)", (list(datastreams),))
        changes.record(connection, kind="delete", entity="Datastream", ids=datastreams)
    if entity.name not in {"Datastream", "HistoricalLocation"}:
        connection.execute(f'DELETE FROM "{entity.relation}" WHERE id = %s', (entity_id,))
        changes.record(connection, kind="delete", entity=entity.name, ids=[entity_id])


def _ids(connection: psycopg.Connection, statement: str, entity_id: int) -> list[int]:
    return sorted(row[0] for row in connection.execute(statement, (entity_id,)).fetchall())
