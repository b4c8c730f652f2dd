"""What the event stream asks: where was written to, what is newest there, and who may see it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from mainzdigital.store.statements import statement

_NEWEST_CHANGE = statement("feed.newest_change", "SELECT coalesce(max(id), 0) FROM change_log")
_TOUCHED = statement(
    "feed.touched",
    """
    SELECT u.datastream, max(c.id) FROM change_log c CROSS JOIN unnest(c.ids) AS u(datastream)
    WHERE c.id = ANY(%(changes)s::bigint[]) AND c.kind = 'observations' GROUP BY 1
    """,
)
# An entry with a smaller id may have been committed later, hence the minute.
_TOUCHED_SINCE = statement(
    "feed.touched_since",
    """
    SELECT u.datastream, max(c.id) FROM change_log c CROSS JOIN unnest(c.ids) AS u(datastream)
    WHERE c.kind = 'observations' AND c.at >= coalesce(
      (SELECT at FROM change_log WHERE id <= %(change)s::bigint ORDER BY id DESC LIMIT 1) - interval '1 minute',
      '-infinity')
    GROUP BY 1
    """,
)
_LATEST = statement(
    "feed.latest",
    """
    SELECT l.datastream_id, d.thing_id, l.id, l.phenomenon_time, l.number, l.result_time, l.more,
      coalesce(d.unit_of_measurement ->> 'symbol', d.unit_of_measurement ->> 'name'),
      array_remove(ARRAY[d.access, t.access, s.access, o.access, f.access]::text[], NULL)
    FROM datastream_latest l JOIN single_datastream d ON d.id = l.datastream_id JOIN thing t ON t.id = d.thing_id
    JOIN sensor s ON s.id = d.sensor_id JOIN observed_property o ON o.id = d.observed_property_id
    LEFT JOIN feature_of_interest f ON f.id = coalesce(l.foi_id, d.foi_id)
    WHERE l.datastream_id = ANY(%(datastreams)s::int[])
    """,
)


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The newest observation of a datastream; `access` holds every class that a reader of it needs."""

    datastream_id: int
    thing_id: int
    id: int
    phenomenon_time: datetime
    number: float | None
    result_time: datetime | None
    more: dict[str, Any] | None
    unit: str | None
    access: list[str]


async def newest_change(connection: psycopg.AsyncConnection) -> int:
    row = await (await connection.execute(_NEWEST_CHANGE.sql)).fetchone()
    assert row is not None
    return int(row[0])


async def touched(connection: psycopg.AsyncConnection, changes: Collection[int]) -> dict[int, int]:
    """Datastreams that these entries of the change log wrote to, with the newest entry of each."""
    cursor = await connection.execute(_TOUCHED.sql, {"changes": list(changes)})
    return dict(await cursor.fetchall())


async def touched_since(connection: psycopg.AsyncConnection, change: int) -> dict[int, int]:
    """The same for entries since `change`, with a minute of overlap."""
    cursor = await connection.execute(_TOUCHED_SINCE.sql, {"change": change})
    return dict(await cursor.fetchall())


async def latest(connection: psycopg.AsyncConnection, datastreams: Collection[int]) -> list[LatestValue]:
    cursor = await connection.execute(_LATEST.sql, {"datastreams": list(datastreams)}, binary=True)
    return [LatestValue(*row) for row in await cursor.fetchall()]
