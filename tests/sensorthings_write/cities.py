"""Bodies that tests create entities of; each call gives a fresh one."""

from typing import Any

POINT = {"type": "Point", "coordinates": [8.2710, 49.9990]}
OTHER_POINT = {"type": "Point", "coordinates": [8.2417, 50.0136]}
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
Body = dict[str, Any]


def thing(**more: object) -> Body:
    return {"name": "Station", "description": "A station", "properties": {"owner": "city"}, **more}


def location(**more: object) -> Body:
    return {
        "name": "Parcusstraße", "description": "Kerbside", "encodingType": "application/geo+json", "location": POINT,
        **more,
    }  # fmt: skip


def sensor(**more: object) -> Body:
    return {"name": "S1", "description": "A sensor", "encodingType": "text/plain", "metadata": "none", **more}


def observed_property(**more: object) -> Body:
    return {"name": "NO2", "description": "Nitrogen dioxide", "definition": "http://example.org/no2", **more}


def datastream(**more: object) -> Body:
    """A datastream without its relations."""
    return {
        "name": "NO2 at the kerb",
        "description": "hourly",
        "observationType": MEASUREMENT,
        "unitOfMeasurement": {"name": "microgram per cubic metre", "symbol": "µg/m³", "definition": "ucum:ug/m3"},
        **more,
    }


def full_datastream(**more: object) -> Body:
    return datastream(**{"Sensor": sensor(), "ObservedProperty": observed_property(), **more})


def feature(**more: object) -> Body:
    return {
        "name": "Air", "description": "Air at the kerb", "encodingType": "application/geo+json", "feature": OTHER_POINT,
        **more,
    }  # fmt: skip


def history(**more: object) -> Body:
    return {"time": "2020-01-01T00:00:00Z", **more}


def station(**more: object) -> Body:
    """A thing with its place and one datastream, in one body."""
    return thing(**{"Locations": [location()], "Datastreams": [full_datastream()], **more})


def multi_datastream(count: int = 1, **more: object) -> Body:
    """A multi-datastream of so many numbers, without its relations."""
    unit = {"name": "degree Celsius", "symbol": "°C", "definition": "ucum:Cel"}
    return {
        "name": "weather",
        "description": "of one instrument",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_ComplexObservation",
        "multiObservationDataTypes": [MEASUREMENT] * count,
        "unitOfMeasurements": [unit] * count,
        **more,
    }
