"""What the air data API of the Umweltbundesamt answers, as typed values. Pure.

API v4, luftdaten.umweltbundesamt.de. Tables come as objects: rows by station or by time, each a list whose places
`indices` names. An empty table is `[]`. Times are MEZ (UTC+1) all year, without a zone; an hour may be called 24.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainzdigital.connect.polled.fetch import Failed

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d))?")
_MEASURE = ("component id", "scope id", "value", "date end", "index")
_STATION = (
    "station id", "station code", "station name", "station city", "station synonym", "station active from",
    "station active to", "station longitude", "station latitude",
)  # fmt: skip
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Station:
    """A station; `point` is longitude and latitude in degrees, where they are told."""

    id: str
    name: str
    city: str
    point: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Measures:
    """Values by the begin of their hour (MEZ, no zone); `odd` counts entries that are none of what was asked."""

    values: Mapping[datetime, float | int | str | None]
    odd: int


def stations(answer: object) -> dict[str, Station]:
    """Stations by id; raises Failed where the answer has another form."""
    table = _table(answer)
    places = _places(answer, _STATION)
    found: dict[str, Station] = {}
    for row in table.values():
        if not isinstance(row, Sequence) or isinstance(row, str):
            raise Failed("the list of stations has another form than before", where="stations")
        cells = {name: row[at] if at < len(row) else None for name, at in places.items()}
        one = Station(
            str(cells["station id"]), str(cells["station name"] or ""), str(cells["station city"] or ""),
            _point(cells["station longitude"], cells["station latitude"]),
        )  # fmt: skip
        found[one.id] = one
    return found


def measures(answer: object, *, station: str, component: int, scope: int) -> Measures:
    """Hourly values of one station, component and scope; raises Failed where the answer has another form."""
    table = _table(answer)
    places = _places(answer, _MEASURE)
    rows = table.get(station, {})
    if isinstance(rows, list) and not rows:
        rows = {}
    if not isinstance(rows, Mapping):
        raise Failed("the measures have another form than before", where="measures")
    values: dict[datetime, float | int | str | None] = {}
    odd = sum(len(others) for name, others in table.items() if name != station and isinstance(others, Mapping))
    for begin, row in rows.items():
        if not isinstance(row, Sequence) or isinstance(row, str):
            raise Failed("the measures have another form than before", where="measures")
        cells = {name: row[at] if at < len(row) else None for name, at in places.items()}
        start, end = moment(begin), moment(cells["date end"])
        value = cells["value"]
        right = (str(cells["component id"]), str(cells["scope id"])) == (str(component), str(scope))
        known = isinstance(value, float | int | str | None) and not isinstance(value, bool)
        if start is None or not right or not known or (end is not None and end - start != _HOUR):
            odd += 1
        else:
            values[start] = value
    return Measures(values, odd)


def moment(text: object) -> datetime | None:
    """`2024-01-31 24:00:00` is 2024-02-01 00:00; None where it is no time."""
    match = _TIME.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        if hour == 24 and not minute and not second:
            return datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except (ValueError, OverflowError):
        return None


def _table(answer: object) -> Mapping[str, object]:
    if not isinstance(answer, Mapping):
        raise Failed("the answer has another form than before", where="answer")
    table = answer.get("data")
    if isinstance(table, list) and not table:
        return {}
    if not isinstance(table, Mapping):
        told = answer.get("error") or answer.get("message") or answer.get("detail") or "no data"
        raise Failed(f"the answer has no table: {str(told)[:200]}", where="data")
    return table


def _places(answer: object, wanted: Sequence[str]) -> dict[str, int]:
    """Where each cell stands: as `indices` says, else as it always was."""
    names = _names(answer.get("indices") if isinstance(answer, Mapping) else None)
    if names is not None and set(wanted[:4]) <= set(names):
        return {name: names.index(name) if name in names else len(names) for name in wanted}
    return {name: at for at, name in enumerate(wanted)}


def _names(found: object) -> list[str] | None:
    """The innermost list: it is nested as the table is."""
    for _ in range(5):
        if isinstance(found, list):
            return [str(name) for name in found]
        if not isinstance(found, Mapping) or not found:
            return None
        found = next(iter(found.values()))
    return None


def _point(longitude: object, latitude: object) -> tuple[float, float] | None:
    try:
        x, y = float(str(longitude)), float(str(latitude))
    except ValueError:
        return None
    return (x, y) if -180 <= x <= 180 and -90 <= y <= 90 and (x, y) != (0, 0) else None
