"""Where things are and were, and what is observed there: locations, their history, features of interest.

Every function joins the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from mainzdigital.kernel.access import AccessClass
from mainzdigital.store import changes
from mainzdigital.store.statements import statement

_LOCATIONS = statement(
    "entities_write.locations",
    "SELECT location_id FROM thing_location WHERE thing_id = %(thing)s::int ORDER BY location_id",
)
_LOCK_THING = statement(
    "entities_write.lock_thing",
    "SELECT id FROM thing WHERE id = %(thing)s::int FOR NO KEY UPDATE",
)
_LEAVE = statement(
    "entities_write.leave",
    "DELETE FROM thing_location WHERE thing_id = %(thing)s::int",
)
_ARRIVE = statement(
    "entities_write.arrive",
    "INSERT INTO thing_location (thing_id, location_id) SELECT %(thing)s::int, unnest(%(locations)s::int[])",
)
_ADD_HISTORY = statement(
    "entities_write.add_history",
    """
    INSERT INTO historical_location (thing_id, time)
    VALUES (%(thing)s::int, coalesce(%(time)s::timestamptz, clock_timestamp())) RETURNING id
    """,
)
_CLEAR_HISTORY = statement(
    "entities_write.clear_history",
    """
    DELETE FROM historical_location_location WHERE historical_location_id = %(history)s::int
    """,
)
_FILL_HISTORY = statement(
    "entities_write.fill_history",
    """
    INSERT INTO historical_location_location (historical_location_id, location_id)
    SELECT %(history)s::int, unnest(%(locations)s::int[])
    """,
)
_LINK_HISTORIES = statement(
    "entities_write.link_histories",
    """
    INSERT INTO historical_location_location (historical_location_id, location_id)
    SELECT unnest(%(histories)s::int[]), %(location)s::int ON CONFLICT DO NOTHING
    """,
)
_OF_HISTORY = statement(
    "entities_write.of_history",
    """
    SELECT location_id FROM historical_location_location WHERE historical_location_id = %(history)s::int
    ORDER BY location_id
    """,
)
_NEWEST = statement(
    "entities_write.newest",
    """
    SELECT h.thing_id,
      array(SELECT location_id FROM historical_location_location WHERE historical_location_id = h.id)
    FROM historical_location h WHERE h.id = %(history)s::int AND NOT EXISTS
      (SELECT 1 FROM historical_location o WHERE o.thing_id = h.thing_id AND o.id <> h.id AND o.time >= h.time)
    """,
)
_LOCK_DATASTREAM = statement(
    "entities_write.lock_datastream",
    """
    SELECT thing_id, foi_id FROM datastream WHERE id = %(datastream)s::int FOR NO KEY UPDATE
    """,
)
_PLACE = statement(
    "entities_write.place",
    """
    SELECT l.id, coalesce((
        SELECT f.feature = l.location AND f.encoding_type = l.encoding_type AND f.access = l.access
        FROM feature_of_interest f WHERE f.id = %(foi)s::int
      ), false)
    FROM thing_location t JOIN location l ON l.id = t.location_id WHERE t.thing_id = %(thing)s::int
    ORDER BY l.geometry IS NULL, l.id LIMIT 1 FOR SHARE OF l
    """,
)
# What needs nothing made: the datastream's own feature is that of its place, or there is no place to make one of.
_SETTLED = statement(
    "entities_write.settled",
    """
    SELECT d.id, ARRAY[d.access, t.access, s.access, o.access, f.access]::text[]
    FROM single_datastream d JOIN thing t ON t.id = d.thing_id JOIN sensor s ON s.id = d.sensor_id
    JOIN observed_property o ON o.id = d.observed_property_id JOIN feature_of_interest f ON f.id = d.foi_id
    LEFT JOIN LATERAL (
      SELECT f.feature = l.location AND f.encoding_type = l.encoding_type AND f.access = l.access AS same
      FROM thing_location w JOIN location l ON l.id = w.location_id WHERE w.thing_id = d.thing_id
      ORDER BY l.geometry IS NULL, l.id LIMIT 1
    ) p ON true
    WHERE d.id = ANY(%(datastreams)s::int[]) AND coalesce(p.same, true)
    """,
)
_OBSERVED = statement(
    "entities_write.observed",
    "SELECT 1 FROM datastream_latest WHERE datastream_id = %(datastream)s::int",
)
_ONE_AT_A_TIME = statement(
    "entities_write.one_at_a_time",
    "SELECT pg_advisory_xact_lock(hashtextextended('city.feature', %(location)s::bigint))",
)
_FEATURE = statement(
    "entities_write.feature",
    """
    SELECT f.id FROM location l JOIN feature_of_interest f ON f.name = l.name AND f.feature = l.location
      AND f.encoding_type = l.encoding_type AND f.access = l.access AND (l.box IS NULL OR f.box ~= l.box)
    WHERE l.id = %(location)s::int ORDER BY f.id LIMIT 1 FOR KEY SHARE OF f
    """,
)
_MAKE_FEATURE = statement(
    "entities_write.make_feature",
    """
    INSERT INTO feature_of_interest (name, description, properties, access, encoding_type, feature, geometry, box)
    SELECT name, description, properties, access, encoding_type, location, geometry, box
    FROM location WHERE id = %(location)s::int RETURNING id
    """,
)
_SET_FEATURE = statement(
    "entities_write.set_feature",
    "UPDATE datastream SET foi_id = %(foi)s::int WHERE id = %(datastream)s::int",
)
_FEATURE_OF = statement(
    "entities_write.feature_of",
    "SELECT foi_id FROM datastream WHERE id = %(datastream)s::int",
)


def locations_of(connection: psycopg.Connection, thing: int) -> list[int]:
    """Ids of the locations a thing has now."""
    rows = connection.execute(_LOCATIONS.sql, {"thing": thing}).fetchall()
    return [row[0] for row in rows]


def set_locations(connection: psycopg.Connection, thing: int, locations: Sequence[int]) -> None:
    """Replace the locations a thing has now. The thing's row is locked, so that two movers wait for each other."""
    connection.execute(_LOCK_THING.sql, {"thing": thing})
    connection.execute(_LEAVE.sql, {"thing": thing})
    connection.execute(_ARRIVE.sql, {"thing": thing, "locations": sorted(set(locations))})


