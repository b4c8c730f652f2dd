"""A Parquet file of our own form back into a city: into the datastreams it came from, or into those of the same names.

Chunk by chunk, each with its progress in one transaction. An observation without a key gets one made of its origin and
id, so that files that overlap, and the same file again, change nothing.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from mainzdigital.connect.files import parquet_table, problems, rejects
from mainzdigital.connect.files.load import Report
from mainzdigital.connect.files.problems import Problem, Refused
from mainzdigital.connect.parquet import form
from mainzdigital.exchange.sensorthings.multi import check_result
from mainzdigital.ingest.batch import Batch, NewObservation, Result
from mainzdigital.ingest.rows import Rejected, prepare
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Conflict, InvalidInput
from mainzdigital.kernel.time import Interval
from mainzdigital.store import export, observations, progress
from mainzdigital.store.entities_write_multi import types_of

if TYPE_CHECKING:
    import pyarrow as pa

SOURCE = "parquet"
CHUNK_ROWS = 10_000
_DIGITS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Columns = dict[str, list[Any]]
_Name = tuple[int, str, str]  # id, thing, name of a datastream as the file has them


def is_ours(path: Path) -> bool:
    """Is it a file that `mainzdigital export observations` wrote? Raises InvalidInput where it is a damaged one."""
    if not parquet_table.is_parquet(path):
        return False
    with parquet_table.opened(path) as file:
        return form.is_ours(file.schema_arrow)


def import_observations(
    connection: psycopg.Connection,
    path: Path,
    *,
    folder: Path,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[Report, list[rejects.Entry]]:
    """Import a file; what became of it, and with `dry_run`, which writes nothing, the first thousand problems.

    `folder` takes the reject file; `advance` is told rows. The same file twice changes nothing, unless rows of it were
    refused, which are tried again; an interrupted import goes on after its last chunk. Raises InvalidInput where the
    file as a whole cannot be read, Conflict while another process imports.
    """
    sha256 = parquet_table.digest(path)
    if dry_run:
        return _rehearse(connection, path, sha256, advance)
    if not progress.lock(connection, SOURCE):
        raise Conflict("Parquet files are being imported by another process", remedy="wait until it is done")
    try:
        return _import(connection, path, sha256, folder, advance), []
    finally:
        if not connection.broken:
            progress.unlock(connection, SOURCE)


def _import(
    connection: psycopg.Connection, path: Path, sha256: str, folder: Path, advance: Callable[[int], None]
) -> Report:
    report = Report(str(path), SOURCE, sha256)
    before = progress.find(connection, source=SOURCE, sha256=sha256)
    if before is not None and before.finished:
        if not before.rows_rejected:
            report.already = True
            return report
        before = None
    position = report.resumed_after = before.position if before else 0
    report.rows = before.rows_read if before else 0
    refused = rejects.Rejects(rejects.path_for(folder, name=path.name, sha256=sha256), position=position)

    def note(*, finished: bool) -> None:
        progress.save(
            connection, source=SOURCE, sha256=sha256, name=path.name, position=position,
            rows_read=report.rows, rows_rejected=refused.count, finished=finished,
        )  # fmt: skip

    with parquet_table.opened(path) as file:
        reader = _Reader(connection, file.schema_arrow)
        for first, found in parquet_table.batches(file, size=CHUNK_ROWS, after=position):
            with connection.transaction():
                lines, wrong = reader.lines(first, form.columns(found, where=path.name))
                wrong += _put(connection, lines, report)
                report.rows += found.num_rows
                refused.add(sorted(wrong, key=lambda entry: entry[0]))
                position = first + found.num_rows - 1
                note(finished=False)
            advance(found.num_rows)
    with connection.transaction():
        note(finished=True)
    report.rejected = refused.count
    report.rejects = str(refused.path) if refused.count else ""
    return report


def _rehearse(
    connection: psycopg.Connection, path: Path, sha256: str, advance: Callable[[int], None]
) -> tuple[Report, list[rejects.Entry]]:
    report = Report(str(path), SOURCE, sha256)
    problems_found: list[rejects.Entry] = []
    with parquet_table.opened(path) as file:
        reader = _Reader(connection, file.schema_arrow)
        for first, found in parquet_table.batches(file, size=CHUNK_ROWS):
            lines, wrong = reader.lines(first, form.columns(found, where=path.name))
            _mark_keyed(connection, lines)
            for line in lines:
                try:
                    prepare(0, line.observation)
                    report.written += not line.known
                    report.duplicates += line.known
                except Rejected as error:
                    wrong.append((line.row, _not_written(error.message, line.observation)))
            report.rows += found.num_rows
            report.rejected += len(wrong)
            problems_found += wrong[: max(0, 1000 - len(problems_found))]
            advance(found.num_rows)
    return report, problems_found


@dataclass(slots=True)
class _Line:
    """One row. `known`: this very observation is in the city."""

    row: int
    id: int
    observation: NewObservation
    own: bool  # of a datastream with the same id and name
    known: bool = False


def _put(connection: psycopg.Connection, lines: Sequence[_Line], report: Report) -> list[rejects.Entry]:
    fresh = [line for line in lines if not line.known]
    report.duplicates += len(lines) - len(fresh)
    if not fresh:
        return []
    done = write(connection, Batch([line.observation for line in fresh]))
    report.written += done.written
    report.duplicates += done.duplicates
    return [
        (fresh[error.index].row, _not_written(error.message, fresh[error.index].observation)) for error in done.rejected
    ]


def _not_written(why: str, observation: NewObservation) -> Problem:
    return Problem(
        problems.NOT_WRITTEN, problems.NOT_WRITTEN_REMEDY, "result", str(observation.result)[:80], {"why": why}
    )


@dataclass(slots=True)
class _Reader:
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

    def lines(self, first: int, columns: _Columns) -> tuple[list[_Line], list[rejects.Entry]]:
        """The rows that hold an observation of a known datastream, and what is wrong with the others."""
        self._find_streams({*zip(columns["datastream"], columns["thing"], columns["name"], strict=True)})
        self._find_features({*zip(columns["feature"], columns["feature_name"], strict=True)} - {(None, None)})
        good: list[_Line] = []
        wrong: list[rejects.Entry] = []
        for row, values in enumerate(zip(*columns.values(), strict=True), start=first):
            try:
                good.append(self._line(row, dict(zip(columns, values, strict=True))))
            except Refused as refused:
                wrong.append((row, refused.problem))
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

    def _line(self, row: int, values: dict[str, Any]) -> _Line:
        name = values["datastream"], values["thing"], values["name"]
        if None in name or values["id"] is None:
            raise Refused(Problem(problems.EMPTY_KEY, problems.EMPTY_KEY_REMEDY, "datastream"))
        stream = self._streams[name]
        if isinstance(stream, Problem):
            raise Refused(stream)
        datastream, own = stream
        feature = self._feature(values["feature"], values["feature_name"])
        start = _time(values, "phenomenon_time")
        if start is None:
            form_shown = {"form": "ISO 8601"}
            raise Refused(Problem(problems.NOT_A_TIME, problems.NOT_A_TIME_REMEDY, "phenomenon_time", "", form_shown))
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
                raise Refused(_not_written(error.message, observation)) from None
        return _Line(row, values["id"], observation, own and values["key"] is None)

    def _feature(self, one: int | None, name: str | None) -> int | None:
        if one is None and name is None:
            return None
        known = self._features[one, name]
        if isinstance(known, Problem):
            # Without it the observation would say something else, and might be seen by others.
            raise Refused(known)
        return known

    def _mark_known(self, lines: Sequence[_Line]) -> None:
        """An observation without a key that is still there is known by its id."""
        sought = [line for line in lines if line.own]
        if not sought:
            return
        moved = export.moved(self.connection, {line.id for line in sought}) if self._home else set()
        places = {_place(line.observation) for line in sought}
        there = {row.id: row for row in observations.at(self.connection, [*places])}
        for line in sought:
            row = there.get(line.id)
            # Another city may have used the same id for something else.
            line.known = line.id in moved or (row is not None and (self._home or _says(row, line.observation)))


def _place(observation: NewObservation) -> tuple[int, int]:
    return observation.datastream_id, observations.to_micros(_start(observation))


def _mark_keyed(connection: psycopg.Connection, lines: Sequence[_Line]) -> None:
    """As the writer would find them: what has a key is known by it."""
    sought = [line for line in lines if not line.known]
    keys = [line.observation.key or "" for line in sought]
    found = observations.keyed_at(connection, [_place(line.observation) for line in sought], keys)
    there = {(row.datastream_id, row.phenomenon_time, row.key) for row in found}
    for line in sought:
        one = line.observation
        line.known = (one.datastream_id, _start(one), one.key) in there


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
        shown = {"form": "ISO 8601"}
        raise Refused(Problem(problems.NOT_A_TIME, problems.NOT_A_TIME_REMEDY, name, str(micros)[:80], shown)) from None


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
