"""Entities as SensorThings JSON (18-088, 8.1 and 9.1): rows of the store to mappings that msgspec encodes.

Optional properties without value are left out; `resultTime` stands also when it is null.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.kernel.time import Interval, format_instant, format_time, parse_instant
from mainzdigital.store.entities_read import MORE

Record = dict[str, Any]
Row = Sequence[Any]

_JSON = frozenset({ValueType.JSON, ValueType.GEOMETRY})
_IN_MORE = {"resultQuality": "quality", "parameters": "parameters"}
_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


def _instant(value: datetime) -> datetime | str:
    # The encoder writes whole seconds as kernel.time does, and faster.
    return format_instant(value) if value.microsecond else value


def _ended(start: datetime, end: str) -> str:
    return f"{format_instant(start)}/{end if end.endswith('Z') else format_instant(parse_instant(end))}"


def plain_number(value: float) -> float | int:
    """JSON knows one number: what came as 5 does not leave as 5.0."""
    return int(value) if value.is_integer() and -9e15 < value < 9e15 else value


def _dig(value: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


@dataclass(frozen=True, slots=True)
class Shape:
    """What is shown of an entity type: columns to fetch (the id first), properties, links."""

    entity: EntityType
    columns: tuple[str, ...]
    positions: dict[str, int]
    fields: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]  # keys inside JSON properties
    links: tuple[str, ...]
    shows_id: bool
    shows_self: bool

    def address(self, root: str, key: int) -> str:
        return f"{root}/{self.entity.set_name}({key})"

    def record(self, row: Row, root: str) -> Record:
        address = f"{root}/{self.entity.set_name}({row[0]})"
        out: Record = {}
        if self.shows_id:
            out["@iot.id"] = row[0]
        if self.shows_self:
            out["@iot.selfLink"] = address
        if self.entity.name == "Observation":
            self._observation(out, row)
        else:
            self._fields(out, row)
        for name in self.links:
            out[f"{name}@iot.navigationLink"] = f"{address}/{name}"
        return out

    def _fields(self, out: Record, row: Row) -> None:
        for name in self.fields:
            at = self.positions[name]
            value = row[at]
            if value is None:
                continue
            kind = self.entity.properties[name].type
            if kind is ValueType.TEXT:
                out[name] = value
            elif kind in _JSON:
                out[name] = msgspec.Raw(value)
            elif kind is ValueType.TIME:
                out[name] = format_time(Interval(value, row[at + 1] or value))
            else:
                out[name] = _instant(value)
        for name, *keys in self.parts:
            if (text := row[self.positions[name]]) is not None:
                _place(out, (name, *keys), _dig(_decode(text), tuple(keys)))

    def _observation(self, out: Record, row: Row) -> None:
        positions = self.positions
        text = row[positions[MORE]] if MORE in positions else None
        more: Record = {} if text is None else _decode(text)
        for name in self.fields:
            if name == "phenomenonTime":
                start = row[positions[name]]
                out[name] = _ended(start, more["end"]) if "end" in more else _instant(start)
            elif name == "result":
                # Beside the number stands what a double cannot hold, such as a large whole number.
                number = row[positions[name]]
                out[name] = more.get("result") if number is None or "result" in more else plain_number(number)
            elif name == "resultTime":
                value = row[positions[name]]
                out[name] = None if value is None else _instant(value)
            elif name == "validTime":
                if "valid_start" in more:
                    out[name] = _ended(parse_instant(more["valid_start"]), more["valid_end"])
            elif (value := more.get(_IN_MORE[name])) is not None:
                out[name] = value
        for name, *keys in self.parts:
            _place(out, (name, *keys), _dig(more.get(_IN_MORE.get(name, name)), tuple(keys)))


def _place(out: Record, steps: tuple[str, ...], value: Any) -> None:
    """Put a part of a JSON property where it stood."""
    for step in steps[:-1]:
        inner = out.get(step)
        if not isinstance(inner, dict):
            inner = out[step] = {}
        out = inner
    out[steps[-1]] = value


@lru_cache(maxsize=1024)
def _shape(
    name: str,
    select: tuple[tuple[str, ...], ...] | None,
    expanded: tuple[str, ...],
    keys: tuple[str, ...],
    entity: "_Of",
) -> Shape:
    of = entity.entity
    names = [item for item in of.properties if item != "id"]
    parts: list[tuple[str, ...]] = []
    links = [item for item in of.navigations if item not in expanded]
    shows_id = shows_self = True
    if select is not None:
        chosen = {steps[0] for steps in select if len(steps) == 1}
        names = [item for item in names if item in chosen]
        parts = [steps for steps in select if len(steps) > 1 and steps[0] not in chosen]
        links = [item for item in links if item in chosen]
        shows_id, shows_self = "@iot.id" in chosen, "@iot.selfLink" in chosen
    wanted = [*names, *(steps[0] for steps in parts), *keys]
    columns, positions, at = ["id"], {"id": 0}, 1
    for item in wanted:
        column = item
        if of.name == "Observation" and item in ("resultQuality", "parameters", "validTime"):
            column = MORE
        if column not in positions:
            columns.append(column)
            positions[column] = at
            at += 2 if of.name == "Datastream" and column in ("phenomenonTime", "resultTime") else 1
        if of.name == "Observation" and item in ("phenomenonTime", "result") and MORE not in positions:
            columns.append(MORE)
            positions[MORE] = at
            at += 1
    return Shape(of, tuple(columns), positions, tuple(names), tuple(parts), tuple(links), shows_id, shows_self)


class _Of:
    """An entity type as a key of the cache."""

    __slots__ = ("entity",)

    def __init__(self, entity: EntityType) -> None:
        self.entity = entity

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Of) and other.entity is self.entity

    def __hash__(self) -> int:
        return hash(self.entity.name)


def shape(entity: EntityType, select: tuple[tuple[str, ...], ...] | None, expanded: tuple[str, ...] = ()) -> Shape:
    """What to fetch and show, given `$select` and the relations that are expanded in place of their links."""
    keys = tuple(f"~{name}" for name in expanded if not entity.navigations[name].many)
    return _shape(entity.name, select, expanded, keys, _Of(entity))
