"""Reads for portal pages: things with what they measure now, counted by facet, found by words.

Every statement takes the access classes of the reader; what another class hides is as if it were not there: not
counted, not found, its values not shown. An observation is hidden with its feature of interest, so streams and values
whose feature the reader may not see are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, JsonbLoader

from mainzdigital.store.statements import Statement, statement

Row = dict[str, Any]

# Streams the reader may see, with their latest value.
_STREAM: LiteralString = """
  SELECT d.id, d.thing_id, d.name, d.description, d.properties, d.unit_of_measurement AS unit, d.observation_type,
         p.id AS property_id, p.name AS property_name, p.definition AS property_definition,
         s.name AS sensor_name, s.description AS sensor_description,
         l.phenomenon_time AS time, l.number, l.more,
         NOT coalesce(l.features, false) OR cardinality(%(classes)s::text[]) = 4 AS whole, l.phenomenon_start
  FROM single_datastream d
  JOIN sensor s ON s.id = d.sensor_id AND s.access = ANY(%(classes)s::text[])
  JOIN observed_property p ON p.id = d.observed_property_id AND p.access = ANY(%(classes)s::text[])
  LEFT JOIN feature_of_interest df ON df.id = d.foi_id
  LEFT JOIN datastream_latest l ON l.datastream_id = d.id
    AND (df.id IS NULL OR df.access = ANY(%(classes)s::text[]))
    AND (l.foi_id IS NULL OR l.foi_id IN (
      SELECT f.id FROM feature_of_interest f WHERE f.access = ANY(%(classes)s::text[])))
  WHERE d.access = ANY(%(classes)s::text[])
"""

# One row per thing, as lists, facets and the map see it.
_SEEN: LiteralString = (
    """
WITH stream AS ("""
    + _STREAM
    + """),
place AS (
  SELECT DISTINCT ON (tl.thing_id) tl.thing_id, (center(l.box))[0] AS lon, (center(l.box))[1] AS lat
  FROM thing_location tl
  JOIN location l ON l.id = tl.location_id AND l.access = ANY(%(classes)s::text[]) AND l.box IS NOT NULL
  ORDER BY tl.thing_id, l.id
),
measures AS (
  SELECT thing_id, max(time) AS newest, array_agg(DISTINCT property_name) AS properties
  FROM stream GROUP BY thing_id
),
seen AS (
  SELECT t.id, t.name, t.description, t.changed, t.properties, pl.lon, pl.lat, m.newest,
         coalesce(t.properties ->> 'kind', '') AS kind,
         coalesce(t.properties ->> 'district', '') AS district,
         coalesce(t.properties ->> 'operator', '') AS operator,
         coalesce(m.properties, '{}') AS observed,
         CASE WHEN m.newest IS NULL THEN 'none'
              WHEN m.newest > %(now)s::timestamptz - interval '3 hours' THEN 'current'
              WHEN m.newest > %(now)s::timestamptz - interval '2 days' THEN 'late'
              ELSE 'silent' END AS state
  FROM thing t LEFT JOIN place pl ON pl.thing_id = t.id LEFT JOIN measures m ON m.thing_id = t.id
  WHERE t.access = ANY(%(classes)s::text[])
),
judged AS (
  SELECT seen.*,
         replace(replace(replace(replace(translate(lower(concat_ws(' ', name, description, district, operator,
           array_to_string(observed, ' '), %(kind_words)s::jsonb ->> kind)), 'äöüß', 'aous'),
           'ae', 'a'), 'oe', 'o'), 'ue', 'u'), 'ss', 's') LIKE ALL(%(patterns)s::text[]) AS ok_words,
         %(kinds)s::text[] = '{}' OR kind = ANY(%(kinds)s::text[]) AS ok_kind,
         %(districts)s::text[] = '{}' OR district = ANY(%(districts)s::text[]) AS ok_district,
         %(operators)s::text[] = '{}' OR operator = ANY(%(operators)s::text[]) AS ok_operator,
         %(states)s::text[] = '{}' OR state = ANY(%(states)s::text[]) AS ok_state,
         %(observed)s::text[] = '{}' OR observed && %(observed)s::text[] AS ok_observed
  FROM seen
)
"""
)
_PAGE = statement(
    "things.page",
    _SEEN
    + """
