"""Observations of SensorThings on their way into the store: their feature of interest, their times, their batch."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import psycopg

from mainzdigital.exchange.sensorthings.deep import Work, links
from mainzdigital.exchange.sensorthings.multi import check_result
from mainzdigital.exchange.sensorthings.validate import Checked, at, check, link_of, phenomenon_time
from mainzdigital.ingest import change as ingest_change
from mainzdigital.ingest.batch import Batch, NewObservation, Result
from mainzdigital.ingest.write import write
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.kernel.time import Interval
from mainzdigital.store import entities_write as rows
from mainzdigital.store import entities_write_places as places
from mainzdigital.store import observations
from mainzdigital.store.entities_write_multi import types_of
from mainzdigital.store.model import OBSERVATION


def feature_for(connection: psycopg.Connection, datastream: int, where: str = "FeatureOfInterest") -> int | None:
    """The feature of an observation that names none (18-088, 10.2.1.3): None where it is its datastream's own.

    It is made of the thing's location, once, and stays with the datastream; when the thing has moved since, the
    feature of the new place is returned. Raises InvalidInput where the thing has no location.
    """
    place = places.place_of(connection, datastream)
    if place is None:
        raise InvalidInput(f"there is no Datastream with the id {datastream}", where="Datastream")
    if place.location is None:
        if place.foi is not None:
            return None
        raise InvalidInput(
            f"the Observation names no FeatureOfInterest, and Thing {place.thing} has no Location to make one of",
            where=where, remedy='add "FeatureOfInterest": {"@iot.id": 1}, or give the Thing a Location',
        )  # fmt: skip
    if place.same:
        return None
    feature = places.feature_of_location(connection, place.location)
    if place.foi is None or not place.observed:
        places.set_feature(connection, datastream, feature)
        return None
    return feature


def new_observation(checked: Checked, datastream: int, foi: int | None) -> NewObservation:
    """The observation that a checked body describes."""
    values = checked.values
    valid = values.get("validTime")
    if isinstance(valid, datetime):
        valid = Interval(valid, valid)
    return NewObservation(
        datastream_id=datastream,
        phenomenon_time=phenomenon_time(values.get("phenomenonTime")),
        result=cast("Result", values.get("result")),
        result_time=cast("datetime | None", values.get("resultTime")),
        foi_id=foi,
        quality=values.get("resultQuality"),
        valid_time=cast("Interval | None", valid),
        parameters=cast("dict[str, Any] | None", values.get("parameters")),
    )


def write_all(work: Work, *, key: str | None = None) -> list[int]:
    """Write the observations a deep insert came upon; their ids. One that is refused refuses the whole."""
    if not work.observations:
        return []
    features: dict[int, int | None] = {}
    batch: list[NewObservation] = []
    types = types_of(work.connection, {datastream for _, datastream, _, _ in work.observations})
    for checked, datastream, foi, where in work.observations:
        feature = foi
        if feature is None:
            if datastream not in features:
                features[datastream] = feature_for(work.connection, datastream, at(where, "FeatureOfInterest"))
            feature = features[datastream]
        one = new_observation(checked, datastream, feature)
        if datastream in types:
            check_result(one.result, types[datastream], where)
            one.multi = True
        batch.append(one)
    result = write(work.connection, Batch(batch, key=key))
    if result.rejected:
        first = result.rejected[0]
        raise InvalidInput(first.message, where=at(work.observations[first.index][3], first.where))
    return [one for one in result.ids if one is not None]


_COLUMNS = {
    "phenomenonTime": "phenomenon_time", "result": "result", "resultTime": "result_time", "resultQuality": "quality",
    "validTime": "valid_time", "parameters": "parameters",
}  # fmt: skip
_OPTIONAL = ("resultTime", "resultQuality", "validTime", "parameters")


def update(
    connection: psycopg.Connection, *, reader: Reader, observation: int, body: Mapping[str, object], replace: bool
) -> None:
    """Change one observation, or replace it; its id stays. Raises NotFound, InvalidInput."""
    with connection.transaction():
        require_visible(connection, reader, observation)
        checked = check(OBSERVATION, body, complete=replace)
        if checked.id is not None and checked.id != observation:
            raise InvalidInput("the @iot.id in the body is another one than in the path", where="@iot.id")
        values = dict(checked.values)
        if replace:
            for name in _OPTIONAL:
                values.setdefault(name, None)
        if "phenomenonTime" in values and values["phenomenonTime"] is None:
            raise InvalidInput("'phenomenonTime' must not be null", where="phenomenonTime")
        if isinstance(valid := values.get("validTime"), datetime):
            values["validTime"] = Interval(valid, valid)
        _check_stream(connection, observation, checked)
        changed = {_COLUMNS[name]: value for name, value in values.items()}
        references, _ = links(Work(connection, reader, AccessClass.INTERNAL), OBSERVATION, checked)
        if changed or references:
            ingest_change.update(connection, observation, {**changed, **references})


def _check_stream(connection: psycopg.Connection, observation: int, checked: Checked) -> None:
    """An Observation stays with its kind of datastream, and its result fits it. Raises InvalidInput."""
    found = observations.find(connection, [observation]).get(observation)
    if found is None:
        return
    multi = found.more is not None and "multi" in found.more
    other = "Datastream" if multi else "MultiDatastream"
    if other in checked.links:
        raise InvalidInput(
            f"this Observation belongs to a {'MultiDatastream' if multi else 'Datastream'}", where=other,
            remedy="delete it and make a new one",
        )  # fmt: skip
    if multi and ("result" in checked.values or "MultiDatastream" in checked.links):
        link = link_of(checked.links.get("MultiDatastream"))
        stream = link if isinstance(link, int) else found.datastream_id
        types = types_of(connection, [stream]).get(stream)
        if types is not None and found.more is not None:
            check_result(checked.values.get("result", found.more.get("result")), types, "")


def delete(connection: psycopg.Connection, *, reader: Reader, observation: int) -> None:
    """Delete one observation; raises NotFound."""
    with connection.transaction():
        require_visible(connection, reader, observation)
        if not ingest_change.delete(connection, [observation]):
            raise _not_found(observation)


def require_visible(connection: psycopg.Connection, reader: Reader, observation: int) -> None:
    """Raises NotFound where the reader may not see an observation, as where there is none."""
    found = observations.find(connection, [observation]).get(observation)
    if found is None:
        raise _not_found(observation)
    if reader.classes == frozenset(AccessClass):
        return
    kind = "MultiDatastream" if found.more is not None and "multi" in found.more else "Datastream"
    hidden = rows.hidden(connection, kind, [found.datastream_id], reader.classes)
    feature = found.foi_id or places.feature_of(connection, found.datastream_id)
    if hidden or (feature and rows.hidden(connection, "FeatureOfInterest", [feature], reader.classes)):
        raise _not_found(observation)


def _not_found(observation: int) -> NotFound:
    return NotFound(f"there is no Observation with the id {observation}", where=f"Observations({observation})")
