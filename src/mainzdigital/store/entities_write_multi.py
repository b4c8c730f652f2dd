"""What a MultiDatastream has beyond a Datastream: observed properties in an order, as many as units and types."""

from collections.abc import Iterable, Sequence

import psycopg

from mainzdigital.store.statements import statement

_CLEAR = statement(
    "entities_write_multi.clear",
    "DELETE FROM multi_datastream_observed_property WHERE datastream_id = %(datastream)s::int",
)
_FILL = statement(
    "entities_write_multi.fill",
    """
    INSERT INTO multi_datastream_observed_property (datastream_id, observed_property_id, position)
    SELECT %(datastream)s::int, u.id, u.position - 1
    FROM unnest(%(properties)s::int[]) WITH ORDINALITY AS u(id, position)
    """,
)
_FIRST = statement(
    "entities_write_multi.first",
    "UPDATE datastream SET observed_property_id = %(first)s::int WHERE id = %(datastream)s::int",
)
_SIZES = statement(
    "entities_write_multi.sizes",
    """
    SELECT jsonb_array_length(d.unit_of_measurement), jsonb_array_length(d.data_types),
      (SELECT count(*) FROM multi_datastream_observed_property l WHERE l.datastream_id = d.id),
      EXISTS (SELECT 1 FROM datastream_latest l WHERE l.datastream_id = d.id)
    FROM multi_datastream d WHERE d.id = %(datastream)s::int
    """,
)
_TYPES = statement(
    "entities_write_multi.types",
    "SELECT id, data_types FROM multi_datastream WHERE id = ANY(%(datastreams)s::int[])",
)


def set_properties(connection: psycopg.Connection, datastream: int, properties: Sequence[int]) -> None:
    """Give a MultiDatastream its observed properties, in order."""
    connection.execute(_CLEAR.sql, {"datastream": datastream})
    connection.execute(_FILL.sql, {"datastream": datastream, "properties": list(properties)})
    connection.execute(_FIRST.sql, {"datastream": datastream, "first": properties[0]})


def sizes(connection: psycopg.Connection, datastream: int) -> tuple[int, int, int, bool]:
    """(units, types, observed properties, are there observations) of a MultiDatastream."""
    row = connection.execute(_SIZES.sql, {"datastream": datastream}).fetchone()
    assert row is not None
    return row[0], row[1], row[2], row[3]


def types_of(connection: psycopg.Connection, datastreams: Iterable[int]) -> dict[int, list[str]]:
    """The observation types of the results of those that are MultiDatastreams."""
    rows = connection.execute(_TYPES.sql, {"datastreams": sorted(set(datastreams))}).fetchall()
    return dict(rows)
