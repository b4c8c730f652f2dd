"""Rows of a Parquet file of our own form as observations of this city's datastreams."""

import json
import math
from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg

from mainzdigital.connect.files import problems, rejects
from mainzdigital.connect.files.problems import Problem, Refused
from mainzdigital.connect.parquet import form
from mainzdigital.exchange.sensorthings.multi import check_result
from mainzdigital.ingest.batch import NewObservation, Result
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.time import Interval
from mainzdigital.store import export, observations
from mainzdigital.store.entities_write_multi import types_of

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REST = (
    "phenomenon_end", "result_text", "result_truth", "result_json", "result_time", "valid_start", "valid_end",
    "result_quality", "parameters", "feature", "feature_name",
)  # fmt: skip
_NOTHING = (None,) * len(_REST)
_Columns = dict[str, list[Any]]
_Name = tuple[int, str, str]  # id, thing, name of a datastream as the file has them


@dataclass(slots=True)
class Line:
    """One row. `known`: this very observation is in the city."""

    row: int
    id: int
    observation: NewObservation
    own: bool  # of a datastream with the same id and name
    known: bool = False


def not_written(why: str, observation: NewObservation) -> Problem:
    """What the store says of an observation that it refuses."""
    return Problem(
        problems.NOT_WRITTEN, problems.NOT_WRITTEN_REMEDY, "result", str(observation.result)[:80], {"why": why}
    )


@dataclass(slots=True)
class Reader:
    """Rows to observations. Datastreams and features are looked up once."""

    connection: psycopg.Connection
    schema: InitVar["pa.Schema"]
    _key: str = ""
    _home: bool = False  # does the file come from this very city?
    _streams: dict[_Name, tuple[int, bool] | Problem] = field(default_factory=dict)
    _features: dict[tuple[int | None, str | None], int | Problem] = field(default_factory=dict)
    _types: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self, schema: "pa.Schema") -> None:
        self._key = form.key_of(schema)
        self._home = form.origin_of(schema) == export.origin(self.connection)

    def lines(self, first: int, columns: _Columns) -> tuple[list[Line], list[rejects.Entry]]:
        """The rows that hold an observation of a known datastream, and what is wrong with the others."""
        self._find_streams({*zip(columns["datastream"], columns["thing"], columns["name"], strict=True)})
        self._find_features({*zip(columns["feature"], columns["feature_name"], strict=True)} - {(None, None)})
        good: list[Line] = []
        wrong: list[rejects.Entry] = []
        names = zip(columns["datastream"], columns["thing"], columns["name"], strict=True)
        plain = zip(names, *(columns[one] for one in ("id", "phenomenon_time", "result", "key")), strict=True)
        rest = zip(*(columns[one] for one in _REST), strict=True)
        for at, ((name, one, micros, number, key), others) in enumerate(zip(plain, rest, strict=True)):
            try:
                stream = self._stream(name)
                if others == _NOTHING and one is not None and micros is not None and stream[0] not in self._types:
                    # The usual case, a number at an instant: half of what a file costs would be the mapping.
                    time = _EPOCH + timedelta(microseconds=micros)
                    given = f"{self._key}{one}" if key is None else key
                    good.append(
                        Line(
                            first + at,
                            one,
                            NewObservation(stream[0], time, number, key=given),
                            stream[1] and key is None,
                        )
                    )
                else:
                    good.append(self._line(first + at, stream, {name: column[at] for name, column in columns.items()}))
            except (Refused, OverflowError) as refused:
                problem = refused.problem if isinstance(refused, Refused) else _no_time("phenomenon_time", micros)
                wrong.append((first + at, problem))
        self._mark_known(good)
        return good, wrong

    def _find_streams(self, names: set[_Name]) -> None:
        new = [name for name in names if name not in self._streams and None not in name]
        if not new:
            return
        by_id = {one.id: one for one in export.streams(self.connection, {one for one, _, _ in new})}
        others = []
        for one, thing, name in new:
            stream = by_id.get(one)
            if stream is not None and (stream.thing, stream.name) == (thing, name):
                self._streams[one, thing, name] = one, True
            else:
                others.append((one, thing, name))
        named = export.ids_by_name(self.connection, [*{(thing, name) for _, thing, name in others}]) if others else {}
        for one, thing, name in others:
            found = named.get((thing, name), [])
            if len(found) == 1:
                self._streams[one, thing, name] = found[0], False
                continue
            message, remedy = (
                (problems.MANY_DATASTREAMS, problems.MANY_DATASTREAMS_REMEDY) if found
                else (problems.NO_DATASTREAM, problems.NO_DATASTREAM_REMEDY)
            )  # fmt: skip
            values = {"name": name, "thing": thing}
            self._streams[one, thing, name] = Problem(message, remedy, "datastream", str(one), values)
        found_ids = [known[0] for name in new if isinstance(known := self._streams[name], tuple)]
        self._types |= types_of(self.connection, found_ids)

    def _find_features(self, names: set[tuple[int | None, str | None]]) -> None:
        new = [name for name in names if name not in self._features]
        if not new:
            return
        found = export.features(
            self.connection, {one for one, _ in new if one is not None}, {name for _, name in new if name is not None}
        )
        for one, name in new:
            same = [known for known, title in found if title == name]
            if one in same:
                self._features[one, name] = one
            elif len(same) == 1:
                self._features[one, name] = same[0]
            else:
                message, remedy = (
                    (problems.MANY_FEATURES, problems.MANY_FEATURES_REMEDY) if same
                    else (problems.NO_FEATURE, problems.NO_FEATURE_REMEDY)
                )  # fmt: skip
                self._features[one, name] = Problem(message, remedy, "feature", str(one), {"name": str(name)})

    def _stream(self, name: tuple[Any, ...]) -> tuple[int, bool]:
        if None in name:
            raise Refused(Problem(problems.EMPTY_KEY, problems.EMPTY_KEY_REMEDY, "datastream"))
        known = self._streams[name[0], name[1], name[2]]
        if isinstance(known, Problem):
            raise Refused(known)
        return known

    def _line(self, row: int, stream: tuple[int, bool], values: dict[str, Any]) -> Line:
        datastream, own = stream
        if values["id"] is None:
            raise Refused(Problem(problems.EMPTY_KEY, problems.EMPTY_KEY_REMEDY, "id"))
        feature = self._feature(values["feature"], values["feature_name"])
        start = _time(values, "phenomenon_time")
        if start is None:
            raise Refused(_no_time("phenomenon_time", ""))
        end, valid = _time(values, "phenomenon_end"), _time(values, "valid_start")
        valid_end = _time(values, "valid_end")
        observation = NewObservation(
            datastream, start if end is None else Interval(start, end), _result(values),
            result_time=_time(values, "result_time"), foi_id=feature, quality=_json(values, "result_quality"),
            valid_time=None if valid is None else Interval(valid, valid if valid_end is None else valid_end),
            parameters=_parameters(values),
            key=values["key"] if values["key"] is not None else f"{self._key}{values['id']}",
        )  # fmt: skip
        if datastream in self._types:
            observation.multi = True
            try:
                check_result(observation.result, self._types[datastream], "")
            except InvalidInput as error:
                raise Refused(not_written(error.message, observation)) from None
        return Line(row, values["id"], observation, own and values["key"] is None)

    def _feature(self, one: int | None, name: str | None) -> int | None:
        if one is None and name is None:
            return None
        known = self._features[one, name]
        if isinstance(known, Problem):
            # Without it the observation would say something else, and might be seen by others.
            raise Refused(known)
        return known

    def _mark_known(self, lines: Sequence[Line]) -> None:
        """An observation without a key that is still there is known by its id."""
        sought = [line for line in lines if line.own]
        if not sought:
            return
        moved = export.moved(self.connection, {line.id for line in sought}) if self._home else set()
        places = {place(line.observation) for line in sought}
        there = {row.id: row for row in observations.at(self.connection, [*places])}
        for line in sought:
            row = there.get(line.id)
            # Another city may have used the same id for something else.
            line.known = line.id in moved or (row is not None and (self._home or _says(row, line.observation)))


