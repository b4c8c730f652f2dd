"""Cells to values: numbers, times, places. Pure functions; a bad cell raises Refused."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from mainzdigital.connect.files import problems
from mainzdigital.connect.files.problems import Problem, Refused

Cell = str | int | float | bool | datetime | date | None
_OFFSET = re.compile(r"^([+-])(\d\d):(\d\d)$")
_PLAIN = re.compile(r"^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$", re.ASCII)
_GROUPED = {
    ",": re.compile(r"^[+-]?\d{1,3}(?:[.\u00a0\u202f ]\d{3})+(?:,\d*)?$", re.ASCII),
    ".": re.compile(r"^[+-]?\d{1,3}(?:[,\u00a0\u202f ]\d{3})+(?:\.\d*)?$", re.ASCII),
}
_NOT_FINITE = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity"}


def parse_number(cell: Cell, *, decimal: str = ".", column: str = "") -> float:
    """A cell as a finite number. `decimal` is the mark of text cells; groups of three are accepted.

    A text with the other mark is refused rather than guessed: 1.234 may be one or a thousand.
    """
    if type(cell) is str and cell.isdecimal() and len(cell) < 16 and cell.isascii():
        return float(cell)  # most cells of counters
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        raise Refused(_number_problem(cell, decimal, column))
    if isinstance(cell, str):
        text = cell.strip().replace("\u2212", "-")
        if text.lower() in _NOT_FINITE:
            raise Refused(Problem(problems.NOT_FINITE, problems.NOT_FINITE_REMEDY, column, text))
        if _GROUPED[decimal].match(text):
            text = re.sub(r"[.\u00a0\u202f ]" if decimal == "," else r"[,\u00a0\u202f ]", "", text)
        elif decimal == "," and "." in text:
            raise Refused(_number_problem(cell, decimal, column))
        if decimal == ",":
            text = text.replace(",", ".", 1)
        if not _PLAIN.match(text):
            raise Refused(_number_problem(cell, decimal, column))
        cell = text
    try:
        value = float(cell)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise Refused(Problem(problems.NOT_FINITE, problems.NOT_FINITE_REMEDY, column, str(cell)[:80]))
    return value


def _number_problem(cell: object, decimal: str, column: str) -> Problem:
    return Problem(problems.NOT_A_NUMBER, problems.NOT_A_NUMBER_REMEDY, column, str(cell)[:80], {"mark": decimal})


def parse_zone(name: str) -> tzinfo:
    """`Europe/Berlin`, `UTC` or a fixed offset such as `+01:00` (the UBA's MEZ all year); raises ValueError."""
    if match := _OFFSET.match(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
        return timezone(-offset if match[1] == "-" else offset)
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"the time zone '{name}' is not known") from None


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A wall-clock time; `ambiguous` where the clock shows it twice (end of summer time)."""

    wall: datetime
    ambiguous: bool


class Clock:
    """Reads the time cells of one file. `form` is `iso` or a strptime pattern, `zone` holds where the cell names none.

    `resolve` answers an instant in UTC, or a LocalTime where the wall clock shows that time twice.
    """

    def __init__(self, *, form: str, zone: tzinfo, column: str) -> None:
        self._parse: Callable[[str], datetime] = (
            datetime.fromisoformat if form == "iso" else lambda text: datetime.strptime(text, form)  # noqa: DTZ007
        )
        self._form = "ISO 8601" if form == "iso" else form
        self._zone = zone
        self._column = column
        self._last: tuple[str, datetime | LocalTime] | None = None

    def resolve(self, cell: Cell) -> datetime | LocalTime:
        """The instant of a cell; neighbouring rows often share it, so the last answer is kept."""
        if isinstance(cell, str):
            last = self._last
            if last is not None and last[0] == cell:
                return last[1]
            answer = self._resolve(self._read(cell))
            self._last = (cell, answer)
            return answer
        if isinstance(cell, datetime):
            return self._resolve(cell)
        if isinstance(cell, date):
            return self._resolve(datetime(cell.year, cell.month, cell.day))  # noqa: DTZ001
        raise self._refusal(cell)

    def _read(self, cell: str) -> datetime:
        text = cell.strip()
        # datetime.fromisoformat also reads week dates and bare dates; a bare date is midnight here, too.
        try:
            return self._parse(text)
        except (ValueError, OverflowError):
            raise self._refusal(cell) from None

    def _refusal(self, cell: object) -> Refused:
        return Refused(
            Problem(problems.NOT_A_TIME, problems.NOT_A_TIME_REMEDY, self._column, str(cell)[:80], {"form": self._form})
        )

    def _resolve(self, value: datetime) -> datetime | LocalTime:
        try:
            if value.tzinfo is not None:
                return value.astimezone(UTC)
            zone = self._zone
            early = value.replace(tzinfo=zone, fold=0)
            if not isinstance(zone, ZoneInfo):
                return early.astimezone(UTC)
            late = value.replace(tzinfo=zone, fold=1)
            before, after = early.utcoffset(), late.utcoffset()
            if before == after:
                return early.astimezone(UTC)
        except OverflowError:
            raise self._refusal(value) from None
        if before is not None and after is not None and before < after:
            raise Refused(
                Problem(
                    problems.NO_SUCH_HOUR, problems.NO_SUCH_HOUR_REMEDY, self._column, str(value), {"zone": str(zone)}
                )
            )
        return LocalTime(value, ambiguous=True)

    def settle(self, local: LocalTime, *, second: bool) -> datetime:
        """The instant of an ambiguous time: the first (summer time) or second time the clock shows it."""
        return local.wall.replace(tzinfo=self._zone, fold=int(second)).astimezone(UTC)


Bounds = tuple[float, float, float, float]


def parse_place(
    longitude: Cell, latitude: Cell, *, decimal: str = ".", bounds: Bounds | None, columns: tuple[str, str]
) -> tuple[float, float]:
    """Longitude and latitude in degrees (EPSG:4326), inside `bounds` (west, south, east, north) where given."""
    shown = f"{longitude} / {latitude}"[:80]
    where = " / ".join(columns)
    try:
        x = parse_number(longitude, decimal=decimal)
        y = parse_number(latitude, decimal=decimal)
    except Refused:
        raise Refused(Problem(problems.NOT_A_PLACE, problems.NOT_A_PLACE_REMEDY, where, shown)) from None
    west, south, east, north = bounds or (-180.0, -90.0, 180.0, 90.0)
    if west <= x <= east and south <= y <= north:
        return x, y
    if west <= y <= east and south <= x <= north:
        raise Refused(Problem(problems.SWAPPED, problems.SWAPPED_REMEDY, where, shown))
    if not (-180 <= x <= 180 and -90 <= y <= 90):
        raise Refused(Problem(problems.NOT_A_PLACE, problems.NOT_A_PLACE_REMEDY, where, shown))
    area = f"{west:g}–{east:g}° E, {south:g}–{north:g}° N"
    raise Refused(Problem(problems.ELSEWHERE, problems.ELSEWHERE_REMEDY, where, shown, {"area": area}))
