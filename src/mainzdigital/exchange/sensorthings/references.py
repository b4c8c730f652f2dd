"""Relations between entities that exist, made and dissolved alone: `$ref` (OData 4.0, 11.4.6).

Of SensorThings' relations few may be dissolved: only those of Locations are not obligatory (18-088, table 2 ff.).
"""

import psycopg

from mainzdigital.exchange.sensorthings import write
from mainzdigital.exchange.sensorthings.deep import INVERSE, Work, existing, follow, move
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import Conflict, InvalidInput, NotFound
from mainzdigital.store import changes
from mainzdigital.store import entities_write as rows
from mainzdigital.store import entities_write_places as places
from mainzdigital.store.model import ENTITY_TYPES


def link(
    connection: psycopg.Connection, *, reader: Reader, owner: EntityType, one: int, navigation: str, target: int
) -> None:
    """Relate an existing entity to the owner `one`: one more of a relation to many, or the one of a relation to one.

    A Thing that gets a Location is there from now on, and a HistoricalLocation remembers it. What is related already
    stays so. Raises NotFound (the owner), InvalidInput (the target), Conflict.
    """
    known = owner.navigations[navigation]
    kind = ENTITY_TYPES[known.target]
    with connection.transaction():
        work = Work(connection, reader, AccessClass.INTERNAL)
        match owner.name, navigation:
            case "Thing", "Locations":
                _locate(work, one, target, there=True, from_thing=True)
            case "Location", "Things":
                _locate(work, target, one, there=True, from_thing=False)
            case "HistoricalLocation", "Locations":
                _remember(work, one, target, there=True, from_history=True)
            case "Location", "HistoricalLocations":
                _remember(work, target, one, there=True, from_history=False)
            case ("MultiDatastream", "ObservedProperties") | ("ObservedProperty", "MultiDatastreams"):
                raise _ordered()
            case _ if known.many:
                _require_owner(work, owner, one)
                _change(work, kind, target, {INVERSE[owner.name, navigation]: {"@iot.id": one}})
            case _:
                write.update(
                    connection, reader=reader, entity=owner.name, id=one,
                    body={navigation: {"@iot.id": target}}, replace=False,
                )  # fmt: skip


def unlink(
    connection: psycopg.Connection, *, reader: Reader, owner: EntityType, one: int, navigation: str, target: int
) -> None:
    """Dissolve a relation; raises NotFound where there is none, Conflict where an entity cannot be without it."""
    known = owner.navigations[navigation]
    with connection.transaction():
        work = Work(connection, reader, AccessClass.INTERNAL)
        match owner.name, navigation:
            case "Thing", "Locations":
                _locate(work, one, target, there=False, from_thing=True)
            case "Location", "Things":
                _locate(work, target, one, there=False, from_thing=False)
            case "HistoricalLocation", "Locations":
                _remember(work, one, target, there=False, from_history=True)
            case "Location", "HistoricalLocations":
                _remember(work, target, one, there=False, from_history=False)
            case ("MultiDatastream", "ObservedProperties") | ("ObservedProperty", "MultiDatastreams"):
                raise _ordered()
            case _:
                holder, needed = (known.target, owner.name) if known.many else (owner.name, navigation)
                raise Conflict(
                    f"{_article(holder)} cannot be without its {needed}", where=navigation,
                    remedy=f"give it another one: PUT …/{needed}/$ref; or delete the {holder}",
                )  # fmt: skip


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def _ordered() -> Conflict:
    return Conflict(
        "a MultiDatastream has one ObservedProperty for each unit, in their order", where="ObservedProperties",
        remedy="change the MultiDatastream itself: PATCH with units, types and ObservedProperties",
    )  # fmt: skip


def _require_owner(work: Work, kind: EntityType, one: int) -> None:
    if rows.lock(work.connection, kind, one) is None or write.is_hidden(work.connection, work.reader, kind, one):
        raise write.not_found(kind, one)


def _require(work: Work, kind: EntityType, one: int, *, is_owner: bool) -> None:
    """An entity of the relation is there: the owner is asked for by the address, the other by the reference."""
    if is_owner:
        _require_owner(work, kind, one)
    else:
        existing(work, kind, [one], "@iot.id")


def _change(work: Work, kind: EntityType, one: int, body: dict[str, object]) -> None:
    try:
        write.update(work.connection, reader=work.reader, entity=kind.name, id=one, body=body, replace=False)
    except NotFound as refusal:
        raise InvalidInput(refusal.message, where="@iot.id", remedy="link an existing one") from None


def _locate(work: Work, thing: int, location: int, *, there: bool, from_thing: bool) -> None:
    """Put a thing at a location beside those it has, or take it away from there."""
    _require(work, ENTITY_TYPES["Thing"], thing, is_owner=from_thing)
    _require(work, ENTITY_TYPES["Location"], location, is_owner=not from_thing)
    now = places.locations_of(work.connection, thing)
    if (location in now) is there:
        if not there:
            raise NotFound(f"Thing {thing} is not at Location {location}", where="Locations")
        return
    if there:
        move(work, thing, [*now, location])
    elif len(now) > 1:
        move(work, thing, [one for one in now if one != location])
    else:
        places.set_locations(work.connection, thing, [])  # it is nowhere: no HistoricalLocation could say so
    changes.record(work.connection, kind="update", entity="Thing", ids=[thing])
    for name, ids in work.made.items():
        changes.record(work.connection, kind="insert", entity=name, ids=ids)


def _remember(work: Work, history: int, location: int, *, there: bool, from_history: bool) -> None:
    """Add a location to a HistoricalLocation, or take it out; the thing follows its newest one."""
    _require(work, ENTITY_TYPES["HistoricalLocation"], history, is_owner=from_history)
    _require(work, ENTITY_TYPES["Location"], location, is_owner=not from_history)
    now = places.locations_of_history(work.connection, history)
    if there:
        places.add_history_location(work.connection, [history], location)
    elif location not in now:
        raise NotFound(f"HistoricalLocation {history} does not name Location {location}", where="Locations")
    elif len(now) == 1:
        raise Conflict(
            "a HistoricalLocation cannot be without a Location", where="Locations",
            remedy="add another Location first, or delete the HistoricalLocation",
        )  # fmt: skip
    else:
        places.set_history_locations(work.connection, history, [one for one in now if one != location])
    follow(work, history)
    changes.record(work.connection, kind="update", entity="HistoricalLocation", ids=[history])
