"""Time series of datastreams: from rollups where they say everything, from rows where they do not.

Each function returns a question (a statement with its parameters), so that callers ask it synchronously or not.
Rollups are used only where the reader sees every observation of the datastream; hours marked stale are read from rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.store.statements import Statement, statement

_HEADERS = statement(
    "series.headers",
    """
    SELECT d.id, d.name, d.unit_of_measurement, d.thing_id, t.name, s.name, o.name, d.properties,
      l.phenomenon_start, l.phenomenon_time,
      f.access IS NULL OR f.access = ANY(%(classes)s::text[]), coalesce(l.features, false)
    FROM single_datastream d JOIN thing t ON t.id = d.thing_id JOIN sensor s ON s.id = d.sensor_id
    JOIN observed_property o ON o.id = d.observed_property_id
    LEFT JOIN feature_of_interest f ON f.id = d.foi_id
    LEFT JOIN datastream_latest l ON l.datastream_id = d.id
    WHERE d.id = ANY(%(datastreams)s::int[]) AND d.access = ANY(%(classes)s::text[])
      AND t.access = ANY(%(classes)s::text[]) AND s.access = ANY(%(classes)s::text[])
      AND o.access = ANY(%(classes)s::text[])
    """,
)
# The rows of a datastream that a reader sees: those with a visible feature, their own or (`default_visible`) inherited.
_SEEN = """
  o.datastream_id = %(datastream)s::int
  AND o.phenomenon_time >= %(start)s::timestamptz AND o.phenomenon_time < %(end)s::timestamptz
  AND (%(all_visible)s::boolean OR (o.foi_id IS NULL AND %(default_visible)s::boolean)
    OR o.foi_id IN (SELECT id FROM feature_of_interest WHERE access = ANY(%(classes)s::text[])))
"""
_EXTENT = statement(
    "series.extent", "SELECT min(o.phenomenon_time), max(o.phenomenon_time) FROM observation o WHERE" + _SEEN
)
_RAW = statement(
    "series.raw",
    "SELECT o.phenomenon_time, o.number, o.more -> 'result', o.more ->> 'end' FROM observation o WHERE"
    + _SEEN
    + "ORDER BY o.phenomenon_time, o.seq",
)
_COUNT = statement(
    "series.count",
    "SELECT count(*) FROM (SELECT 1 FROM observation o WHERE" + _SEEN + "LIMIT %(limit)s::int) AS found",
)
_FROM_ROWS = """, count(*)::bigint, min(o.number), max(o.number), sum(o.number),
  (array_agg(o.number ORDER BY o.phenomenon_time DESC, o.seq DESC))[1]
