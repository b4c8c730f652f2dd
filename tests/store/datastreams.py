"""Datastreams to write to, and what the store should hold for them, recomputed from the rows."""

from typing import Any

import psycopg

_LATEST = """
SELECT datastream_id, id, phenomenon_time, number, result_time, foi_id, seq, more,
  phenomenon_start, phenomenon_end, result_start, result_end FROM datastream_latest
"""
_LATEST_RECOMPUTED = """
SELECT DISTINCT ON (datastream_id) datastream_id, id, phenomenon_time, number, result_time, foi_id, seq, more,
  min(phenomenon_time) OVER w, max(coalesce((more->>'end')::timestamptz, phenomenon_time)) OVER w,
  min(result_time) OVER w, max(result_time) OVER w
FROM observation WINDOW w AS (PARTITION BY datastream_id) ORDER BY datastream_id, phenomenon_time DESC, seq DESC
"""
_ROLLUP = "SELECT datastream_id, bucket, count, sum, min, max, last FROM rollup_{unit}"
_ROLLUP_RECOMPUTED = """
SELECT datastream_id, date_trunc('{unit}', phenomenon_time, city_zone()), count(*), sum(number), min(number),
  max(number), (array_agg(number ORDER BY phenomenon_time DESC, seq DESC))[1]
FROM observation WHERE number IS NOT NULL GROUP BY 1, 2
"""
RECOMPUTED = {
    "datastream_latest": (_LATEST, _LATEST_RECOMPUTED),
    "rollup_hour": (_ROLLUP.format(unit="hour"), _ROLLUP_RECOMPUTED.format(unit="hour")),
    "rollup_day": (_ROLLUP.format(unit="day"), _ROLLUP_RECOMPUTED.format(unit="day")),
}


def make_datastreams(connection: psycopg.Connection, count: int, *, access: str = "open") -> list[int]:
    """`count` datastreams `PM10 1`, … of one Thing `Station`, unit µg/m³."""

    def insert(sql: str, *values: object) -> int:
        row = connection.execute(sql + " RETURNING id", values).fetchone()
        assert row is not None
        return int(row[0])

    thing = insert("INSERT INTO thing (name, description, access) VALUES ('Station', '', %s)", access)
    sensor = insert(
        "INSERT INTO sensor (name, description, access, encoding_type, metadata) "
        "VALUES ('S', '', %s, 'text/html', '\"\"')",
        access,
    )
    observed = insert(
        "INSERT INTO observed_property (name, description, access, definition) VALUES ('PM10', '', %s, 'urn:pm10')",
        access,
    )
    rows = connection.execute(
        "INSERT INTO datastream (name, description, access, observation_type, unit_of_measurement, thing_id, "
        "sensor_id, observed_property_id) SELECT 'PM10 ' || n, '', %s, 'OM_Measurement', "
        """'{"name": "microgram", "symbol": "µg/m³", "definition": "ucum:ug/m3"}', %s, %s, %s """
        "FROM generate_series(1, %s) n RETURNING id",
        (access, thing, sensor, observed, count),
    ).fetchall()
    return [row[0] for row in rows]


def make_feature(connection: psycopg.Connection) -> int:
    row = connection.execute(
        "INSERT INTO feature_of_interest (name, description, access, encoding_type, feature) "
        """VALUES ('F', '', 'open', 'application/geo+json', '{"type": "Point", "coordinates": [8.2, 50.0]}') """
        "RETURNING id"
    ).fetchone()
    assert row is not None
    return int(row[0])


def assert_consistent(connection: psycopg.Connection) -> None:
    """Latest values, extents and rollups are what the rows say; call store.maintenance.repair_rollups before."""
    for name, (kept, recomputed) in RECOMPUTED.items():
        is_, should = ([tuple(row) for row in connection.execute(sql).fetchall()] for sql in (kept, recomputed))
        assert sorted(is_, key=str) == sorted(should, key=str), name


def all_rows(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT datastream_id, phenomenon_time, seq, id, number, result_time, foi_id, more FROM observation "
        "ORDER BY datastream_id, phenomenon_time, seq"
    ).fetchall()
