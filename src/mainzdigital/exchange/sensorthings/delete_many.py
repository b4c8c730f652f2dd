"""Deleting all entities of a collection that a filter names, in one transaction, by bounded chunks."""

from array import array
from contextlib import suppress

import psycopg

from mainzdigital.exchange.sensorthings import STANDARD, write
from mainzdigital.exchange.sensorthings.deep import require_scope
from mainzdigital.exchange.sensorthings.path import ResourcePath
from mainzdigital.exchange.sensorthings.read import Reading
from mainzdigital.ingest import change as ingest_change
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.query.odata import QueryOptions
from mainzdigital.store.compile_order import pack
from mainzdigital.store.entities_read import Selection
from mainzdigital.store.select import Plan, run

CHUNK = 10_000  # entities looked up at a time


def require_filter(options: QueryOptions) -> None:
    """A deletion of many says of which; raises InvalidInput."""
    for name, _ in options.given:
        if name != "$filter":
            raise InvalidInput(f"'{name}' does not apply to a DELETE", where=name, remedy="send $filter alone")
    if options.filter is None:
        raise InvalidInput(
            "a DELETE of a collection needs $filter", where="$filter",
            remedy="add $filter; all of them are meant by $filter=id gt 0",
        )  # fmt: skip


def delete(connection: psycopg.Connection, *, reader: Reader, path: ResourcePath, options: QueryOptions) -> int:
    """Delete what a filter leaves of the collection at `path`, as far as the reader sees it; how many there were.

    One transaction, the caller's if one is open. Raises NotSignedIn, Forbidden, NotFound (an entity on the path).
    """
    entity = path.entity
    require_scope(reader, entity.name)
    deleted = 0
    with connection.transaction():
        # All are known before the first goes: a filter may look at what the deletion changes.
        ids = _ids(connection, reader, path, options)
        for begin in range(0, len(ids), CHUNK):
            chunk = ids[begin : begin + CHUNK].tolist()
            if entity.name == "Observation":
                deleted += ingest_change.delete(connection, chunk)
                continue
            for one in chunk:
                # Gone with another of them, or by somebody else at this moment.
                with suppress(NotFound):
                    write.delete(connection, reader=reader, entity=entity.name, id=one)
                    deleted += 1
    return deleted


def _ids(connection: psycopg.Connection, reader: Reader, path: ResourcePath, options: QueryOptions) -> "array[int]":
    """The ids of all that is meant, eight bytes each."""
    ids = array("q")
    token: bytes | None = None
    while True:
        chunk, token = run(connection, _chunk(reader, path, options, token, first=not ids))
        ids.extend(chunk)
        if token is None:
            return ids


def _chunk(
    reader: Reader, path: ResourcePath, options: QueryOptions, token: bytes | None, *, first: bool
) -> Plan[tuple[list[int], bytes | None]]:
    """Ids of the next entities, and where to go on; None where these are the last."""
    reading = Reading(reader, "", STANDARD)
    yield from reading.prepare(path.entity, options)
    selection = Selection(("id",), options.filter, (), CHUNK, 0, token)
    rows, keys = yield from reading.page(path.steps, selection, None)
    if not rows and first and len(path.steps) > 1:
        moved = yield from reading.find_moved(path.steps)
        yield from reading.require(path, moved)
        if moved is not None:
            rows, keys = yield from reading.page(path.steps, selection, moved)
    more = pack(rows[CHUNK - 1][-len(keys) :]) if len(rows) > CHUNK else None
    return [row[0] for row in rows[:CHUNK]], more
