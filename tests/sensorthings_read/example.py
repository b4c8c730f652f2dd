"""A city to read from: two stations, three datastreams, results of every type."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mainzdigital.kernel.time import Interval
from tests.query.city import POINT, City, month_id

START = datetime(2024, 2, 1, 10, 0, tzinfo=UTC)


def _named(number: int, name: str, access: str = "open", **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "description": f"about {name}",
        "properties": None,
        "access": access,
        **more,
    }


def observation(number: int, datastream: int, minutes: int, result: object, **more: Any) -> dict[str, Any]:
    time = START + timedelta(minutes=minutes)
    return {
        "id": month_id(time, number),
        "phenomenonTime": time,
        "result": result,
        "resultTime": None,
        "validTime": None,
        "resultQuality": None,
        "parameters": None,
        "datastream": datastream,
        "foi": None,
        "seq": 0,
        **more,
    }


def example() -> City:
    """Thing 1 (open) with datastreams 1 and 2, Thing 2 (internal) with datastream 3."""
    city = City()
    city.things = [
        _named(1, "Parcusstraße") | {"properties": {"owner": {"name": "Stadt Mainz"}, "height": 3}},
        _named(2, "Zitadelle", "internal"),
    ]
    city.locations = [
        _named(number, f"place {number}", encodingType="application/geo+json", location=POINT) for number in (1, 2)
    ]
    city.sensors = [_named(1, "sensor", encodingType="application/pdf", metadata="https://example.org/sensor.pdf")]
    city.observed = [_named(1, "NO2", definition="https://example.org/no2"), _named(2, "notes", definition="x")]
    city.features = [
        _named(number, f"feature {number}", access, encodingType="application/geo+json", feature=POINT)
        for number, access in ((1, "open"), (2, "internal"))
    ]
    unit = {"name": "microgram per cubic metre", "symbol": "µg/m³", "definition": "https://example.org/ug"}
    city.datastreams = [
        _named(
            number, f"stream {number}", observationType="OM_Measurement", unitOfMeasurement=unit,
            observedArea=None, thing=thing, sensor=1, observed=observed, foi=1, multi=None, types=None,
        )
        for number, thing, observed in ((1, 1, 1), (2, 1, 2), (3, 2, 1))
    ]  # fmt: skip
    later = START + timedelta(hours=1)
    city.observations = [
        *(observation(number, 1, 10 * number, number / 2) for number in range(1, 13)),
        observation(21, 2, 5, "windy", resultTime=later, parameters={"by": "A"}, resultQuality={"level": 2}),
        observation(22, 2, 15, True, foi=2),
        observation(23, 2, 25, {"a": [1, 2]}, validTime=Interval(START, later)),
        observation(24, 2, 35, None),
        observation(25, 2, 45, 7.5, phenomenonTime=Interval(START + timedelta(minutes=45), later)),
        observation(31, 3, 0, 50.0),
    ]
    city.history = [{"id": 1, "time": START, "thing": 1}]
    city.thing_locations = [(1, 1), (2, 2)]
    city.history_locations = [(1, 1), (1, 2)]
    return city
