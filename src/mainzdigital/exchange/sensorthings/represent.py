"""Entities as SensorThings JSON (18-088, 8.1 and 9.1): rows of the store to mappings that msgspec encodes.

Optional properties without value are left out; `resultTime` stands also when it is null.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import copysign
from typing import Any

import msgspec

from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.kernel.time import Interval, format_instant, format_time, parse_instant
from mainzdigital.store.entities_read import MORE
from mainzdigital.store.model import STREAMS

Record = dict[str, Any]
Row = Sequence[Any]

_JSON = frozenset({ValueType.JSON, ValueType.GEOMETRY})
_TEXT, _TIME, _RESULT = ValueType.TEXT, ValueType.TIME, ValueType.RESULT
_ONLY_IN_MORE = frozenset({"resultQuality", "parameters", "validTime"})
_IN_MORE = {"resultQuality": "quality", "parameters": "parameters"}
_decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode
_OF_SINGLE, _OF_MULTI = "Datastream@iot.navigationLink", "MultiDatastream@iot.navigationLink"
_PLAIN = ("phenomenonTime", "result", "resultTime")
_LARGEST, _DIGITS = 10**300, 300


def _text(value: object) -> str:
    return encode(value).decode()


def _instant(value: datetime) -> datetime | str:
    # The encoder writes whole seconds and microseconds as kernel.time does, and faster.
    return value if value.microsecond % 1000 or not value.microsecond else format_instant(value)


def _instants(values: Sequence[datetime | None]) -> list[str]:
    """Instants as JSON: one call of the encoder for all."""
    if values.count(None) == len(values):
        return ["null"] * len(values)
    shown = [value if value is None or value.microsecond % 1000 else _instant(value) for value in values]
    return str(encode(shown), "ascii")[1:-1].split(",")


def _ended(start: datetime, end: str) -> str:
    return f"{format_instant(start)}/{end if end.endswith('Z') else format_instant(parse_instant(end))}"


def plain_number(value: float) -> float | int:
    """JSON knows one number: what came as 5 does not leave as 5.0. Zero keeps its sign."""
    if value.is_integer() and -9e15 < value < 9e15:
        return int(value) or (value if copysign(1.0, value) < 0 else 0)
    return value


def _doubles(value: Any) -> Any:
    """jsonb writes 1.5e300 as a whole number of 301 digits; as a double it is the number that came."""
    if isinstance(value, int) and not isinstance(value, bool) and not -_LARGEST < value < _LARGEST:
        return float(value)
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    return [_doubles(item) for item in value] if isinstance(value, list) else value


def dig(value: Any, keys: tuple[str, ...]) -> Any:
    """What stands inside JSON at the end of the keys; None where nothing does."""
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
    fields: tuple[tuple[str, int, ValueType], ...]  # name, position in the row
    parts: tuple[tuple[str, ...], ...]  # keys inside JSON properties
    links: tuple[tuple[str, str], ...]  # name of the member, end of the address
    shows_id: bool
    shows_self: bool
    # Text of an observation that is a number at an instant: "%s" for what differs, NUL for the address of the set.
    plain: str | None = None
    # What goes into each "%s": a place in (id, time, number, result time).
    slots: tuple[int, ...] = ()

    def encoded(self, rows: Sequence[Row], root: str) -> list[Record] | list[msgspec.Raw]:
        """The records, encoded as far as they can be: half of what a page of observations costs is mappings."""
        return self.records(rows, root) if self.plain is None else [*map(msgspec.Raw, self._texts(rows, root))]

    def array(self, rows: Sequence[Row], root: str) -> list[Record] | msgspec.Raw:
        """All records as one value."""
        return self.records(rows, root) if self.plain is None else msgspec.Raw(f"[{','.join(self._texts(rows, root))}]")

    def _texts(self, rows: Sequence[Row], root: str) -> list[str]:
        """The JSON of observations; what is not just a number at an instant goes the long way."""
        assert self.plain is not None
        if not rows:
            return []
        at_time, at_result, at_result_time, at_more = (self.positions[name] for name in (*_PLAIN, MORE))
        wants = [row[at_result] is None or row[at_more] is not None for row in rows]
        ids = [row[0] for row in rows]
        numbers = [0 if number is None else plain_number(number) for number in [row[at_result] for row in rows]]
        columns: tuple[Sequence[object], ...] = (
            ids, _instants([row[at_time] for row in rows]), numbers, _instants([row[at_result_time] for row in rows]),
        )  # fmt: skip
        text = self.plain.replace("\0", f"{_text(root)[1:-1]}/{self.entity.set_name}(".replace("%", "%%"))
        texts = [text % values for values in zip(*(columns[slot] for slot in self.slots), strict=True)]
        if True in wants:
            for at, long in enumerate(wants):
                if long:
                    texts[at] = _text(self.records([rows[at]], root)[0])
        return texts

    def records(self, rows: Sequence[Row], root: str) -> list[Record]:
        base = f"{root}/{self.entity.set_name}("
        fill = self._observation if self.entity.name == "Observation" else self._fields
        found: list[Record] = []
        for row in rows:
            out: Record = {}
            if self.shows_id:
                out["@iot.id"] = row[0]
            if self.links or self.shows_self:
                address = f"{base}{row[0]})"
                if self.shows_self:
                    out["@iot.selfLink"] = address
                fill(out, row)
                for name, end in self.links:
                    out[name] = address + end
                if self.entity.name == "Observation":
                    # It belongs to one of the two.
                    out.pop(_OF_SINGLE if self._is_multi(row) else _OF_MULTI, None)
            else:
                fill(out, row)
            found.append(out)
        return found

    def _is_multi(self, row: Row) -> bool:
        at_more = self.positions.get(MORE, -1)
        return at_more >= 0 and row[at_more] is not None and "multi" in _decode(row[at_more])

    def _fields(self, out: Record, row: Row) -> None:
        for name, at, kind in self.fields:
            value = row[at]
            if value is None:
                continue
            if kind is _TEXT:
                out[name] = value
            elif kind in _JSON:
                out[name] = msgspec.Raw(value)
            elif kind is _TIME:
                out[name] = format_time(Interval(value, row[at + 1] or value))
            else:
                out[name] = _instant(value)
        for name, *keys in self.parts:
            if (text := row[self.positions[name]]) is not None:
                _place(out, (name, *keys), dig(_decode(text), tuple(keys)))

    def _observation(self, out: Record, row: Row) -> None:
        at_more = self.positions.get(MORE, -1)
        text = row[at_more] if at_more >= 0 else None
        more: Record = _NOTHING if text is None else _decode(text)
        for name, at, kind in self.fields:
            value = row[at]
            if kind is _RESULT:
                # Beside the number stands what a double cannot hold, such as a large whole number.
                if value is None or "result" in more:
                    other = more.get("result")
                    out[name] = other if text is None or len(text) < _DIGITS else _doubles(other)
                else:
                    out[name] = plain_number(value)
            elif name == "phenomenonTime":
                out[name] = _ended(value, more["end"]) if "end" in more else _instant(value)
            elif name == "resultTime":
                out[name] = None if value is None else _instant(value)
            elif more is _NOTHING:
                continue
            elif name == "validTime":
                if "valid_start" in more:
                    out[name] = _ended(parse_instant(more["valid_start"]), more["valid_end"])
            elif (inner := more.get(_IN_MORE[name])) is not None:
                out[name] = inner
        for name, *keys in self.parts:
            _place(out, (name, *keys), dig(more.get(_IN_MORE.get(name, name)), tuple(keys)))


_NOTHING: Record = {}


def _place(out: Record, steps: tuple[str, ...], value: Any) -> None:
    """Put a part of a JSON property where it stood."""
    for step in steps[:-1]:
        inner = out.get(step)
        if not isinstance(inner, dict):
            inner = out[step] = {}
        out = inner
    out[steps[-1]] = value


@lru_cache(maxsize=1024)
def shape(of: EntityType, select: tuple[tuple[str, ...], ...] | None, expanded: tuple[str, ...] = ()) -> Shape:
    """What to fetch and show, given `$select` and the relations that are expanded in place of their links."""
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
    keys = [f"~{name}" for name in expanded if not of.navigations[name].many]
    columns, positions, at = ["id"], {"id": 0}, 1
    # Which of its two kinds of datastream an observation belongs to stands with what has no column of its own.
    beside = [MORE] if of.name == "Observation" and {"Datastream", "MultiDatastream"} & set(links) else []
    for item in [*names, *(steps[0] for steps in parts), *keys, *beside]:
        column = MORE if of.name == "Observation" and item in _ONLY_IN_MORE else item
        needed = [column, MORE] if of.name == "Observation" and item in ("phenomenonTime", "result") else [column]
        for name in needed:
            if name not in positions:
                columns.append(name)
                positions[name] = at
                at += 2 if of.name in STREAMS and name in ("phenomenonTime", "resultTime") else 1
        positions.setdefault(item, positions[column])
    ends = tuple((f"{name}@iot.navigationLink", f"/{name}") for name in links)
    plain, slots = None, []
    if of.name == "Observation" and tuple(names[:3]) == _PLAIN and shows_id and not parts and not expanded:
        members = ['"@iot.id":%s', *(f'"{name}":%s' for name in _PLAIN)]
        members += [f'"{name}":"\0%s){end}"' for name, end in ends if name != _OF_MULTI]
        slots = [0, 1, 2, 3] + [0] * (len(members) - 4)
        if shows_self:
            members.insert(1, '"@iot.selfLink":"\0%s)"')
            slots.insert(1, 0)
        plain = "{" + ",".join(members) + "}"
    return Shape(
        of,
        tuple(columns),
        positions,
        tuple((name, positions[name], of.properties[name].type) for name in names),
        tuple(parts),
        ends,
        shows_id,
        shows_self,
        plain,
        tuple(slots),
    )
