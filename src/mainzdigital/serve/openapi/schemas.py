"""JSON schemas of the entities, for reading, creating (deep insert) and changing, from store.model.ENTITY_TYPES.

Of a read no property is required, since `$select` may leave out any of them.
"""

from typing import Any

from mainzdigital.exchange.sensorthings.deep import ENTITY_LIMIT, INVERSE
from mainzdigital.exchange.sensorthings.validate_json import DEPTH_LIMIT
from mainzdigital.exchange.sensorthings.write_patch import OPERATION_LIMIT
from mainzdigital.kernel.entities import EntityType, Navigation, Property, ValueType
from mainzdigital.store.model import ENTITY_TYPES

Schema = dict[str, Any]

_ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": 2**53 - 1, "examples": [1]}
_LINK = {"type": "string", "format": "uri-reference"}
_INSTANT = {"type": "string", "format": "date-time", "examples": ["2026-11-22T10:00:00Z"]}
_INTERVAL_PATTERN = r"^\d{4,6}-\d\d-\d\d[Tt][^/]+/\d{4,6}-\d\d-\d\d[Tt][^/]+$"
_OBJECTS = {"properties", "parameters"}
# 18-088, tables 5 and 7: without a place there is no history, without observed properties no result to split.
NEEDS: dict[str, tuple[str, ...]] = {"HistoricalLocation": ("Locations",), "MultiDatastream": ("ObservedProperties",)}
EXAMPLES: dict[str, Any] = {
    "Thing": {"name": "Messstation Parcusstraße", "description": "Kerbside", "properties": {"district": "Neustadt"}},
    "Location": {
        "name": "Parcusstraße", "description": "Kerbside", "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": [8.2613, 50.001]},
    },
    "HistoricalLocation": {
        "time": "2026-11-22T10:00:00Z", "Thing": {"@iot.id": 1}, "Locations": [{"@iot.id": 1}],
    },
    "Datastream": {
        "name": "NO2", "description": "Nitrogen dioxide, hourly",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": "microgram per cubic metre", "symbol": "µg/m³", "definition": "ucum:ug/m3"},
        "Thing": {"@iot.id": 1}, "Sensor": {"@iot.id": 1}, "ObservedProperty": {"@iot.id": 1},
    },
    "MultiDatastream": {
        "name": "Wind", "description": "Speed and direction",
        "multiObservationDataTypes": [
            "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
            "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        ],
        "unitOfMeasurements": [
            {"name": "metre per second", "symbol": "m/s", "definition": "ucum:m/s"},
            {"name": "degree", "symbol": "°", "definition": "ucum:deg"},
        ],
        "Thing": {"@iot.id": 1}, "Sensor": {"@iot.id": 1}, "ObservedProperties": [{"@iot.id": 1}, {"@iot.id": 2}],
    },
    "Sensor": {"name": "S1", "description": "A sensor", "encodingType": "text/plain", "metadata": "none"},
    "ObservedProperty": {
        "name": "NO2", "description": "Nitrogen dioxide", "definition": "http://dd.eionet.europa.eu/vocabulary/aq/no2",
    },
    "FeatureOfInterest": {
        "name": "Air", "description": "Air at the kerb", "encodingType": "application/geo+json",
        "feature": {"type": "Point", "coordinates": [8.2613, 50.001]},
    },
    "Observation": {"phenomenonTime": "2026-11-22T10:00:00Z", "result": 21.5, "Datastream": {"@iot.id": 1}},
}  # fmt: skip


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All schemas by name: `Thing`, `ThingPage`, `ThingNew`, `ThingChange`, … and what they share."""
    found: dict[str, Schema] = dict(_SHARED)
    for entity in ENTITY_TYPES.values():
        found[entity.name] = _read(entity)
        found[f"{entity.name}Page"] = _page(ref(entity.name))
        found[f"{entity.name}New"] = _new(entity)
        found[f"{entity.name}Change"] = _change(entity)
    return found


def required_properties(entity: EntityType) -> list[str]:
    return [name for name, known in entity.properties.items() if known.required]


def creation(entity: EntityType, *, below: tuple[str, str] | None = None) -> Schema:
    """The body that creates an entity; `below` is (type, relation) of the entity it is created in."""
    settled = INVERSE.get(below, "") if below is not None else ""
    needed = [item.name for item in entity.navigations.values() if item.required and item.name != settled]
    needed += [name for name in NEEDS.get(entity.name, ()) if name != settled]
    conditions: list[Schema] = [ref(f"{entity.name}New")]
    if needed:
        conditions.append({"required": needed})
    either = [item.name for item in entity.navigations.values() if item.partial]
    if either and settled not in either:
        conditions.append({"oneOf": [{"required": [name]} for name in either]})
    return conditions[0] if len(conditions) == 1 else {"allOf": conditions}


def replacement(entity: EntityType) -> Schema:
    """The body of a PUT: every required property, relations as links."""
    return {"allOf": [ref(f"{entity.name}Change"), {"required": required_properties(entity)}]}


def _page(item: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["value"],
        "properties": {
            "@iot.count": {"type": "integer", "minimum": 0, "description": "With `$count=true`"},
            "@iot.nextLink": {**_LINK, "description": "The next page; follow it as it is"},
            "value": {"type": "array", "items": item},
        },
        "additionalProperties": False,
    }


def _read(entity: EntityType) -> Schema:
    properties: dict[str, Schema] = {"@iot.id": dict(_ID), "@iot.selfLink": dict(_LINK)}
    for name, known in entity.properties.items():
        if name != "id":
            properties[name] = _value(known, written=False)
    for navigation in entity.navigations.values():
        name, target = navigation.name, ref(navigation.target)
        properties[f"{name}@iot.navigationLink"] = dict(_LINK)
        if navigation.many:
            properties[name] = {"type": "array", "items": target, "description": "With `$expand`"}
            properties[f"{name}@iot.count"] = {"type": "integer", "minimum": 0}
            properties[f"{name}@iot.nextLink"] = dict(_LINK)
        else:
            properties[name] = {"anyOf": [target, {"type": "null"}], "description": "With `$expand`"}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value(known: Property, *, written: bool) -> Schema:
    empty = written and not known.required
    match known.type:
        case ValueType.TEXT:
            return {"type": ["string", "null"] if empty else "string"}
        case ValueType.INSTANT:
            # resultTime stands also where it is null (18-088, table 12).
            return {**_INSTANT, "type": ["string", "null"]} if empty or not known.required else dict(_INSTANT)
        case ValueType.TIME:
            return {"anyOf": [ref("Time"), {"type": "null"}]} if empty else ref("Time")
        case ValueType.JSON if known.name in _OBJECTS:
            return {"type": ["object", "null"] if empty else "object"}
        case ValueType.JSON if known.name == "unitOfMeasurement":
            return ref("UnitOfMeasurement")
        case ValueType.JSON if known.name == "unitOfMeasurements":
            return _several(ref("UnitOfMeasurement"), written=written)
        case ValueType.JSON if known.name == "multiObservationDataTypes":
            return _several({"type": "string"}, written=written)
        case ValueType.GEOMETRY if known.name == "observedArea":
            shape: Schema = ref("GeoJSON") if written else {"type": "object"}
            return {"anyOf": [shape, {"type": "null"}]} if empty else shape
        case ValueType.GEOMETRY:
            return {"description": "GeoJSON (RFC 7946, EPSG:4326) where encodingType is application/geo+json"}
        case ValueType.RESULT:
            return {"description": "A number, text, truth value, object or list; null where the sensor had none"}
        case _:
            return {"description": "Any JSON"}


def _several(item: Schema, *, written: bool) -> Schema:
    if written:
        return {"type": "array", "items": item, "minItems": 1}
    return {"type": ["array", "object"], "items": item, "description": "An object where $select picked single items"}


def _written(entity: EntityType) -> dict[str, Schema]:
    return {
        name: _value(known, written=True)
        for name, known in entity.properties.items()
        if known.writable and name != "id"
    }


# What clients send back of what they read is taken and ignored.
_TOLERATED: dict[str, Schema] = {r"^[A-Za-z]*@iot\.(selfLink|navigationLink|count|nextLink)$": {}, "^selfLink$": {}}


def _new(entity: EntityType) -> Schema:
    properties = _written(entity)
    for navigation in entity.navigations.values():
        target = ENTITY_TYPES[navigation.target]
        one = {"anyOf": [ref("Link"), creation(target, below=(entity.name, navigation.name))]}
        properties[navigation.name] = {"type": "array", "items": one} if navigation.many else one
    return {
        "type": "object",
        "description": f"Relations hold links ({{'@iot.id': 1}}) or new entities, up to {ENTITY_LIMIT} in one request "
        f"and {DEPTH_LIMIT} levels deep. Without `properties.accessClass` what is created is for the city only."
        if entity.has_access
        else "Relations hold links or new entities.",
        "required": required_properties(entity),
        "properties": properties,
        "patternProperties": _TOLERATED,
        "additionalProperties": False,
        "examples": [EXAMPLES[entity.name]],
    }


def _change(entity: EntityType) -> Schema:
    properties = _written(entity)
    properties |= {name: _linked(navigation) for name, navigation in entity.navigations.items()}
    return {
        "type": "object",
        "description": "What is named is changed; relations hold links.",
        "properties": {**properties, "@iot.id": dict(_ID)},
        "patternProperties": _TOLERATED,
        "additionalProperties": False,
    }


def _linked(navigation: Navigation) -> Schema:
    return {"type": "array", "items": ref("Link")} if navigation.many else ref("Link")


def _geometry(kind: str, depth: int) -> Schema:
    shape: Schema = ref("Position")
    for _ in range(depth):
        shape = {"type": "array", "items": shape, "minItems": 1}
    return {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {"type": {"const": kind}, "coordinates": shape},
    }


_GEOMETRIES = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_SHARED: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "required": ["code", "type", "message"],
        "properties": {
            "code": {"type": "integer", "description": "The HTTP status"},
            "type": {"const": "error"},
            "message": {"type": "string", "description": "What is wrong"},
            "where": {"type": "string", "description": "The field, option or place in the request"},
            "remedy": {"type": "string", "description": "What to do"},
        },
        "additionalProperties": False,
        "examples": [
            {"code": 400, "type": "error", "message": "Thing has no property 'nme'", "where": "$filter, character 1"}
        ],
    },
    "Link": {
        "type": "object", "required": ["@iot.id"], "properties": {"@iot.id": dict(_ID)}, "examples": [{"@iot.id": 1}],
        "description": "An existing entity",
    },
    "Time": {
        "description": "An instant or an interval (ISO 8601), such as 2026-11-22T10:00:00Z/2026-11-22T11:00:00Z",
        "anyOf": [dict(_INSTANT), {"type": "string", "pattern": _INTERVAL_PATTERN}],
    },
    "UnitOfMeasurement": {
        "type": "object",
        "properties": {name: {"type": ["string", "null"]} for name in ("name", "symbol", "definition")},
        "examples": [{"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}],
    },
    "Position": {
        "type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3,
        "description": "Longitude, latitude and perhaps height (EPSG:4326)",
    },
    "Geometry": {
        "oneOf": [
            *(_geometry(kind, depth) for kind, depth in _GEOMETRIES.items()),
            {
                "type": "object", "required": ["type", "geometries"],
                "properties": {
                    "type": {"const": "GeometryCollection"},
                    "geometries": {"type": "array", "items": ref("Geometry"), "minItems": 1},
                },
            },
        ],
    },
    "GeoJSON": {
        "anyOf": [
            ref("Geometry"),
            {
                "type": "object", "required": ["type", "geometry"],
                "properties": {"type": {"const": "Feature"}, "geometry": ref("Geometry")},
            },
        ],
    },
    "FeatureCollection": {
        "type": "object", "required": ["type", "features"],
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["type", "geometry", "properties"],
                    "properties": {
                        "type": {"const": "Feature"}, "id": {"type": "integer"},
                        "geometry": {"type": ["object", "null"]}, "properties": {"type": "object"},
                    },
                },
            },
            "@iot.count": {"type": "integer"}, "@iot.nextLink": dict(_LINK),
        },
    },
    "DataArray": {
        "description": "Observations as rows, by datastream (18-088, clause 12)",
        **_page(
            {
                "type": "object", "required": ["components", "dataArray"],
                "properties": {
                    "Datastream@iot.navigationLink": dict(_LINK), "MultiDatastream@iot.navigationLink": dict(_LINK),
                    "components": {"type": "array", "items": {"type": "string"}},
                    "dataArray@iot.count": {"type": "integer"},
                    "dataArray": {"type": "array", "items": {"type": "array"}},
                },
                "additionalProperties": False,
            }
        ),
    },
    "ReferencePage": _page({"type": "object", "required": ["@iot.selfLink"],
                            "properties": {"@iot.selfLink": dict(_LINK)}, "additionalProperties": False}),
    "ToEntity": {
        "description": "An existing entity, by its id or its address",
        "anyOf": [
            {"type": "object", "required": ["@iot.id"], "properties": {"@iot.id": dict(_ID)},
             "additionalProperties": False},
            {"type": "object", "required": ["@odata.id"], "properties": {"@odata.id": {"type": "string"}},
             "additionalProperties": False},
        ],
        "examples": [{"@iot.id": 1}, {"@odata.id": "Locations(1)"}],
    },
    "Reference": {"type": "object", "required": ["@iot.selfLink"], "properties": {"@iot.selfLink": dict(_LINK)}},
    "PropertyValue": {"type": "object", "minProperties": 1, "maxProperties": 1},
    "Written": {
        "type": "object", "required": ["@iot.id", "@iot.selfLink"],
        "properties": {"@iot.id": dict(_ID), "@iot.selfLink": dict(_LINK)}, "additionalProperties": False,
    },
    "ServiceRoot": {
        "type": "object", "required": ["value", "serverSettings"],
        "properties": {
            "value": {
                "type": "array",
                "items": {
                    "type": "object", "required": ["name", "url"],
                    "properties": {"name": {"type": "string"}, "url": {"type": "string", "format": "uri"}},
                },
            },
            "serverSettings": {
                "type": "object", "required": ["conformance"],
                "properties": {"conformance": {"type": "array", "items": {"type": "string", "format": "uri"}}},
            },
        },
    },
    "JsonPatch": {
        "type": "array", "maxItems": OPERATION_LIMIT,
        "items": {
            "type": "object", "required": ["op", "path"],
            "properties": {
                "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
                "path": {"type": "string", "pattern": "^(/.*)?$"}, "from": {"type": "string", "pattern": "^(/.*)?$"},
                "value": {},
            },
        },
        "examples": [[{"op": "replace", "path": "/name", "value": "Another name"}]],
    },
}  # fmt: skip
