"""Creating entities with everything inside them, in one transaction (18-088, 10.2: create, link, deep insert)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg

from mainzdigital.exchange.sensorthings import multi
from mainzdigital.exchange.sensorthings.validate import Checked, at, check, identifier, link_of
from mainzdigital.kernel.access import AccessClass, Reader, Scope
from mainzdigital.kernel.entities import EntityType, Navigation
from mainzdigital.kernel.errors import Forbidden, InvalidInput, NotSignedIn, TooLarge
from mainzdigital.store import entities_write as rows
from mainzdigital.store import entities_write_places as places
from mainzdigital.store.model import ENTITY_TYPES

ENTITY_LIMIT = 10_000  # entities in one deep insert

# The same relation as seen from its other end.
INVERSE: dict[tuple[str, str], str] = {
    ("Thing", "Datastreams"): "Thing",
    ("Thing", "Locations"): "Things",
    ("Thing", "HistoricalLocations"): "Thing",
    ("Location", "Things"): "Locations",
    ("Location", "HistoricalLocations"): "Locations",
    ("HistoricalLocation", "Thing"): "HistoricalLocations",
    ("HistoricalLocation", "Locations"): "HistoricalLocations",
    ("Thing", "MultiDatastreams"): "Thing",
    ("Sensor", "MultiDatastreams"): "Sensor",
    ("ObservedProperty", "MultiDatastreams"): "ObservedProperties",
    ("MultiDatastream", "Thing"): "MultiDatastreams",
    ("MultiDatastream", "Sensor"): "MultiDatastreams",
    ("MultiDatastream", "ObservedProperties"): "MultiDatastreams",
    ("MultiDatastream", "Observations"): "MultiDatastream",
    ("Observation", "MultiDatastream"): "Observations",
    ("Datastream", "Thing"): "Datastreams",
    ("Datastream", "Sensor"): "Datastreams",
    ("Datastream", "ObservedProperty"): "Datastreams",
    ("Datastream", "Observations"): "Datastream",
    ("Sensor", "Datastreams"): "Sensor",
    ("ObservedProperty", "Datastreams"): "ObservedProperty",
    ("FeatureOfInterest", "Observations"): "FeatureOfInterest",
    ("Observation", "Datastream"): "Observations",
    ("Observation", "FeatureOfInterest"): "Observations",
}
# Places come before what is observed at them.
_ORDER = ("Things", "Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams", "Observations")


@dataclass(slots=True)
class Work:
    """One deep insert under way: who asks, what was made, and the observations to be written at its end."""

    connection: psycopg.Connection
    reader: Reader
    default_access: AccessClass
    made: dict[str, list[int]] = field(default_factory=dict)
    observations: list[tuple[Checked, int, int | None, str]] = field(default_factory=list)
    count: int = 0


def scope_for(entity: str) -> Scope:
    """What it takes to write entities of a type: `write` for Observations, `manage` for everything else."""
    return Scope.WRITE if entity == "Observation" else Scope.MANAGE


def require_scope(reader: Reader, entity: str) -> None:
    """Raises NotSignedIn or Forbidden where the reader may not write entities of this type."""
    scope = scope_for(entity)
    if reader.may(scope):
        return
    if reader.subject == "anonymous":
        raise NotSignedIn(
            "writing needs an API key", where="Authorization", remedy="send 'Authorization: Bearer <key>'"
        )
    raise Forbidden(
        f"this key may not write {ENTITY_TYPES[entity].set_name}", where="Authorization",
        remedy=f"use a key of scope '{scope}'",
    )  # fmt: skip


def existing(work: Work, entity: EntityType, ids: Sequence[int], where: str) -> list[int]:
    """Lock linked entities against deletion; raises InvalidInput where one does not exist for this reader."""
    if entity.name == "Observation":
        raise InvalidInput(
            "an existing Observation cannot be linked from here", where=where,
            remedy="change the Datastream or FeatureOfInterest of the Observation itself",
        )  # fmt: skip
    found = rows.hold(work.connection, entity, ids)
    if entity.has_access and found and work.reader.classes != frozenset(AccessClass):
        found -= rows.hidden(work.connection, entity.name, sorted(found), work.reader.classes)
    for one in ids:
        if one not in found:
            raise InvalidInput(
                f"there is no {entity.name} with the id {one}", where=where, remedy="link an existing one"
            )
    return list(ids)


def make(work: Work, entity: EntityType, body: object, given: Mapping[str, int], where: str = "") -> int | None:
    """Create one entity and what stands inside it; `given` are links its place in the request settles.

    Returns the id, or None for an Observation, which is written with all others at the end.
    """
    require_scope(work.reader, entity.name)
    work.count += 1
    if work.count > ENTITY_LIMIT:
        raise TooLarge(f"one request may create {ENTITY_LIMIT} entities", where=where, remedy="send several requests")
    checked = check(entity, body, complete=True, where=where)
    single: dict[str, int] = {}
    for navigation in entity.navigations.values():
        if not navigation.many:
            target = _single(work, entity, navigation, checked, given, where=where)
            if target is not None:
                single[navigation.name] = target
    if entity.name == "Observation":
        work.observations.append((checked, _stream(single, where), single.get("FeatureOfInterest"), where))
        return None
    properties = multi.observed(work, checked, given, where) if entity.name == "MultiDatastream" else []
    many = {name: checked.links[name] for name in _ORDER if name in checked.links and name not in single}
    if entity.name == "HistoricalLocation" and "Locations" not in given and not many.get("Locations"):
        raise InvalidInput(
            "a HistoricalLocation needs one or more Locations", where=at(where, "Locations"),
            remedy='add "Locations": [{"@iot.id": 1}]',
        )  # fmt: skip
    access = (checked.access or work.default_access) if entity.has_access else None
    references = {entity.navigations[name].local: target for name, target in single.items()}
    if properties:
        references["observed_property_id"] = properties[0]
    made = rows.insert(work.connection, entity, checked.values, references=references, access=access)
    work.made.setdefault(entity.name, []).append(made)
    if properties:
        multi.settle(work.connection, made, properties, where)
    linked = {name: [given[name]] for name in given if entity.navigations[name].many and name in _ORDER}
    for name, value in many.items():
        linked.setdefault(name, []).extend(
            _many(work, entity, made, entity.navigations[name], value, where=at(where, name))
        )
    settle(work, entity, made, linked, fresh=True)
    return made


def _stream(single: Mapping[str, int], where: str) -> int:
    """The Datastream or MultiDatastream of an Observation; raises InvalidInput unless it is exactly one."""
    found = [single[name] for name in ("Datastream", "MultiDatastream") if name in single]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(
            "an Observation has a Datastream or a MultiDatastream, not both", where=at(where, "MultiDatastream"),
            remedy="leave one of them out",
        )  # fmt: skip
    raise InvalidInput(
        "an Observation needs a Datastream", where=at(where, "Datastream"),
        remedy='add "Datastream": {"@iot.id": 1} (or "MultiDatastream"), or a new one in its place',
    )  # fmt: skip


def _single(
    work: Work, entity: EntityType, navigation: Navigation, checked: Checked, given: Mapping[str, int], *, where: str
) -> int | None:
    """The target of a to-one relation: from the request's path, a link, or an entity inside."""
    place = at(where, navigation.name)
    value = checked.links.get(navigation.name)
    link = link_of(value)
    if navigation.name in given:
        if value is not None and link != given[navigation.name]:
            raise InvalidInput(
                f"the {navigation.name} is settled by the place this stands in", where=place, remedy="leave it out"
            )
        return given[navigation.name]
    if value is None:
        if navigation.required:
            raise InvalidInput(
                f"a {entity.name} needs a {navigation.target}", where=place,
                remedy=f'add "{navigation.name}": {{"@iot.id": 1}}, or a new one in its place',
            )  # fmt: skip
        return None
    target = ENTITY_TYPES[navigation.target]
    if link is not None:
        return existing(work, target, [identifier(link, place)], place)[0]
    return make(work, target, value, {}, place)