def place(observation: NewObservation) -> tuple[int, int]:
    """Datastream and begin, in microseconds since 2000."""
    return observation.datastream_id, observations.to_micros(_start(observation))


def _says(row: observations.Row, observation: NewObservation) -> bool:
    """Has the row this result?"""
    other = (row.more or {}).get("result", row.number)
    return row.phenomenon_time == _start(observation) and other == observation.result


def _start(observation: NewObservation) -> datetime:
    time = observation.phenomenon_time
    return time.start if isinstance(time, Interval) else time


def _time(values: dict[str, Any], name: str) -> datetime | None:
    micros = values[name]
    if micros is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise Refused(_no_time(name, micros)) from None


def _no_time(name: str, shown: object) -> Problem:
    return Problem(problems.NOT_A_TIME, problems.NOT_A_TIME_REMEDY, name, str(shown)[:80], {"form": "ISO 8601"})


def _json(values: dict[str, Any], name: str) -> Any:
    text = values[name]
    if text is None:
        return None
    try:
        return _decode(text)
    except (ValueError, RecursionError) as error:
        why = {"why": str(error)[:200]}
        raise Refused(Problem(problems.NOT_JSON, problems.NOT_JSON_REMEDY, name, text[:80], why)) from None


def _whole(text: str) -> int | float:
    """jsonb writes 1.5e300 as a whole number of 301 digits."""
    return int(text) if len(text) < _DIGITS else _finite(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is beyond double precision")
    return value


_decode = json.JSONDecoder(parse_int=_whole, parse_float=_finite, parse_constant=_finite).decode


def _parameters(values: dict[str, Any]) -> dict[str, Any] | None:
    found = _json(values, "parameters")
    if found is not None and not isinstance(found, dict):
        why = {"why": "it is no object"}
        raise Refused(Problem(problems.NOT_JSON, problems.NOT_JSON_REMEDY, "parameters", str(found)[:80], why))
    return found


def _result(values: dict[str, Any]) -> Result:
    if values["result_json"] is not None:
        found: Result = _json(values, "result_json")
        return found
    for name in ("result_text", "result_truth"):
        if values[name] is not None:
            other: str | bool = values[name]
            return other
    number: float | None = values["result"]
    return number