def add_history(connection: psycopg.Connection, thing: int, locations: Sequence[int], time: datetime | None) -> int:
    """A HistoricalLocation of a thing at `time`, or now."""
    row = connection.execute(_ADD_HISTORY.sql, {"thing": thing, "time": time}).fetchone()
    assert row is not None
    set_history_locations(connection, row[0], locations)
    return int(row[0])


def set_history_locations(connection: psycopg.Connection, history: int, locations: Sequence[int]) -> None:
    """Replace the locations of a HistoricalLocation."""
    connection.execute(_CLEAR_HISTORY.sql, {"history": history})
    connection.execute(_FILL_HISTORY.sql, {"history": history, "locations": sorted(set(locations))})


def locations_of_history(connection: psycopg.Connection, history: int) -> list[int]:
    """Ids of the locations of a HistoricalLocation."""
    return [row[0] for row in connection.execute(_OF_HISTORY.sql, {"history": history}).fetchall()]


def add_history_location(connection: psycopg.Connection, histories: Sequence[int], location: int) -> None:
    """Link one location to HistoricalLocations."""
    connection.execute(_LINK_HISTORIES.sql, {"histories": sorted(set(histories)), "location": location})


def is_newest_history(connection: psycopg.Connection, history: int) -> tuple[int, list[int]] | None:
    """(thing, locations) of a HistoricalLocation if no other of its thing is later, else None."""
    row = connection.execute(_NEWEST.sql, {"history": history}).fetchone()
    return None if row is None else (row[0], row[1])


@dataclass(frozen=True, slots=True)
class Place:
    """A datastream and its thing's place, as far as a feature of interest is to be made of it."""

    datastream: int
    thing: int
    foi: int | None  # the datastream's own feature
    same: bool  # the datastream's own feature is that of the place
    observed: bool  # the datastream has observations
    location: int | None


def place_of(connection: psycopg.Connection, datastream: int) -> Place | None:
    """The place of a datastream, its row locked; a location in GeoJSON is preferred where there are several."""
    row = connection.execute(_LOCK_DATASTREAM.sql, {"datastream": datastream}).fetchone()
    if row is None:
        return None
    found = connection.execute(_PLACE.sql, {"foi": row[1], "thing": row[0]}).fetchone()
    observed = connection.execute(_OBSERVED.sql, {"datastream": datastream}).fetchone()
    return Place(
        datastream=datastream, thing=row[0], foi=row[1], same=bool(found and found[1]),
        observed=observed is not None, location=found[0] if found else None,
    )  # fmt: skip


def settled(connection: psycopg.Connection, datastreams: Sequence[int]) -> dict[int, frozenset[AccessClass]]:
    """Those of the Datastreams whose observations have the datastream's own feature, as things stand.

    With the access classes on the way to such an observation. Nothing is locked.
    """
    rows = connection.execute(_SETTLED.sql, {"datastreams": list(datastreams)}).fetchall()
    return {one: frozenset(map(AccessClass, classes)) for one, classes in rows}


def feature_of_location(connection: psycopg.Connection, location: int) -> int:
    """The feature of interest that stands for a location: the one made of it before, or a new copy of it."""
    # Two first observations at one place wait for each other here instead of making two features.
    connection.execute(_ONE_AT_A_TIME.sql, {"location": location})
    row = connection.execute(_FEATURE.sql, {"location": location}).fetchone()
    if row is None:
        row = connection.execute(_MAKE_FEATURE.sql, {"location": location}).fetchone()
        assert row is not None
        changes.record(connection, kind="insert", entity="FeatureOfInterest", ids=[row[0]])
    return int(row[0])


def set_feature(connection: psycopg.Connection, datastream: int, foi: int) -> None:
    """The feature of the datastream's observations that name none."""
    connection.execute(_SET_FEATURE.sql, {"datastream": datastream, "foi": foi})


def feature_of(connection: psycopg.Connection, datastream: int) -> int | None:
    """The datastream's own feature of interest."""
    row = connection.execute(_FEATURE_OF.sql, {"datastream": datastream}).fetchone()
    return None if row is None else row[0]
