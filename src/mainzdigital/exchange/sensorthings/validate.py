"""What a client sent for one entity, held against the data model: values of the right type, known names, links apart.

Tolerated and ignored is what clients send back of what they read: `@iot.*` annotations, `Things@iot.navigationLink`,
`selfLink`, and the properties the service keeps itself (phenomenonTime and resultTime of a Datastream).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.entities import EntityType, Property, ValueType
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.time import Interval, parse_instant, parse_time
from mainzdigital.store.geometry import GEOJSON_TYPES, geojson_shape, shape_of

ID_LIMIT = 2**53  # exclusive; ids stay exact in JavaScript
_OBJECTS = frozenset({"properties", "parameters", "unitOfMeasurement"})
_LISTS = frozenset({"unitOfMeasurements", "multiObservationDataTypes"})
_COMPLEX = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation"


@dataclass(slots=True)
class Checked:
    """`values` by property name; `links` by navigation name, as sent. `access` is None where nothing was said."""

    values: dict[str, object] = field(default_factory=dict)
    links: dict[str, object] = field(default_factory=dict)
    access: AccessClass | None = None
    id: int | None = None


def at(where: str, name: str) -> str:
    """The place of a property in the body, like `Datastreams[0].Thing.name`."""
    return f"{where}.{name}" if where else name


def check(entity: EntityType, body: object, *, complete: bool, where: str = "", encoding: str = "") -> Checked:
    """Check the body of one entity; with `complete` the mandatory properties must be there (18-088, clause 8.2).

    `encoding` is the encodingType the entity has already, for a change of its location alone. Raises InvalidInput.
    """
    if not isinstance(body, Mapping):
        raise InvalidInput(f"a {entity.name} must be a JSON object", where=where or "body")
    found = Checked()
    for key, value in body.items():
        if not isinstance(key, str):
            raise InvalidInput("a name in the body is no text", where=where or "body")
        known = entity.properties.get(key)
        if known is not None and key != "id":
            if known.writable:
                found.values[key] = _value(known, value, at(where, key))
        elif key in entity.navigations:
            found.links[key] = value
        elif key == "@iot.id":
            found.id = identifier(value, at(where, key))
        elif not _tolerated(entity, key):
            raise _unknown(entity, key, where)
    if complete:
        for name, known in entity.properties.items():
            if known.required and name not in found.values:
                raise InvalidInput(
                    f"a {entity.name} needs the property '{name}'", where=at(where, name), remedy=f"add '{name}'"
                )
    if entity.name == "MultiDatastream" and (complete or "observationType" in found.values):
        # There is one type only; who leaves it out means it.
        found.values["observationType"] = found.values.get("observationType") or _COMPLEX
    _check_geometry(entity, found, encoding, where)
    _check_access(entity, found, where)
    return found


def identifier(value: object, where: str) -> int:
    """An entity's id; raises InvalidInput where it can be none of ours."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput("an id is a whole number", where=where, remedy='write {"@iot.id": 1}')
    return value


def link_of(value: object) -> object | None:
    """The `@iot.id` of a link to an existing entity; None where `value` describes a new one.

    Whatever else stands beside an id is what a client read earlier, and is left alone.
    """
    return value["@iot.id"] if isinstance(value, Mapping) and "@iot.id" in value else None


def _tolerated(entity: EntityType, key: str) -> bool:
    prefix, separator, _ = key.partition("@iot.")
    if separator:
        return not prefix or prefix in entity.navigations or prefix in entity.properties
    return key == "selfLink"


def _unknown(entity: EntityType, key: str, where: str) -> InvalidInput:
    names = [*(n for n, known in entity.properties.items() if n != "id"), *entity.navigations]
    shown = key[:80].encode("utf-8", "replace").decode()
    near = difflib.get_close_matches(shown, names, 1)
    remedy = f"did you mean '{near[0]}'?" if near else f"a {entity.name} has {', '.join(names)}"
    if not near and entity.has_access:
        remedy += "; what is your own goes into 'properties'"
    return InvalidInput(f"a {entity.name} has no property '{shown}'", where=at(where, shown), remedy=remedy)


def _value(known: Property, value: object, where: str) -> object:
    if value is None:
        # A result may be null: there was an observation, and it yielded nothing.
        if known.required and known.type is not ValueType.RESULT:
            raise InvalidInput(f"'{known.name}' must not be null", where=where)
        return None
    match known.type:
        case ValueType.TEXT:
            if not isinstance(value, str):
                raise InvalidInput(f"'{known.name}' must be a text", where=where, remedy="put it in quotation marks")
            return value
        case ValueType.JSON if known.name in _OBJECTS:
            if not isinstance(value, Mapping):
                raise InvalidInput(f"'{known.name}' must be a JSON object", where=where, remedy="write it in { }")
            if known.name == "unitOfMeasurement":
                _check_unit(value, where)
            return value
        case ValueType.JSON if known.name in _LISTS:
            return _list(known.name, value, where)
        case ValueType.INSTANT:
            return parse_instant(_text(known, value, where), where=where)
        case ValueType.TIME:
            return parse_time(_text(known, value, where), where=where)
        case _:
            return value


def _text(known: Property, value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(
            f"'{known.name}' must be a time as text", where=where, remedy="write it like 2026-11-22T10:00:00Z"
        )
    return value


def _list(name: str, value: object, where: str) -> list[object]:
    """Units or types of a MultiDatastream."""
    if not isinstance(value, list) or not value:
        raise InvalidInput(f"'{name}' must be a list that is not empty", where=where, remedy="write it in [ ]")
    for position, item in enumerate(value):
        place = f"{where}[{position}]"
        if name == "multiObservationDataTypes":
            if not isinstance(item, str):
                raise InvalidInput("a type is the address of an observation type", where=place)
        elif not isinstance(item, Mapping):
            raise InvalidInput("a unit must be a JSON object", where=place, remedy="write it in { }")
        else:
            _check_unit(item, place)
    return value


def _check_unit(value: Mapping[str, object], where: str) -> None:
    for name in ("name", "symbol", "definition"):
        if not isinstance(value.get(name), str | None):
            raise InvalidInput(f"'{name}' of the unit must be a text or null", where=at(where, name))


def _check_geometry(entity: EntityType, found: Checked, encoding: str, where: str) -> None:
    for name, known in entity.properties.items():
        if known.type is not ValueType.GEOMETRY or found.values.get(name) is None:
            continue
        if "encodingType" in entity.properties:
            given = found.values.get("encodingType", encoding)
            found.values[name] = shape_of(found.values[name], encoding=str(given), where=at(where, name))
        else:
            found.values[name] = geojson_shape(found.values[name], where=at(where, name))


def _check_access(entity: EntityType, found: Checked, where: str) -> None:
    properties = found.values.get("properties")
    if not entity.has_access or not isinstance(properties, Mapping) or "accessClass" not in properties:
        return
    given = properties["accessClass"]
    try:
        found.access = AccessClass(given) if isinstance(given, str) else None
    except ValueError:
        found.access = None
    if found.access is None:
        raise InvalidInput(
            f"'{str(given)[:40]}' is no access class", where=at(where, "properties.accessClass"),
            remedy=f"use one of {', '.join(AccessClass)}",
        )  # fmt: skip


def is_geojson(encoding: object) -> bool:
    return encoding in GEOJSON_TYPES


def phenomenon_time(value: object) -> datetime | Interval:
    """The phenomenonTime of a new observation; now, where none is given (18-088, 10.2.1.3)."""
    return value if isinstance(value, datetime | Interval) else datetime.now(UTC)
