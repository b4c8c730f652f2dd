"""Which features of interest the observations of a datastream name themselves, for its observedArea."""

from collections.abc import Iterable

import psycopg

from mainzdigital.store.arrays import Ints
from mainzdigital.store.statements import statement

Pair = tuple[int, int]  # datastream, feature

_NOTE = statement(
    "areas.note",
    """
    INSERT INTO datastream_feature (datastream_id, foi_id)
    SELECT d, f FROM unnest(%(datastreams)b::int[], %(features)b::int[]) AS u(d, f)
    ON CONFLICT DO NOTHING
    """,
)
_FORGET = statement(
    "areas.forget",
    """
    DELETE FROM datastream_feature p USING unnest(%(datastreams)b::int[], %(features)b::int[]) AS u(d, f)
    WHERE p.datastream_id = u.d AND p.foi_id = u.f
      AND NOT EXISTS (SELECT 1 FROM observation o WHERE o.foi_id = u.f AND o.datastream_id = u.d)
    """,
)


def _columns(pairs: Iterable[Pair]) -> dict[str, object]:
    ordered = sorted(pairs)
    return {"datastreams": Ints([one for one, _ in ordered]), "features": Ints([one for _, one in ordered])}


def note(connection: psycopg.Connection, pairs: set[Pair]) -> None:
    """Observations of these datastreams name these features. Under the lock of the datastreams."""
    if pairs:
        connection.execute(_NOTE.sql, _columns(pairs))


def forget(connection: psycopg.Connection, pairs: set[Pair]) -> None:
    """Forget those of the pairs that no observation is left for."""
    if pairs:
        connection.execute(_FORGET.sql, _columns(pairs))