SELECT id, name, description, changed, properties, lon, lat, newest, kind, district, operator, observed, state
FROM judged
WHERE ok_words AND ok_kind AND ok_district AND ok_operator AND ok_state AND ok_observed
ORDER BY CASE WHEN %(order)s::text = 'newest' THEN newest END DESC NULLS LAST,
         CASE WHEN %(order)s::text = 'added' THEN id END DESC NULLS LAST,
         CASE WHEN %(order)s::text = 'kind' THEN kind END,
         CASE WHEN %(order)s::text = 'district' THEN translate(lower(district), 'äöüß', 'aous') END,
         translate(lower(name), 'äöüß', 'aous'), id
LIMIT %(limit)s::int OFFSET %(offset)s::int
""",
)
_FACETS = statement(
    "things.facets",
    _SEEN
    + """
SELECT 'total' AS facet, '' AS value, count(*) AS count FROM judged
WHERE ok_words AND ok_kind AND ok_district AND ok_operator AND ok_state AND ok_observed
UNION ALL
SELECT 'kind', kind, count(*) FROM judged
WHERE ok_words AND ok_district AND ok_operator AND ok_state AND ok_observed GROUP BY kind
UNION ALL
SELECT 'district', district, count(*) FROM judged
WHERE ok_words AND ok_kind AND ok_operator AND ok_state AND ok_observed GROUP BY district
UNION ALL
SELECT 'operator', operator, count(*) FROM judged
WHERE ok_words AND ok_kind AND ok_district AND ok_state AND ok_observed GROUP BY operator
UNION ALL
SELECT 'state', state, count(*) FROM judged
WHERE ok_words AND ok_kind AND ok_district AND ok_operator AND ok_observed GROUP BY state
UNION ALL
SELECT 'observed', one, count(*) FROM judged, unnest(observed) AS one
WHERE ok_words AND ok_kind AND ok_district AND ok_operator AND ok_state GROUP BY one
""",
)
_VOCABULARY = statement(
    "things.vocabulary",
    """
SELECT DISTINCT word FROM (
  SELECT regexp_split_to_table(concat_ws(' ', name, properties ->> 'district'), '[^[:alnum:]]+') AS word
  FROM thing WHERE access = ANY(%(classes)s::text[])
) AS words WHERE length(word) > 3 LIMIT 20000
""",
)
_STREAMS = statement(
    "things.streams",
    "WITH stream AS ("
    + _STREAM
    + """)
SELECT stream.*, t.name AS thing_name, t.properties AS thing_properties
FROM stream JOIN thing t ON t.id = stream.thing_id AND t.access = ANY(%(classes)s::text[])
WHERE (%(things)s::int[] IS NULL OR stream.thing_id = ANY(%(things)s::int[]))
  AND (%(properties)s::int[] IS NULL OR property_id = ANY(%(properties)s::int[]))
ORDER BY stream.thing_id, stream.id
""",
)
_THING = statement(
    "things.thing",
    """
SELECT id, name, description, properties, changed FROM thing
WHERE id = %(id)s::int AND access = ANY(%(classes)s::text[])
""",
)
_LOCATIONS = statement(
    "things.locations",
    """
SELECT l.id, l.name, l.description, l.location, (center(l.box))[0] AS lon, (center(l.box))[1] AS lat
FROM thing_location tl JOIN location l ON l.id = tl.location_id AND l.access = ANY(%(classes)s::text[])
WHERE tl.thing_id = %(id)s::int ORDER BY l.id
""",
)
_PROPERTIES = statement(
    "things.properties",
    """
SELECT p.id, p.name, p.description, p.definition, p.properties FROM observed_property p
WHERE p.access = ANY(%(classes)s::text[]) ORDER BY p.id
""",
)
# Hours of many streams together. Hours whose rollup waits for its repair are read from their rows.
_HOURLY = statement(
    "things.hourly",
    """
