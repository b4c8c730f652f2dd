"""MultiDatastreams (18-088, clause 11): units, types, observed properties and results correspond by position."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import psycopg

from mainzdigital.exchange.sensorthings.validate import Checked, at, identifier, link_of
from mainzdigital.kernel.errors import Conflict, InvalidInput
from mainzdigital.store import entities_write_multi as rows
from mainzdigital.store.model import ENTITY_TYPES

if TYPE_CHECKING:
    from mainzdigital.exchange.sensorthings.deep import Work

_NUMBERS = ("OM_Measurement",)
_WHOLE, _TRUTH, _CATEGORY = "OM_CountObservation", "OM_TruthObservation", "OM_CategoryObservation"


def observed(work: "Work", checked: Checked, given: Mapping[str, int], where: str) -> list[int]:
    """The observed properties of a new MultiDatastream in order, made where they are new. Raises InvalidInput."""
    from mainzdigital.exchange.sensorthings.deep import existing, items, make

    entity, target = ENTITY_TYPES["MultiDatastream"], ENTITY_TYPES["ObservedProperty"]
    place = at(where, "ObservedProperties")
    found = [given["ObservedProperties"]] if "ObservedProperties" in given else []
    value = checked.links.pop("ObservedProperties", None)
    if value is not None:
        for spot, item in items(value, entity.navigations["ObservedProperties"], place):
            link = link_of(item)
            if link is not None:
                found += existing(work, target, [identifier(link, spot)], spot)
            else:
                made = make(work, target, item, {}, spot)
                assert made is not None
                found.append(made)
    if not found:
        raise InvalidInput(
            "a MultiDatastream needs its ObservedProperties", where=place,
            remedy='add "ObservedProperties": [{"@iot.id": 1}, ...], one for each unit',
        )  # fmt: skip
    return found


def settle(connection: psycopg.Connection, datastream: int, properties: Sequence[int], where: str) -> None:
    """Give a MultiDatastream its observed properties; raises InvalidInput where they do not fit its units."""
    if len(set(properties)) != len(properties):
        raise InvalidInput(
            "an ObservedProperty stands twice in a MultiDatastream", where=at(where, "ObservedProperties"),
            remedy="make an ObservedProperty of its own for each position",
        )  # fmt: skip
    rows.set_properties(connection, datastream, properties)
    require_fit(connection, datastream, where)


def require_fit(connection: psycopg.Connection, datastream: int, where: str = "") -> None:
    """Units, types and observed properties must be equally many (req/multi-datastream/constraints)."""
    units, types, properties, _ = rows.sizes(connection, datastream)
    if units == types == properties:
        return
    name = "multiObservationDataTypes" if types != units else "ObservedProperties"
    raise InvalidInput(
        f"a MultiDatastream has one unit, one type and one ObservedProperty for each position; these are {units} "
        f"unitOfMeasurements, {types} multiObservationDataTypes and {properties} ObservedProperties",
        where=at(where, name), remedy="give equally many of each",
    )  # fmt: skip


def require_length_kept(connection: psycopg.Connection, datastream: int, before: tuple[int, int, int, bool]) -> None:
    """Raises Conflict where results that are there would no longer fit."""
    if before[3] and rows.sizes(connection, datastream)[0] != before[0]:
        raise Conflict(
            f"there are Observations whose results have {before[0]} values", where="unitOfMeasurements",
            remedy="make a new MultiDatastream",
        )  # fmt: skip


def check_result(result: object, types: Sequence[str], where: str) -> None:
    """A result has one value for each position, null or of its type; raises InvalidInput."""
    place = at(where, "result")
    if not isinstance(result, list):
        raise InvalidInput(
            "the result of an Observation of a MultiDatastream is a list", where=place,
            remedy=f"send {len(types)} values in [ ]",
        )  # fmt: skip
    if len(result) != len(types):
        raise InvalidInput(
            f"the result has {len(result)} values, the MultiDatastream {len(types)} positions", where=place,
            remedy=f"send {len(types)} values; null where there is none",
        )  # fmt: skip
    for position, (value, kind) in enumerate(zip(result, types, strict=True)):
        wanted = _misfit(value, kind)
        if wanted:
            raise InvalidInput(f"the value must be {wanted} ({kind.rpartition('/')[2]})", where=f"{place}[{position}]")


def _misfit(value: object, kind: str) -> str:
    """What should stand there instead; empty where it fits."""
    name = kind.rpartition("/")[2]
    if value is None:
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _NUMBERS:
        return "" if number else "a number"
    if name == _WHOLE:
        return "" if number and float(value).is_integer() else "a whole number"  # type: ignore[arg-type]
    if name == _TRUTH:
        return "" if isinstance(value, bool) else "true or false"
    if name == _CATEGORY:
        return "" if isinstance(value, str) else "a text"
    return ""
