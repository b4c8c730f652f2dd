"""Rows to things and readings, as the mapping says. Pure: no database, no files."""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from mainzdigital.connect.files import problems
from mainzdigital.connect.files.mapping import Mapping, Quantity
from mainzdigital.connect.files.problems import Problem, Refused
from mainzdigital.connect.files.table import FORMULA, Header
from mainzdigital.connect.files.values import Bounds, Cell, Clock, LocalTime, parse_number, parse_place, parse_zone
from mainzdigital.kernel.errors import InvalidInput

_MOST_TEXT = 10_000
_CELL_ERRORS = {
    "#N/A",
    "#NV",
    "#REF!",
    "#BEZUG!",
    "#VALUE!",
    "#WERT!",
    "#DIV/0!",
    "#NAME?",
    "#NULL!",
    "#NUM!",
    "#ZAHL!",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One datastream below each thing: its key and the quantity with its templates filled in."""

    key: str
    quantity: Quantity
    name: str
    description: str
    properties: dict[str, object]
    column: str
    index: int
    status: int


@dataclass(slots=True)
class Subject:
    """The thing a row is about. `point` is longitude and latitude in degrees."""

    key: str
    name: str
    description: str
    properties: dict[str, object]
    point: tuple[float, float] | None


class Reading(NamedTuple):
    row: int
    slot: int
    start: datetime
    result: float | int | str | None
    quality: object


@dataclass(slots=True)
class Decoded:
    """What one row holds. `local` is set while it is open which of two equal wall-clock times is meant."""

    row: int
    thing: str = ""
    subject: Subject | None = None  # only where it was not seen before, or may have changed
    readings: list[Reading] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    local: LocalTime | None = None
    outside: bool = False
    gaps: int = 0


def as_text(cell: object) -> str:
    """A cell in a name or key: 7.0 as 7, a date as 2017-04-01, no doubled blanks."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(" ")
    return " ".join(str(cell).split())


def _template(template: str, columns: dict[str, int], fixed: dict[str, str]) -> Callable[[Sequence[Cell]], str]:
    parts: list[str | int] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        parts.append(literal)
        if name:
            parts.append(fixed[name] if name in fixed else columns[name])
    if all(isinstance(part, str) for part in parts):
        constant = "".join(str(part) for part in parts)
        return lambda cells: constant
    return lambda cells: "".join(part if isinstance(part, str) else as_text(cells[part]) for part in parts)


def _fill(template: str, groups: dict[str, str]) -> str:
    for name, value in groups.items():
        template = template.replace("{" + name + "}", value)
    return template


class Decoder:
    """Decodes the rows of one file. `within` leaves out things that stand elsewhere (west, south, east, north)."""

    def __init__(self, mapping: Mapping, header: Header, *, within: Bounds | None = None) -> None:
        self.mapping = mapping
        self._names = header.names
        self._columns = {name: index for index, name in reversed(list(enumerate(header.names))) if name}
        self._missing = frozenset(mapping.table.missing)
        self._within = within
        self._seen: dict[str, bool] = {}  # thing key → is outside
        self._repeats: dict[str, int] = {}
        self._qualities: dict[Cell, object] = {}
        self.slots, fixed = self._find_slots()
        if mapping.values and not self.slots:
            raise InvalidInput(
                f"the file has no column with a value of the mapping '{mapping.name}'",
                where="values",
                remedy=f"found: {', '.join(header.names[:12])[:200]}",
            )
        thing = mapping.thing
        self._key = _template(thing.key, self._columns, fixed)
        self._name = _template(thing.name, self._columns, fixed)
        self._description = _template(thing.description, self._columns, fixed)
        self._by_code = {slot.quantity.code: number for number, slot in enumerate(self.slots)}
        self._times: list[int] = []
        if mapping.time:
            self._times = [self._columns[name] for name in mapping.time.columns]
            self._clock = Clock(
                form=mapping.time.form, zone=parse_zone(mapping.time.zone), column=" ".join(mapping.time.columns)
            )
            self._length = mapping.time.length if mapping.time.label == "end" else None

    def _find_slots(self) -> tuple[list[Slot], dict[str, str]]:
        slots: list[Slot] = []
        fixed: dict[str, str] = {}
        for quantity in self.mapping.values:
            for name, index, groups in self._matches(quantity):
                for group, value in groups.items():
                    fixed.setdefault(f"first_{group}", value)
                    fixed.setdefault(group, value)
                status = self._columns.get(_fill(quantity.status, groups), -1) if quantity.status else -1
                slots.append(
                    Slot(
                        key=_fill(quantity.key, groups) or quantity.code or name,
                        quantity=quantity,
                        name=_fill(quantity.name, groups),
                        description=_fill(quantity.description, groups),
                        properties={
                            key: _fill(value, groups) if isinstance(value, str) else value
                            for key, value in quantity.properties.items()
                        },
                        column=name,
                        index=index,
                        status=status,
                    )
                )
        return slots, fixed

    def _matches(self, quantity: Quantity) -> list[tuple[str, int, dict[str, str]]]:
        if self.mapping.long:
            return [(self.mapping.long.result, self._columns[self.mapping.long.result], {})]
        if quantity.column:
            index = self._columns.get(quantity.column)
            return [] if index is None else [(quantity.column, index, {})]
        pattern = re.compile(quantity.pattern)
        return [
            (name, index, {key: value or "" for key, value in match.groupdict().items()})
            for index, name in enumerate(self._names)
            if name and (match := pattern.fullmatch(name))
        ]

    def decode(self, row: int, cells: Sequence[Cell]) -> Decoded:
        """Thing and readings of a row; what cannot be taken stands in `problems`, the rest is good."""
        decoded = Decoded(row)
        try:
            cells = self._complete(cells)
            decoded.thing = key = self._key(cells)
            if not key.strip(" |/"):
                raise Refused(Problem(problems.EMPTY_KEY, problems.EMPTY_KEY_REMEDY, self.mapping.thing.key))
            if self.mapping.thing.number_repeats:
                count = self._repeats[key] = self._repeats.get(key, 0) + 1
                if count > 1:
                    decoded.thing = key = f"{key} #{count}"
            outside = self._seen.get(key)
            if outside is None:
                subject = self._subject(key, cells)
                outside = self._seen[key] = self._is_outside(subject)
                decoded.subject = None if outside else subject
            decoded.outside = outside
            if not outside and self.mapping.time:
                self._readings(decoded, cells)
        except Refused as refused:
            decoded.problems.append(refused.problem)
        return decoded

    def _complete(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        found, wanted = len(cells), len(self._names)
        if found == wanted:
            return cells
        counts = {"found": str(found), "wanted": str(wanted)}
        if found < wanted:
            raise Refused(Problem(problems.TOO_SHORT, problems.TOO_SHORT_REMEDY, values=counts))
        if any(cell not in (None, "") for cell in cells[wanted:]):
            raise Refused(Problem(problems.TOO_LONG, problems.TOO_LONG_REMEDY, values=counts))
        return cells[:wanted]

    def _is_outside(self, subject: Subject) -> bool:
        if self._within is None or subject.point is None:
            return False
        west, south, east, north = self._within
        return not (west <= subject.point[0] <= east and south <= subject.point[1] <= north)

    def _subject(self, key: str, cells: Sequence[Cell]) -> Subject:
        thing = self.mapping.thing
        point: tuple[float, float] | None = None
        if thing.location:
            names = (thing.location.longitude, thing.location.latitude)
            point = parse_place(
                cells[self._columns[names[0]]],
                cells[self._columns[names[1]]],
                decimal=self.mapping.table.decimal,
                bounds=thing.location.bounds,
                columns=names,
            )
        properties: dict[str, object] = {"kind": thing.kind, **thing.fixed}
        for name, column in thing.properties.items():
            index = self._columns.get(column)
            if index is not None and (value := self._property(name, column, cells[index])) is not None:
                properties[name] = value
        if place := thing.places.get(key):
            point = place.point
            properties["positionSource"] = place.source
            if place.approximate:
                properties["positionApproximate"] = True
        return Subject(key, self._name(cells).strip(), self._description(cells).strip(), properties, point)

    def _property(self, name: str, column: str, cell: Cell) -> object:
        self._check_cell(cell, column)
        text = as_text(cell)
        if text in self._missing:
            return None
        thing = self.mapping.thing
        if name in thing.numbers:
            value = parse_number(cell, decimal=self.mapping.table.decimal, column=column)
            return int(value) if value.is_integer() else value
        if name in thing.dates:
            try:
                return (cell.date() if isinstance(cell, datetime) else date.fromisoformat(text)).isoformat()
            except ValueError:
                form = {"form": "2017-04-01"}
                raise Refused(
                    Problem(problems.NOT_A_TIME, problems.NOT_A_TIME_REMEDY, column, text[:80], form)
                ) from None
        return text[:_MOST_TEXT]

    def _check_cell(self, cell: object, column: str) -> None:
        if cell is FORMULA:
            raise Refused(Problem(problems.FORMULA, problems.FORMULA_REMEDY, column))
        if isinstance(cell, str) and cell in _CELL_ERRORS:
            raise Refused(Problem(problems.CELL_ERROR, problems.CELL_ERROR_REMEDY, column, cell, {"error": cell}))

    def _readings(self, decoded: Decoded, cells: Sequence[Cell]) -> None:
        times = self._times
        cell = cells[times[0]] if len(times) == 1 else " ".join(as_text(cells[index]) for index in times)
        when = self._clock.resolve(cell)
        if isinstance(when, LocalTime):
            decoded.local = when
            start = when.wall
        else:
            start = when - self._length if self._length else when
        for number in self._wanted(decoded, cells):
            slot = self.slots[number]
            try:
                result = self._result(slot, cells[slot.index])
                quality = None
                if slot.status >= 0:
                    quality = self._quality(cells[slot.status])
                if result is None and quality is None:
                    decoded.gaps += 1
                else:
                    decoded.readings.append(Reading(decoded.row, number, start, result, quality))
            except Refused as refused:
                decoded.problems.append(refused.problem)

    def _quality(self, cell: Cell) -> object:
        """The status code as resultQuality; one object per code, since files have few different ones."""
        known = self._qualities.get(cell, self)
        if known is not self:
            return known
        status = as_text(cell)
        number = status.isdecimal() and status.isascii() and len(status) < 10
        made = None if status in self._missing else {"status": int(status) if number else status}
        if len(self._qualities) < 1000:
            self._qualities[cell] = made
        return made

    def _wanted(self, decoded: Decoded, cells: Sequence[Cell]) -> Sequence[int]:
        long = self.mapping.long
        if long is None or not long.parameter:
            return range(len(self.slots))
        code = as_text(cells[self._columns[long.parameter]])
        if code not in self._by_code:
            raise Refused(
                Problem(problems.UNKNOWN_QUANTITY, problems.UNKNOWN_QUANTITY_REMEDY, long.parameter, code[:80])
            )
        return (self._by_code[code],)

    def _result(self, slot: Slot, cell: Cell) -> float | int | str | None:
        if cell is None or (isinstance(cell, str) and cell.strip() in self._missing):
            return None
        self._check_cell(cell, slot.column)
        quantity = slot.quantity
        if quantity.result == "text":
            text = as_text(cell)
            if len(text) > _MOST_TEXT:
                most = {"most": str(_MOST_TEXT)}
                raise Refused(
                    Problem(problems.TOO_MUCH_TEXT, problems.TOO_MUCH_TEXT_REMEDY, slot.column, text[:80], most)
                )
            return text
        value = parse_number(cell, decimal=self.mapping.table.decimal, column=slot.column)
        if (quantity.low is not None and value < quantity.low) or (quantity.high is not None and value > quantity.high):
            ends = {"low": _end(quantity.low), "high": _end(quantity.high)}
            raise Refused(Problem(problems.OUTSIDE, problems.OUTSIDE_REMEDY, slot.column, str(cell)[:80], ends))
        if quantity.result == "count":
            if not value.is_integer():
                raise Refused(Problem(problems.NOT_WHOLE, problems.OUTSIDE_REMEDY, slot.column, str(cell)[:80]))
            return int(value)
        return value

    def settle(self, waiting: list[Decoded]) -> None:
        """Decide the ambiguous hour of rows that stand together: by order, and by how often each time occurs.

        Twice: the first is summer time, the second standard time. Once: the first is assumed and the quality says so.
        """
        counts: dict[tuple[str, datetime], int] = {}
        for decoded in waiting:
            assert decoded.local is not None
            counts[decoded.thing, decoded.local.wall] = counts.get((decoded.thing, decoded.local.wall), 0) + 1
        passed: dict[tuple[str, datetime], int] = {}
        for decoded in waiting:
            assert decoded.local is not None
            place = (decoded.thing, decoded.local.wall)
            nth = passed[place] = passed.get(place, 0) + 1
            if nth > 2:
                decoded.readings = []
                decoded.problems.append(Problem(problems.THRICE, problems.THRICE_REMEDY, value=str(decoded.local.wall)))
                continue
            start = self._clock.settle(decoded.local, second=nth == 2)
            if self._length:
                start -= self._length
            once = counts[place] == 1
            decoded.readings = [
                Reading(
                    reading.row,
                    reading.slot,
                    start,
                    reading.result,
                    _once(reading.quality) if once else reading.quality,
                )
                for reading in decoded.readings
            ]
            decoded.local = None


def _once(quality: object) -> object:
    known = quality if isinstance(quality, dict) else {}
    return {**known, "clockChange": "hour occurs twice in this night, once in the file"}


def _end(value: float | None) -> str:
    return "∞" if value is None else f"{value:g}"