WITH hours AS (
  SELECT r.datastream_id, r.bucket, r.count, r.sum, r.max FROM rollup_hour r
  WHERE r.datastream_id = ANY(%(streams)s::int[])
    AND r.bucket >= %(since)s::timestamptz AND r.bucket < %(until)s::timestamptz
    AND (r.datastream_id, r.bucket) NOT IN (
      SELECT x.datastream_id, x.bucket FROM rollup_stale x WHERE x.datastream_id = ANY(%(streams)s::int[]))
  UNION ALL
  SELECT o.datastream_id, x.bucket, count(*), sum(o.number), max(o.number)
  FROM rollup_stale x JOIN observation o ON o.datastream_id = x.datastream_id
    AND o.phenomenon_time >= x.bucket AND o.phenomenon_time < x.bucket + interval '1 hour'
  WHERE x.datastream_id = ANY(%(streams)s::int[]) AND o.number IS NOT NULL
    AND x.bucket >= %(since)s::timestamptz AND x.bucket < %(until)s::timestamptz
    AND o.phenomenon_time >= %(since)s::timestamptz AND o.phenomenon_time < %(until)s::timestamptz
  GROUP BY 1, 2
)
SELECT bucket, sum(sum) AS total, avg(sum / count) AS mean, sum(sum / count) AS level, max(max) AS highest
FROM hours GROUP BY bucket ORDER BY bucket
""",
)


def _rows(connection: psycopg.Connection[Any], asked: Statement, parameters: Mapping[str, object]) -> list[Row]:
    # Django hands out jsonb as text; here it is always Python.
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        cursor.adapters.register_loader("jsonb", JsonbLoader)
        return cursor.execute(asked.sql, parameters).fetchall()


def search_things(connection: psycopg.Connection[Any], parameters: Mapping[str, object]) -> list[Row]:
    """A page of things; see `exchange.things.ThingQuery` for the parameters."""
    return _rows(connection, _PAGE, _with_json(parameters))


def count_facets(connection: psycopg.Connection[Any], parameters: Mapping[str, object]) -> list[Row]:
    """Rows (facet, value, count); each facet is counted under the choices in all others; `total` is one of them."""
    return _rows(connection, _FACETS, _with_json(parameters))


def _with_json(parameters: Mapping[str, object]) -> dict[str, object]:
    return {**parameters, "kind_words": Jsonb(parameters["kind_words"])}


def read_vocabulary(connection: psycopg.Connection[Any], classes: Sequence[str]) -> list[str]:
    """Words of names and districts, for a search that found nothing."""
    return [row["word"] for row in _rows(connection, _VOCABULARY, {"classes": list(classes)})]


def read_streams(
    connection: psycopg.Connection[Any],
    classes: Sequence[str],
    *,
    things: Sequence[int] | None = None,
    properties: Sequence[int] | None = None,
) -> list[Row]:
    """Datastreams with unit, observed property and latest value, by thing or by observed property."""
    return _rows(
        connection,
        _STREAMS,
        {
            "classes": list(classes),
            "things": None if things is None else list(things),
            "properties": None if properties is None else list(properties),
        },
    )


def read_thing(connection: psycopg.Connection[Any], classes: Sequence[str], identifier: int) -> Row | None:
    rows = _rows(connection, _THING, {"classes": list(classes), "id": identifier})
    return rows[0] if rows else None


def read_locations(connection: psycopg.Connection[Any], classes: Sequence[str], identifier: int) -> list[Row]:
    return _rows(connection, _LOCATIONS, {"classes": list(classes), "id": identifier})


def read_observed_properties(connection: psycopg.Connection[Any], classes: Sequence[str]) -> list[Row]:
    return _rows(connection, _PROPERTIES, {"classes": list(classes)})


def read_hours(connection: psycopg.Connection[Any], streams: Sequence[int], since: object, until: object) -> list[Row]:
    """Per hour over all the streams: total of values, mean of means, sum of means (a level), highest value."""
    return _rows(connection, _HOURLY, {"streams": list(streams), "since": since, "until": until})
