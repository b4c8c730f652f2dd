"""Small random cities: as rows in the database, as mappings for the reference evaluator, with the hidden deleted."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import shapely

from mainzdigital.kernel.time import Interval, format_instant
from mainzdigital.query.geometry import from_geojson
from mainzdigital.store import partitions
from mainzdigital.store.geometry import shape_of
from mainzdigital.store.ids import month_index

Row = dict[str, Any]
CLASSES = ("open", "internal", "restricted", "personal")
TIMES = [datetime(2024, 1, 31, 23, 30, tzinfo=UTC) + timedelta(minutes=15 * step) for step in range(5)] + [
    datetime(2025, 6, 1, 0, 0, 0, 250_000, tzinfo=UTC)
]
TEXTS = ["", "a", "b", "B", "ab", "ä", "Ä b", "O'x", "\U0001f600", " a\t"]
POINT = {"type": "Point", "coordinates": [8.27, 50.0]}
SQUARE = {"type": "Polygon", "coordinates": [[[8, 50], [9, 50], [9, 51], [8, 51], [8, 50]]]}
SHAPES: list[Any] = [
    POINT,
    {"type": "Point", "coordinates": [8, 50]},
    SQUARE,
    {"type": "LineString", "coordinates": [[8, 50], [9, 51], [10, 51]]},
    {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPoint", "coordinates": [[8.5, 50.5], [11, 50]]}},
    {"type": "GeometryCollection", "geometries": [POINT, SQUARE]},
]


@dataclass
class City:
    """Tables of a city: rows by table, keys as in the database."""

    things: list[Row] = field(default_factory=list)
    locations: list[Row] = field(default_factory=list)
    sensors: list[Row] = field(default_factory=list)
    observed: list[Row] = field(default_factory=list)
    features: list[Row] = field(default_factory=list)
    datastreams: list[Row] = field(default_factory=list)
    observations: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    thing_locations: list[tuple[int, int]] = field(default_factory=list)
    history_locations: list[tuple[int, int]] = field(default_factory=list)

    def without_hidden(self, classes: frozenset[str]) -> "City":
        """The city from which everything hidden from a reader of these classes was deleted, ids kept."""

        def kept(rows: list[Row]) -> list[Row]:
            return [row for row in rows if row["access"] in classes]

        def ids(rows: list[Row]) -> set[int]:
            return {row["id"] for row in rows}

        things, locations, sensors = kept(self.things), kept(self.locations), kept(self.sensors)
        observed, features = kept(self.observed), kept(self.features)
        datastreams = [
            row
            for row in kept(self.datastreams)
            if row["thing"] in ids(things)
            and row["sensor"] in ids(sensors)
            and {row["observed"], *(row["multi"] or ())} <= ids(observed)
        ]
        default = {row["id"]: row["foi"] for row in datastreams}
        observations = []
        for row in self.observations:
            if row["datastream"] in default:
                feature = row["foi"] if row["foi"] is not None else default[row["datastream"]]
                if feature is None or feature in ids(features):
                    observations.append(row)
        gone = {pair[0] for pair in self.history_locations if pair[1] not in ids(locations)}
        history = [row for row in self.history if row["thing"] in ids(things) and row["id"] not in gone]
        datastreams = [{**row, "foi": row["foi"] if row["foi"] in ids(features) else None} for row in datastreams]
        return City(
            things,
            locations,
            sensors,
            observed,
            features,
            datastreams,
            observations,
            history,
            [pair for pair in self.thing_locations if pair[0] in ids(things) and pair[1] in ids(locations)],
            [pair for pair in self.history_locations if pair[0] in ids(history) and pair[1] in ids(locations)],
        )

    def nodes(self) -> dict[str, list[Row]]:
        """Entities by entity type as `query.evaluate` reads them."""
        named = ("id", "name", "description", "properties", "access")

        def plain(rows: list[Row], *more: str) -> dict[int, Row]:
            return {row["id"]: {key: row[key] for key in (*named, *more)} for row in rows}

        things, sensors = plain(self.things), plain(self.sensors, "encodingType", "metadata")
        locations = plain(self.locations, "encodingType", "location")
        features = plain(self.features, "encodingType", "feature")
        observed = plain(self.observed, "definition")
        datastreams = plain(self.datastreams, "observationType", "observedArea")
        for node in things.values():
            node |= {"Datastreams": [], "MultiDatastreams": [], "Locations": [], "HistoricalLocations": []}
        for node in locations.values():
            node |= {"Things": [], "HistoricalLocations": []}
        for node in [*sensors.values(), *observed.values()]:
            node |= {"Datastreams": [], "MultiDatastreams": []}
        for node in features.values():
            node["Observations"] = []
        for row in self.datastreams:
            node = datastreams[row["id"]]
            node |= {
                "Thing": things[row["thing"]],
                "Sensor": sensors[row["sensor"]],
                "defaultFeature": features.get(row["foi"]),
                "Observations": [],
                "phenomenonTime": None,
                "resultTime": None,
            }
            if row["multi"] is None:
                node |= {"ObservedProperty": observed[row["observed"]], "unitOfMeasurement": row["unitOfMeasurement"]}
                for related in (node["Thing"], node["Sensor"], node["ObservedProperty"]):
                    related["Datastreams"].append(node)
            else:
                node |= {
                    "ObservedProperties": [observed[one] for one in row["multi"]],
                    "unitOfMeasurements": row["unitOfMeasurement"],
                    "multiObservationDataTypes": row["types"],
                }
                for related in (node["Thing"], node["Sensor"], *node["ObservedProperties"]):
                    related["MultiDatastreams"].append(node)
        observations: dict[int, Row] = {}
        for row in self.observations:
            stream = datastreams[row["datastream"]]
            feature = features[row["foi"]] if row["foi"] is not None else stream["defaultFeature"]
            node = observations[row["id"]] = {
                **{key: row[key] for key in ("id", "result", "resultTime", "phenomenonTime", "validTime")},
                "resultQuality": row["resultQuality"],
                "parameters": row["parameters"],
                "Datastream": None if "ObservedProperties" in stream else stream,
                "MultiDatastream": stream if "ObservedProperties" in stream else None,
                "stream": {
                    "ObservedProperty": stream.get("ObservedProperty") or stream["ObservedProperties"][0],
                    **{name: stream[name] for name in ("id", "access", "Thing", "Sensor", "defaultFeature")},
                },
                "streamProperties": stream.get("ObservedProperties", []),
                "FeatureOfInterest": feature,
                "ownFeature": features.get(row["foi"]),
                "seq": row["seq"],
            }
            stream["Observations"].append(node)
            if feature is not None:
                feature["Observations"].append(node)
        for node in datastreams.values():
            node.update(extents(node["Observations"]))
            if node["observedArea"] is None:
                own = [row["FeatureOfInterest"] for row in node["Observations"]]
                if own:
                    own.append(node["defaultFeature"])
                node["observedArea"] = envelope([one["feature"] for one in own if one is not None])
        history = {}
        for row in self.history:
            node = history[row["id"]] = {"id": row["id"], "time": row["time"], "Thing": things[row["thing"]]}
            node["Locations"] = []
            node["Thing"]["HistoricalLocations"].append(node)
        for thing, location in self.thing_locations:
            things[thing]["Locations"].append(locations[location])
            locations[location]["Things"].append(things[thing])
        for moment, location in self.history_locations:
            history[moment]["Locations"].append(locations[location])
            locations[location]["HistoricalLocations"].append(history[moment])
        return {
            "Thing": list(things.values()),
            "Location": list(locations.values()),
            "Sensor": list(sensors.values()),
            "ObservedProperty": list(observed.values()),
            "FeatureOfInterest": list(features.values()),
            "Datastream": [node for node in datastreams.values() if "ObservedProperty" in node],
            "MultiDatastream": [node for node in datastreams.values() if "ObservedProperties" in node],
            "Observation": list(observations.values()),
            "HistoricalLocation": list(history.values()),
        }

    def insert(self, conn: psycopg.Connection) -> None:
        """Replace the content of the database by this city."""
        with conn.transaction(), conn.cursor() as cursor:
            for table in (
                "multi_datastream_observed_property", "historical_location_location", "historical_location",
                "thing_location", "observation", "observation_moved", "datastream_latest", "datastream", "thing",
                "location", "sensor", "observed_property", "feature_of_interest",
            ):  # fmt: skip
                cursor.execute(f"DELETE FROM {table}")  # of few rows; TRUNCATE would make every partition anew
            for table, rows, more in (
                ("thing", self.things, {}),
                ("location", self.locations, {"encoding_type": "encodingType", "location": "location"}),
                ("sensor", self.sensors, {"encoding_type": "encodingType", "metadata": "metadata"}),
                ("observed_property", self.observed, {"definition": "definition"}),
                ("feature_of_interest", self.features, {"encoding_type": "encodingType", "feature": "feature"}),
                (
                    "datastream",
                    self.datastreams,
                    {
                        "observation_type": "observationType",
                        "unit_of_measurement": "unitOfMeasurement",
                        "observed_area": "observedArea",
                        "thing_id": "thing",
                        "sensor_id": "sensor",
                        "observed_property_id": "observed",
                        "foi_id": "foi",
                        "data_types": "types",
                    },
                ),
            ):
                columns = {name: name for name in ("id", "name", "description", "properties", "access")} | more
                written = [{key: row[name] for key, name in columns.items()} for row in rows]
                for row in written:
                    if "location" in row or "feature" in row:
                        row.update(shape_columns(row.get("location", row.get("feature"))))
                _insert(cursor, table, written)
            cursor.execute("UPDATE datastream SET multi = true WHERE data_types IS NOT NULL")
            _insert(
                cursor,
                "multi_datastream_observed_property",
                [
                    {"datastream_id": row["id"], "observed_property_id": one, "position": position}
                    for row in self.datastreams
                    for position, one in enumerate(row["multi"] or ())
                ],
            )
            _insert(
                cursor,
                "historical_location",
                [{"id": row["id"], "time": row["time"], "thing_id": row["thing"]} for row in self.history],
            )
            _insert(cursor, "thing_location", [{"thing_id": a, "location_id": b} for a, b in self.thing_locations])
            _insert(
                cursor,
                "historical_location_location",
                [{"historical_location_id": a, "location_id": b} for a, b in self.history_locations],
            )
            multis = {row["id"] for row in self.datastreams if row["multi"] is not None}
            rows = [observation_row(row, multi=row["datastream"] in multis) for row in self.observations]
            _insert(cursor, "observation", rows)
            named = {(row["datastream_id"], row["foi_id"]) for row in rows if row["foi_id"] is not None}
            _insert(cursor, "datastream_feature", [{"datastream_id": a, "foi_id": b} for a, b in sorted(named)])
            _insert(cursor, "datastream_latest", latest_rows(self.observations, rows))


def envelope(features: list[Any]) -> Row | None:
    """The box around GeoJSON: a polygon, or what is left of it without width or height."""
    shapes = [one for one in map(from_geojson, features) if one is not None]
    if not shapes:
        return None
    w, s, e, n = (float(one) for one in shapely.total_bounds(shapes))
    if w == e and s == n:
        return {"type": "Point", "coordinates": [w, s]}
    if w == e or s == n:
        return {"type": "LineString", "coordinates": [[w, s], [e, n]]}
    return {"type": "Polygon", "coordinates": [[[w, s], [e, s], [e, n], [w, n], [w, s]]]}


def shape_columns(content: Any) -> Row:
    """What the writer keeps beside the JSON."""
    shape = shape_of(content, encoding="application/geo+json" if isinstance(content, dict) else "text/plain", where="")
    return {"geometry": shape.wkb, "box": shape.box}


def ends(value: datetime | Interval) -> tuple[datetime, datetime]:
    return (value.start, value.end) if isinstance(value, Interval) else (value, value)


def extents(observations: list[Row]) -> Row:
    """Extent of the times of observations."""
    if not observations:
        return {"phenomenonTime": None, "resultTime": None}
    times = [ends(node["phenomenonTime"]) for node in observations]
    results = [node["resultTime"] for node in observations if node["resultTime"] is not None]
    return {
        "phenomenonTime": Interval(min(a for a, _ in times), max(b for _, b in times)),
        "resultTime": Interval(min(results), max(results)) if results else None,
    }


def observation_row(row: Row, *, multi: bool = False) -> Row:
    """An observation as the writer stores it."""
    start, end = ends(row["phenomenonTime"])
    more: Row = {"multi": True} if multi else {}
    if isinstance(row["phenomenonTime"], Interval):
        more["end"] = format_instant(end)
    number = row["result"] if isinstance(row["result"], float) else None
    if number is None and row["result"] is not None:
        more["result"] = row["result"]
    if row["validTime"] is not None:
        more["valid_start"], more["valid_end"] = map(format_instant, ends(row["validTime"]))
    if row["resultQuality"] is not None:
        more["quality"] = row["resultQuality"]
    if row["parameters"] is not None:
        more["parameters"] = row["parameters"]
    return {
        "id": row["id"],
        "phenomenon_time": start,
        "number": number,
        "result_time": row["resultTime"],
        "datastream_id": row["datastream"],
        "foi_id": row["foi"],
        "seq": row["seq"],
        "more": more or None,
    }


def latest_rows(observations: list[Row], rows: list[Row]) -> list[Row]:
    found = []
    for datastream in {row["datastream_id"] for row in rows}:
        own = [row for row in rows if row["datastream_id"] == datastream]
        newest = max(own, key=lambda row: (row["phenomenon_time"], row["seq"]))
        extent = extents([row for row in observations if row["datastream"] == datastream])
        (start, end), results = ends(extent["phenomenonTime"]), extent["resultTime"]
        found.append(
            {
                **newest,
                "phenomenon_start": start,
                "phenomenon_end": end,
                "result_start": results and results.start,
                "result_end": results and results.end,
                "intervals": any("end" in (row["more"] or {}) for row in own),
                "features": any(row["foi_id"] is not None for row in own),
            }
        )
    return found


_JSON = {
    "properties",
    "location",
    "metadata",
    "feature",
    "unit_of_measurement",
    "observed_area",
    "data_types",
    "more",
}


def _insert(cursor: psycopg.Cursor[Any], table: str, rows: list[Row]) -> None:
    if not rows:
        return
    columns = ", ".join(f'"{name}"' for name in rows[0])
    marks = ", ".join(["%s"] * len(rows[0]))
    cursor.executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({marks})",
        [
            [json.dumps(value) if key in _JSON and value is not None else value for key, value in row.items()]
            for row in rows
        ],
    )


def month_id(time: datetime, number: int) -> int:
    return ((time.year - 1600) * 12 + time.month - 1 << 40) + number


def make_partitions(conn: psycopg.Connection) -> None:
    """Partitions for January and February 2024 and for 2025, which is where TIMES and the examples lie."""
    year = month_index(datetime(2025, 1, 1, tzinfo=UTC))
    partitions.forget(conn)
    partitions.ensure(conn, {year - 12, year - 11, *range(year, year + 12)})
