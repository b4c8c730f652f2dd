"""Changing and deleting observations, single or all of an entity; one transaction, the caller's if one is open."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import psycopg

from mainzdigital.ingest.batch import NewObservation
from mainzdigital.ingest.resolve import columns
from mainzdigital.ingest.rows import Prepared, Rejected, prepare
from mainzdigital.kernel.errors import Conflict, InvalidInput, NotFound
from mainzdigital.kernel.time import Interval, format_instant
from mainzdigital.store import areas, changes, ids, latest, observations, partitions, rollups, zone
from mainzdigital.store.observations import Row, from_micros, to_micros

CHANGEABLE = frozenset(field.name for field in fields(NewObservation)) - {"key", "multi"}


def update(connection: psycopg.Connection, observation_id: int, values: Mapping[str, object]) -> None:
    """Change an observation; `values` are attributes of NewObservation, what is not named stays. The id stays valid.

    Raises NotFound, and InvalidInput where a value cannot be stored.
    """
    if unknown := set(values) - CHANGEABLE:
        raise InvalidInput(f"{sorted(unknown)[0]} of an observation cannot be changed", where=sorted(unknown)[0])
    with connection.transaction():
        place = _found(connection, observation_id)
        new = _changed(place, values)
        partitions.ensure(connection, [ids.month_index(from_micros(new.time))])
        known = observations.lock_datastreams(connection, [place.datastream_id, new.datastream_id])
        old = _found(connection, observation_id)  # again, now that nobody else can change it
        if old.datastream_id != place.datastream_id:
            raise Conflict("the observation was just moved by somebody else", remedy="read it and try again")
        new = _changed(old, values)
        if new.datastream_id not in known:
            raise InvalidInput(f"there is no datastream {new.datastream_id}", where="Datastream")
        if new.foi_id is not None and not observations.lock_features(connection, [new.foi_id]):
            raise InvalidInput(f"there is no feature of interest {new.foi_id}", where="FeatureOfInterest")
        new.id, new.seq = old.id, old.seq
        if (new.datastream_id, from_micros(new.time)) != (old.datastream_id, old.phenomenon_time):
            there = observations.at(connection, [(new.datastream_id, new.time)])
            if new.key is not None and any(row.key == new.key for row in there):
                raise Conflict("an observation with the same key stands at that time", where="phenomenonTime")
            new.seq = max((row.seq for row in there), default=-1) + 1
        observations.move(connection, old, columns(new))
        after = observations.find(connection, [observation_id])[observation_id]
        _follow(connection, gone=[old], come=[after], counts={"replaced": 1})


def delete(connection: psycopg.Connection, observation_ids: Sequence[int]) -> int:
    """Delete observations; how many of the ids were there."""
    with connection.transaction():
        places = observations.find(connection, observation_ids)
        observations.lock_datastreams(connection, [row.datastream_id for row in places.values()])
        # Again, now that nobody else can change them.
        rows = list(observations.find(connection, list(places)).values())
        observations.delete(connection, rows)
        _follow(connection, gone=rows, come=[], counts={"deleted": len(rows)})
        return len(rows)


def delete_of_datastreams(connection: psycopg.Connection, datastreams: Sequence[int]) -> int:
    """Delete all observations of datastreams, with latest values and rollups; for datastreams that go themselves."""
    with connection.transaction():
        locked = sorted(observations.lock_datastreams(connection, datastreams))
        if not locked:
            return 0
        deleted = observations.delete_all(connection, locked)
        latest.delete(connection, locked)
        rollups.delete(connection, locked)
        changes.record(connection, kind="observations", entity="Datastream", ids=locked, details={"deleted": deleted})
        return deleted


def delete_of_features(connection: psycopg.Connection, features: Sequence[int]) -> int:
    """Delete all observations of features of interest: those that name one, and those that have it by default."""
    with connection.transaction():
        return delete(connection, observations.of_features(connection, features))


def _found(connection: psycopg.Connection, observation_id: int) -> Row:
    row = observations.find(connection, [observation_id]).get(observation_id)
    if row is None:
        raise NotFound(f"there is no Observation with the id {observation_id}")
    return row


def _changed(row: Row, values: Mapping[str, object]) -> Prepared:
    more = row.more or {}
    as_before: dict[str, Any] = {
        "datastream_id": row.datastream_id,
        "phenomenon_time": Interval(row.phenomenon_time, row.end) if "end" in more else row.phenomenon_time,
        "result": more.get("result", row.number),
        "result_time": row.result_time,
        "foi_id": row.foi_id,
        "quality": more.get("quality"),
        "valid_time": _interval(more),
        "parameters": more.get("parameters"),
        "key": row.key,
        "multi": "multi" in more,
    }
    try:
        return prepare(0, NewObservation(**(as_before | dict(values))))
    except Rejected as error:
        raise InvalidInput(error.message, where=error.where) from None


def _interval(more: Mapping[str, Any]) -> Interval | None:
    if "valid_start" not in more:
        return None
    return Interval(datetime.fromisoformat(more["valid_start"]), datetime.fromisoformat(more["valid_end"]))


def _follow(
    connection: psycopg.Connection, *, gone: Sequence[Row], come: Sequence[Row], counts: Mapping[str, int]
) -> None:
    """Bring rollups, latest values, extents and the change log up to rows that went and rows that came."""
    rows = [*gone, *come]
    if not rows:
        return
    grid = zone.grid_of(zone.city_zone(connection))
    hours = {(row.datastream_id, grid.start(to_micros(row.phenomenon_time))) for row in rows if row.number is not None}
    rollups.recompute(connection, sorted(hours), emptied=True)
    datastreams = sorted({row.datastream_id for row in rows})
    _, before = latest.lock(connection, datastreams)  # held already
    gone_of, come_of = _by_datastream(gone), _by_datastream(come)
    for datastream in datastreams:
        latest.refresh(
            connection, datastream, before.get(datastream),
            gone=gone_of.get(datastream, ()), come=come_of.get(datastream, ()),
        )  # fmt: skip
    named = {(row.datastream_id, row.foi_id) for row in come if row.foi_id is not None}
    areas.note(connection, named)
    areas.forget(connection, {(row.datastream_id, row.foi_id) for row in gone if row.foi_id is not None} - named)
    times = [row.phenomenon_time for row in rows]
    details: dict[str, object] = {**counts, "start": format_instant(min(times)), "end": format_instant(max(times))}
    changes.record(connection, kind="observations", entity="Datastream", ids=datastreams, details=details)


def _by_datastream(rows: Sequence[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row.datastream_id, []).append(row)
    return found