FROM observation o WHERE o.number IS NOT NULL AND
"""
_GROUPED = " GROUP BY 1 ORDER BY 1"
_UNITS = statement(
    "series.units_from_rows",
    "SELECT date_trunc(%(unit)s::text, o.phenomenon_time, city_zone())" + _FROM_ROWS + _SEEN + _GROUPED,
)
_QUARTERS = statement(
    "series.quarters_from_rows",
    "SELECT date_bin('15 minutes', o.phenomenon_time, date_trunc('hour', o.phenomenon_time, city_zone()))"
    + _FROM_ROWS
    + _SEEN
    + _GROUPED,
)
# Linear between the two nearest values, as numpy and the SQL standard have it.
_SPREAD = ", percentile_cont(%(fractions)s::float8[]) WITHIN GROUP (ORDER BY o.number) FROM observation o " + (
    "WHERE o.number IS NOT NULL AND" + _SEEN + "GROUP BY 1"
)
_PERCENTILES = statement(
    "series.percentiles", "SELECT date_trunc(%(unit)s::text, o.phenomenon_time, city_zone())" + _SPREAD
)
_QUARTER_PERCENTILES = statement(
    "series.percentiles_of_quarters",
    "SELECT date_bin('15 minutes', o.phenomenon_time, date_trunc('hour', o.phenomenon_time, city_zone()))" + _SPREAD,
)
_STALE_AND_HOURS = """
WITH stale AS (
  SELECT bucket FROM rollup_stale WHERE datastream_id = %(datastream)s::int
    AND bucket >= %(start)s::timestamptz AND bucket < %(end)s::timestamptz
), mended AS (
  SELECT s.bucket, count(*)::bigint AS count, min(o.number) AS min, max(o.number) AS max, sum(o.number) AS sum,
    (array_agg(o.number ORDER BY o.phenomenon_time DESC, o.seq DESC))[1] AS last
  FROM stale s JOIN observation o ON o.datastream_id = %(datastream)s::int
    AND o.phenomenon_time >= s.bucket AND o.phenomenon_time < s.bucket + interval '1 hour'
  WHERE o.number IS NOT NULL
    AND o.phenomenon_time >= %(start)s::timestamptz AND o.phenomenon_time < %(end)s::timestamptz
  GROUP BY 1
)"""
_HOURS = statement(
    "series.hours",
    _STALE_AND_HOURS
    + """
    SELECT r.bucket, r.count::bigint, r.min, r.max, r.sum, r.last FROM rollup_hour r
    WHERE r.datastream_id = %(datastream)s::int AND r.bucket NOT IN (SELECT bucket FROM stale)
      AND r.bucket >= %(start)s::timestamptz AND r.bucket < %(end)s::timestamptz
    UNION ALL SELECT bucket, count, min, max, sum, last FROM mended
    ORDER BY 1
    """,
)
_DAYS = statement(
    "series.days",
    _STALE_AND_HOURS
    + """, stale_days AS (
      SELECT DISTINCT date_trunc('day', bucket, city_zone()) AS bucket FROM stale
    ), hours AS (
      SELECT d.bucket AS day, r.bucket, r.count::bigint, r.min, r.max, r.sum, r.last
      FROM stale_days d JOIN rollup_hour r ON r.datastream_id = %(datastream)s::int AND r.bucket >= d.bucket
        AND r.bucket < (d.bucket AT TIME ZONE city_zone() + interval '1 day') AT TIME ZONE city_zone()
      WHERE r.bucket NOT IN (SELECT bucket FROM stale)
      UNION ALL
      SELECT date_trunc('day', bucket, city_zone()), bucket, count, min, max, sum, last FROM mended
    ), days AS (
      SELECT r.bucket, r.count::bigint, r.min, r.max, r.sum, r.last FROM rollup_day r
      WHERE r.datastream_id = %(datastream)s::int AND r.bucket NOT IN (SELECT bucket FROM stale_days)
        AND r.bucket >= %(start)s::timestamptz AND r.bucket < %(end)s::timestamptz
      UNION ALL
      SELECT day, sum(count)::bigint, min(min), max(max), sum(sum), (array_agg(last ORDER BY bucket DESC))[1]
      FROM hours GROUP BY 1
    )
    SELECT date_trunc(%(unit)s::text, bucket, city_zone()), sum(count)::bigint, min(min), max(max), sum(sum),
      (array_agg(last ORDER BY bucket DESC))[1]
    FROM days GROUP BY 1 ORDER BY 1
    """,
)
Parameters = Mapping[str, object]
Question = tuple[Statement, Parameters]


@dataclass(frozen=True, slots=True)
class Header:
    """A datastream that the reader sees. Extent: starts of its first and last phenomenon time, None without any.

    `whole`: no observation of it is hidden from the reader, so that rollups may answer.
    """

    id: int
    name: str
    unit: Mapping[str, object]
    thing_id: int
    thing: str
    sensor: str
    observed_property: str
    properties: Mapping[str, object] | None
    first: datetime | None
    last: datetime | None
    default_visible: bool
    features: bool
    reader: Reader

    @property
    def whole(self) -> bool:
        return self.reader.classes == frozenset(AccessClass) or (self.default_visible and not self.features)


def _classes(reader: Reader) -> list[str]:
    return sorted(item.value for item in reader.classes)


def headers(reader: Reader, datastreams: Sequence[int]) -> Question:
    """Columns of Header but the reader; datastreams that it does not see are absent like those that are not there."""
    return _HEADERS, {"datastreams": list(datastreams), "classes": _classes(reader)}


def _seen(header: Header, start: datetime, end: datetime) -> dict[str, object]:
    return {
        "datastream": header.id, "start": start, "end": end, "all_visible": header.whole,
        "default_visible": header.default_visible, "classes": _classes(header.reader),
    }  # fmt: skip


def extent(header: Header, start: datetime, end: datetime) -> Question:
    """First and last phenomenon time that the reader sees, for datastreams that it does not see whole."""
    return _EXTENT, _seen(header, start, end)


def raw(header: Header, start: datetime, end: datetime) -> Question:
    """(time, number, other result, end of an interval as text) of `start` <= time < `end`."""
    return _RAW, _seen(header, start, end)


def count(header: Header, start: datetime, end: datetime, *, limit: int) -> Question:
    """How many observations there are, as far as `limit`."""
    return _COUNT, _seen(header, start, end) | {"limit": limit}


def buckets(header: Header, start: datetime, end: datetime, unit: str) -> Question:
    """(bucket, count, min, max, sum, last) by `unit` (minute, quarter, hour, day, week, month, year) of numbers.

    `start` and `end` stand on borders of the unit.
    """
    parameters = _seen(header, start, end) | {"unit": unit}
    if unit == "quarter":
        return _QUARTERS, parameters
    if unit == "minute" or not header.whole:
        return _UNITS, parameters
    return (_HOURS if unit == "hour" else _DAYS), parameters


def percentiles(header: Header, start: datetime, end: datetime, unit: str, fractions: Sequence[float]) -> Question:
    """(bucket, values at the `fractions`, 0 to 1) by `unit`, always from rows."""
    parameters = _seen(header, start, end) | {"unit": unit, "fractions": list(fractions)}
    return (_QUARTER_PERCENTILES if unit == "quarter" else _PERCENTILES), parameters
