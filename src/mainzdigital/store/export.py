"""Observations for files: datastreams with the classes that reading them needs, rows in order, the way back to both."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from mainzdigital.kernel.access import AccessClass
from mainzdigital.store.arrays import MicrosLoader
from mainzdigital.store.statements import statement

_STREAMS = statement(
    "export.streams",
    """
    SELECT d.id, d.name, t.name, d.multi,
      CASE WHEN NOT d.multi THEN coalesce(d.unit_of_measurement ->> 'symbol', d.unit_of_measurement ->> 'name') END,
      ARRAY[d.access, t.access, s.access, o.access]::text[] || ARRAY(
        SELECT p.access::text FROM multi_datastream_observed_property m
        JOIN observed_property p ON p.id = m.observed_property_id WHERE m.datastream_id = d.id
      ), f.access::text
    FROM datastream d JOIN thing t ON t.id = d.thing_id JOIN sensor s ON s.id = d.sensor_id
    JOIN observed_property o ON o.id = d.observed_property_id
    LEFT JOIN feature_of_interest f ON f.id = d.foi_id
    WHERE %(datastreams)s::int[] IS NULL OR d.id = ANY(%(datastreams)s::int[])
    ORDER BY d.id
    """,
)
_ROWS = statement(
    "export.rows",
    """
    SELECT o.id, o.phenomenon_time, (o.more ->> 'end')::timestamptz, o.number, (o.more -> 'result')::text,
      o.result_time, (o.more ->> 'valid_start')::timestamptz, (o.more ->> 'valid_end')::timestamptz,
      (o.more -> 'quality')::text, (o.more -> 'parameters')::text, o.foi_id, f.name, o.more ->> 'key'
    FROM observation o LEFT JOIN feature_of_interest f ON f.id = o.foi_id
    WHERE o.datastream_id = %(datastream)s::int
      AND o.phenomenon_time >= coalesce(%(start)s::timestamptz, '-infinity')
      AND o.phenomenon_time < coalesce(%(end)s::timestamptz, 'infinity')
      AND CASE WHEN o.foi_id IS NULL THEN %(default_visible)s::boolean ELSE f.access = ANY(%(classes)s::text[]) END
    ORDER BY o.phenomenon_time, o.seq
    """,
)
_NAMED = statement(
    "export.named",
    """
    SELECT u.thing, u.name, array_agg(d.id) FROM unnest(%(things)s::text[], %(names)s::text[]) AS u(thing, name)
    JOIN datastream d ON d.name = u.name JOIN thing t ON t.id = d.thing_id AND t.name = u.thing
    GROUP BY 1, 2
    """,
)
_FEATURES = statement(
    "export.features",
    """
    SELECT id, name FROM feature_of_interest
    WHERE id = ANY(%(features)s::int[]) OR name = ANY(%(names)s::text[])
    """,
)
_ORIGIN = statement(
    "export.origin",
    """
    SELECT (SELECT system_identifier FROM pg_control_system())::text || '/' || oid
    FROM pg_database WHERE datname = current_database()
    """,
)
_MOVED = statement("export.moved", "SELECT id FROM observation_moved WHERE id = ANY(%(ids)s::bigint[])")

# id, time, end, number, other result, result time, valid from and to, quality, parameters, feature, its name, key;
# times in microseconds since 2000, JSON as text
Row = tuple[
    int, int, int | None, float | None, str | None, int | None, int | None, int | None, str | None, str | None,
    int | None, str | None, str | None,
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stream:
    """A Datastream or MultiDatastream; `classes` are those that a reader needs, `feature` that of its own feature."""

    id: int
    name: str
    thing: str
    multi: bool
    unit: str | None
    classes: frozenset[AccessClass]
    feature: AccessClass | None

    def is_visible(self, classes: Collection[AccessClass]) -> bool:
        """The rule of govern.access for one datastream."""
        return self.classes <= frozenset(classes)


def streams(connection: psycopg.Connection, datastreams: Collection[int] | None = None) -> list[Stream]:
    """Datastreams by id, all or those named, whoever may see them."""
    wanted = None if datastreams is None else sorted(datastreams)
    rows = connection.execute(_STREAMS.sql, {"datastreams": wanted}).fetchall()
    return [
        Stream(one, name, thing, multi, unit, frozenset(map(AccessClass, classes)), feature and AccessClass(feature))
        for one, name, thing, multi, unit, classes, feature in rows
    ]


@contextmanager
def snapshot(connection: psycopg.Connection) -> Iterator[None]:
    """All reads of the block see the city at one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def rows(
    connection: psycopg.Connection, stream: Stream, *, classes: Collection[AccessClass], start: datetime | None,
    end: datetime | None, size: int,
) -> Iterator[list[Row]]:  # fmt: skip
    """Observations of a datastream that readers of `classes` see, `start` <= time < `end`, in order, `size` at once.

    Inside a transaction. Raises what the database raises.
    """
    parameters: dict[str, Any] = {
        "datastream": stream.id, "start": start, "end": end, "classes": sorted(classes),
        "default_visible": stream.feature is None or stream.feature in classes,
    }  # fmt: skip
    with connection.cursor(name="export", binary=True) as cursor:
        cursor.adapters.register_loader("timestamptz", MicrosLoader)
        cursor.itersize = size
        cursor.execute(sql.SQL(_ROWS.sql), parameters)
        while found := cursor.fetchmany(size):
            yield found


def ids_by_name(connection: psycopg.Connection, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """Ids of the datastreams with these names: (of the thing, of the datastream)."""
    parameters = {"things": [thing for thing, _ in names], "names": [name for _, name in names]}
    found = connection.execute(_NAMED.sql, parameters).fetchall()
    return {(thing, name): ids for thing, name, ids in found}


def features(connection: psycopg.Connection, ids: Collection[int], names: Collection[str]) -> list[tuple[int, str]]:
    """(id, name) of the features of interest that have one of the ids or names."""
    parameters = {"features": list(ids), "names": list(names)}
    return connection.execute(_FEATURES.sql, parameters).fetchall()


def moved(connection: psycopg.Connection, ids: Collection[int]) -> set[int]:
    """Those of the observations whose phenomenonTime left the month of their id."""
    return {one for (one,) in connection.execute(_MOVED.sql, {"ids": list(ids)}).fetchall()}


def origin(connection: psycopg.Connection) -> str:
    """A name that no other database has: ids of observations are unique below it. Copies of the database share it."""
    row = connection.execute(_ORIGIN.sql).fetchone()
    assert row is not None
    return str(row[0])