def _many(
    work: Work, entity: EntityType, owner: int, navigation: Navigation, value: object, *, where: str
) -> list[int]:
    """The targets of a to-many relation that are still to be linked; new ones are made."""
    target = ENTITY_TYPES[navigation.target]
    # What refers to us by a column, or cannot be without us, learns of us as it is made; the rest is linked afterwards.
    at_once = bool(navigation.remote) or target.name in {"HistoricalLocation", "MultiDatastream"}
    given = {INVERSE[entity.name, navigation.name]: owner} if at_once else {}
    ids: list[int] = []
    for place, item in items(value, navigation, where):
        link = link_of(item)
        if link is not None:
            ids += existing(work, target, [identifier(link, place)], place)
            continue
        made = make(work, target, item, given, place)
        if made is not None and not at_once:
            ids.append(made)
    return ids


def items(value: object, navigation: Navigation, where: str) -> list[tuple[str, object]]:
    """The items of a to-many relation with their places; raises InvalidInput where it is no list."""
    if not isinstance(value, list):
        raise InvalidInput(
            f"'{navigation.name}' must be a list", where=where, remedy=f'write "{navigation.name}": [{{"@iot.id": 1}}]'
        )
    return [(f"{where}[{i}]", item) for i, item in enumerate(value)]


def settle(
    work: Work,
    entity: EntityType,
    owner: int,
    linked: Mapping[str, Sequence[int]],
    *,
    fresh: bool = False,
    retimed: bool = False,
) -> None:
    """Write the to-many relations of an entity, new (`fresh`) or changed: `linked` holds ids by navigation name."""
    for name in (*_ORDER, "ObservedProperties"):
        ids = linked.get(name)
        if not ids:
            continue
        match entity.name, name:
            case "Thing", "Locations":
                move(work, owner, ids)
            case "Location", "Things":
                for thing in ids:
                    if fresh or owner not in places.locations_of(work.connection, thing):
                        move(work, thing, [owner])
            case "HistoricalLocation", "Locations":
                places.set_history_locations(work.connection, owner, ids)
            case "MultiDatastream", "ObservedProperties":
                multi.settle(work.connection, owner, ids, "")
            case "ObservedProperty", "MultiDatastreams":
                raise InvalidInput(
                    "the ObservedProperties of a MultiDatastream have an order", where="MultiDatastreams",
                    remedy="change the MultiDatastream itself",
                )  # fmt: skip
            case "Location", "HistoricalLocations":
                places.add_history_location(work.connection, ids, owner)
            case _:
                rows.point(work.connection, entity, name, ids, owner)
    if entity.name == "HistoricalLocation" and (fresh or retimed or linked):
        follow(work, owner)


