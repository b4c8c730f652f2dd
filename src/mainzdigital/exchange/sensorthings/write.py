"""The verbs of SensorThings (18-088, clause 10): create, update and delete, each one transaction.

Who may is decided here, so that HTTP, MQTT and imports have one rule. A write never tells more than a read would:
what the reader may not see is "not there".
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from mainzdigital.exchange.sensorthings import multi
from mainzdigital.exchange.sensorthings import write_observations as observations
from mainzdigital.exchange.sensorthings.deep import (
    INVERSE,
    Work,
    existing,
    links,
    make,
    require_scope,
    settle,
)
from mainzdigital.exchange.sensorthings.read import area_of
from mainzdigital.exchange.sensorthings.validate import Checked, check
from mainzdigital.ingest import change as ingest_change
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.store import changes, entities_write_delete, entities_write_multi
from mainzdigital.store import entities_write as rows
from mainzdigital.store import entities_write_places as places
from mainzdigital.store.geometry import Shape
from mainzdigital.store.model import ENTITY_TYPES, STREAMS

# Requirements of 18-088 that writing fulfils.
WRITING = tuple(
    f"http://www.opengis.net/spec/iot_sensing/1.1/req/{name}"
    for name in (
        "create-update-delete", *(f"create-update-delete/{part}" for part in (
        "create-entity", "link-to-existing-entities", "deep-insert", "deep-insert-status-code", "update-entity",
        "update-entity-put", "update-entity-jsonpatch", "delete-entity", "historical-location-auto-creation",
        "historical-location-manual-creation",
        )),
        "batch-request", "batch-request/batch-request", "data-array", "data-array/data-array",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a POST goes: `Things(1)/Datastreams` is Parent("Thing", 1, "Datastreams")."""

    entity: str
    id: int
    navigation: str


def not_found(entity: EntityType, entity_id: int) -> NotFound:
    return NotFound(f"there is no {entity.name} with the id {entity_id}", where=f"{entity.set_name}({entity_id})")


def create(
    connection: psycopg.Connection,
    *,
    reader: Reader,
    entity: str,
    body: Mapping[str, object],
    parent: Parent | None = None,
    default_access: AccessClass = AccessClass.INTERNAL,
    key: str | None = None,
) -> int:
    """Create an entity with everything inside it; returns its id.

    `key` (an Idempotency-Key) makes the same Observation sent twice one Observation. Raises InvalidInput, NotFound (the
    parent), NotSignedIn, Forbidden, TooLarge.
    """
    require_scope(reader, entity)
    kind = ENTITY_TYPES[entity]
    work = Work(connection, reader, default_access)
    with connection.transaction():
        given: dict[str, int] = {}
        if parent is not None:
            owner = ENTITY_TYPES[parent.entity]
            try:
                existing(work, owner, [parent.id], "path")
            except InvalidInput:
                raise not_found(owner, parent.id) from None
            given[INVERSE[parent.entity, parent.navigation]] = parent.id
        made = make(work, kind, body, given)
        for name, ids in work.made.items():
            changes.record(connection, kind="insert", entity=name, ids=ids)
        written = observations.write_all(work, key=key)
    # An Observation asked for comes last in the list: those inside it came before.
    return written[-1] if made is None else made


def update(
    connection: psycopg.Connection,
    *,
    reader: Reader,
    entity: str,
    id: int,  # noqa: A002 the contract's name
    body: Mapping[str, object],
    replace: bool,
) -> None:
    """Change (PATCH: what is named, by top-level property) or replace (PUT) an entity, and re-link it.

    With `replace`, optional properties that are not named become null; relations and the access class stay unless they
    are named, so that nobody opens an entity by leaving something out. Entities inside the body are refused.
    """
    require_scope(reader, entity)
    kind = ENTITY_TYPES[entity]
    if entity == "Observation":
        observations.update(connection, reader=reader, observation=id, body=body, replace=replace)
        return
    with connection.transaction():
        current = rows.lock(connection, kind, id)
        if current is None or is_hidden(connection, reader, kind, id):
            raise not_found(kind, id)
        checked = check(kind, body, complete=replace, encoding=current.encoding)
        if checked.id is not None and checked.id != id:
            raise InvalidInput("the @iot.id in the body is another one than in the path", where="@iot.id")
        if checked.values.get("observedArea") is not None and kind.name in STREAMS:
            _as_it_was_read(connection, reader, kind, id, checked, replace=replace)
        values = _values(kind, checked, current, replace=replace)
        work = Work(connection, reader, AccessClass.INTERNAL)
        references, linked = links(work, kind, checked)
        before = entities_write_multi.sizes(connection, id) if entity == "MultiDatastream" else None
        rows.change(connection, kind, id, values, references=references, access=checked.access)
        if entity == "Thing" and set(linked.get("Locations", ())) == set(places.locations_of(connection, id)):
            linked.pop("Locations", None)  # sent back as it was read: the thing has not moved
        settle(work, kind, id, linked, retimed="time" in values)
        if before is not None:
            multi.require_fit(connection, id)
            multi.require_length_kept(connection, id, before)
        changes.record(connection, kind="update", entity=entity, ids=[id])
        for name, ids in work.made.items():
            changes.record(connection, kind="insert", entity=name, ids=ids)


def delete(connection: psycopg.Connection, *, reader: Reader, entity: str, id: int) -> None:  # noqa: A002 the contract's name
    """Delete an entity and what cannot be without it (18-088, table 25)."""
    require_scope(reader, entity)
    kind = ENTITY_TYPES[entity]
    if entity == "Observation":
        observations.delete(connection, reader=reader, observation=id)
        return
    with connection.transaction():
        datastreams = (
            None if is_hidden(connection, reader, kind, id) else entities_write_delete.hold(connection, kind, id)
        )
        if datastreams is None:
            raise not_found(kind, id)
        if entity == "FeatureOfInterest":
            ingest_change.delete_of_features(connection, [id])
        else:
            ingest_change.delete_of_datastreams(connection, datastreams)
        entities_write_delete.remove(connection, kind, id, datastreams=datastreams)


def is_hidden(connection: psycopg.Connection, reader: Reader, kind: EntityType, entity_id: int) -> bool:
    """Whether an entity that is there may not be seen by the reader."""
    if not kind.has_access or reader.classes == frozenset(AccessClass):
        return False
    return bool(rows.hidden(connection, kind.name, [entity_id], reader.classes))


def _as_it_was_read(
    connection: psycopg.Connection, reader: Reader, kind: EntityType, entity_id: int, checked: Checked, *, replace: bool
) -> None:
    """An observedArea that was worked out and comes back as it was read goes on being worked out."""
    given = checked.values["observedArea"]
    if rows.has_area(connection, entity_id) or not isinstance(given, Shape):
        return
    if given.content == area_of(connection, reader, kind, entity_id):
        if replace:
            checked.values["observedArea"] = None
        else:
            del checked.values["observedArea"]


def _values(kind: EntityType, checked: Checked, current: rows.Current, *, replace: bool) -> dict[str, object]:
    values = dict(checked.values)
    if replace:
        for name, known in kind.properties.items():
            if known.writable and not known.required:
                values.setdefault(name, None)
    if "encodingType" in values:
        # The encoding says what the content is, so a change of it alone is a claim about what is stored.
        for name in ("location", "feature"):
            if name in kind.properties and name not in values:
                values[name] = check(
                    kind, {name: current.content}, complete=False, encoding=str(values["encodingType"])
                ).values[name]
    return values
