"""A small city for pages and browsers: every kind of figure, a gap, a hidden station, markup in names."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from mainzdigital.exchange.sensorthings.write import create
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.access import Reader, Scope, reader_for

MANAGER: Reader = reader_for("test", Scope.MANAGE)
DAYS = 15
NO2_LIMITS = [
    {"value": 200, "period": "PT1H", "title": "Stundengrenzwert", "basis": "39. BImSchV § 3"},
    {"value": 40, "period": "P1Y", "title": "Jahresgrenzwert", "basis": "39. BImSchV § 3"},
]
# name, kind, district, longitude, latitude, streams: (observed, unit, base, limits, aggregation)
Stream = tuple[str, str, float, list[dict[str, Any]] | None, str]
Station = tuple[str, str, str, float, float, list[Stream]]
STATIONS: list[Station] = [
    ("Luftmessstation Parcusstraße", "airquality", "Neustadt", 8.2613, 50.0010,
     [("Stickstoffdioxid (NO₂)", "µg/m³", 36, NO2_LIMITS, ""), ("Feinstaub (PM₁₀)", "µg/m³", 18, None, "")]),
    ("Luftmessstation Zitadelle", "airquality", "Altstadt", 8.2740, 49.9950,
     [("Stickstoffdioxid (NO₂)", "µg/m³", 22, NO2_LIMITS, "")]),
    ("Fahrradzählstelle Kaiserstraße", "bicyclecounter", "Neustadt", 8.2630, 50.0060,
     [("Radverkehr", "Räder/h", 80, None, "PT1H sum")]),
    ("Fahrradzählstelle Rheinufer", "bicyclecounter", "Altstadt", 8.2790, 50.0000,
     [("Radverkehr", "Räder/h", 60, None, "PT1H sum")]),
    ("Parkhaus Am Brand", "parking", "Altstadt", 8.2755, 49.9992, [("Freie Stellplätze", "Plätze", 140, None, "")]),
    ("Wetterstation Lerchenberg", "weather", "Lerchenberg", 8.2010, 49.9590,
     [("Lufttemperatur", "°C", 9, None, ""), ("Niederschlag", "mm", 0.2, None, "PT1H sum")]),
    ("Altkleidercontainer Bretzenheim <b>1</b>", "usedclothescontainer", "Bretzenheim", 8.2400, 49.9760,
     [("Füllstand", "%", 70, None, "")]),
]  # fmt: skip
HIDDEN = "Geheime Messstelle Drais"
_HIDDEN: Station = (
    HIDDEN, "airquality", "Drais", 8.19, 49.97, [("Stickstoffdioxid (NO₂)", "µg/m³", 900, None, "")],
)  # fmt: skip


def fill(connection: psycopg.Connection, *, now: datetime) -> dict[str, int]:
    """Stations with hourly values of `DAYS` days up to `now`; gives their ids by name. One of them is internal."""
    ids = {row[0]: _station(connection, row, access="open") for row in STATIONS}
    ids[HIDDEN] = _station(connection, _HIDDEN, access="internal")
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    rows = connection.execute(
        "SELECT d.id, (d.properties ->> 'base')::float8, t.name FROM datastream d JOIN thing t ON t.id = d.thing_id"
    ).fetchall()
    batch = [
        NewObservation(stream, hour - timedelta(hours=back), value(base, back))
        for stream, base, name in rows
        for back in range(DAYS * 24)
        if not (name == "Luftmessstation Zitadelle" and 30 <= back < 42)
    ]
    result = write(connection, Batch(batch))
    assert not result.rejected
    return ids


def value(base: float, back: int) -> float:
    """The value `back` hours ago: a daily and a slow wave, one decimal."""
    return round(base * (1 + 0.3 * math.sin(back / 24 * 2 * math.pi) + 0.1 * math.sin(back / 31)), 1)


def _station(connection: psycopg.Connection, station: Station, *, access: str) -> int:
    name, kind, district, lon, lat, streams = station
    return create(
        connection,
        reader=MANAGER,
        entity="Thing",
        body={
            "name": name,
            "description": f"{name}, {district}",
            "properties": {
                "kind": kind, "district": district, "operator": "Stadt Mainz", "simulated": kind != "airquality",
                "license": "dl-de/zero-2-0", "source": "Testdaten", "accessClass": access, "capacity": 300,
            },
            "Locations": [
                {
                    "name": district, "description": "", "encodingType": "application/geo+json",
                    "location": {"type": "Point", "coordinates": [lon, lat]}, "properties": {"accessClass": access},
                }
            ],
            "Datastreams": [_datastream(stream) for stream in streams],
        },
    )  # fmt: skip


def _datastream(stream: Stream) -> dict[str, Any]:
    observed, unit, base, limits, aggregation = stream
    opened = {"accessClass": "open"}
    return {
        "name": observed,
        "description": "",
        "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        "unitOfMeasurement": {"name": unit, "symbol": unit, "definition": unit},
        "properties": {**opened, "base": base, "limits": limits or [], "aggregation": aggregation},
        "Sensor": {"name": "S", "description": "", "encodingType": "text/plain", "metadata": "", "properties": opened},
        "ObservedProperty": {
            "name": observed, "description": "", "definition": f"http://example.org/{observed}", "properties": opened,
        },
    }  # fmt: skip