def move(work: Work, thing: int, locations: Sequence[int]) -> None:
    """Put a thing at locations and remember it: req/create-update-delete/historical-location-auto-creation."""
    places.set_locations(work.connection, thing, locations)
    history = places.add_history(work.connection, thing, locations, None)
    work.made.setdefault("HistoricalLocation", []).append(history)


def follow(work: Work, history: int) -> None:
    """Put a thing where its newest HistoricalLocation says it is (18-088, 10.2.1.4)."""
    newest = places.is_newest_history(work.connection, history)
    if newest is not None and newest[1]:
        thing, locations = newest
        places.set_locations(work.connection, thing, locations)


def links(work: Work, kind: EntityType, checked: Checked) -> tuple[dict[str, int], dict[str, list[int]]]:
    """References by column and linked ids by to-many navigation; raises InvalidInput for anything but links."""
    references: dict[str, int] = {}
    linked: dict[str, list[int]] = {}
    for name, value in checked.links.items():
        navigation = kind.navigations[name]
        target = ENTITY_TYPES[navigation.target]
        found = items(value, navigation, name) if navigation.many else [(name, value)]
        ids: list[int] = []
        for place, item in found:
            link = link_of(item)
            if link is None:
                raise InvalidInput(
                    f"a change of a {kind.name} cannot create or alter another entity" if isinstance(item, Mapping)
                    else f"'{name}' must be a link", where=place,
                    remedy='link an existing one: {"@iot.id": 1}; make a new one with POST first',
                )  # fmt: skip
            ids += existing(work, target, [identifier(link, place)], place)
        if navigation.many:
            linked[name] = ids
        else:
            references[navigation.local] = ids[0]
    return references, linked
