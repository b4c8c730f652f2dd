"""Observations by the thousand as data arrays (18-088, clause 13): decoded at once, looked up by datastream, written
as one batch. A row that cannot be stored is answered by a text; all others are stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
import psycopg

from mainzdigital.exchange.sensorthings.data_array_streams import Stream, Streams
from mainzdigital.exchange.sensorthings.deep import require_scope
from mainzdigital.exchange.sensorthings.multi import check_result
from mainzdigital.exchange.sensorthings.validate import at, check
from mainzdigital.exchange.sensorthings.validate_json import DEPTH_LIMIT, nesting, parse_json
from mainzdigital.exchange.sensorthings.write_observations import new_observation
from mainzdigital.exchange.sensorthings.write_single import Known
from mainzdigital.ingest.batch import Batch, NewObservation, RowError, WriteResult
from mainzdigital.ingest.write import write
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import Conflict, InvalidInput, TooLarge
from mainzdigital.store import idempotency
from mainzdigital.store.model import OBSERVATION

HOLDERS = ("Datastream", "MultiDatastream")
FEATURE = ("FeatureOfInterest/id", "FeatureOfInterest/@iot.id")
_IGNORED = ("id", "@iot.id", "@iot.selfLink")  # given by the service; who sends back what was read may leave them in
_SIMPLE = frozenset({"phenomenonTime", "result", "FeatureOfInterest/id"})
_PARTS = frozenset({dict, list})
_Times = list[Annotated[datetime, msgspec.Meta(tz=True)]]


@dataclass(frozen=True, slots=True)
class Group:
    """One element of the body: rows of one datastream, each with a value for every component."""

    holder: str
    stream: object
    components: tuple[str, ...]
    rows: Sequence[object]


def groups(body: bytes, limit: int, depth: int = DEPTH_LIMIT) -> list[Group]:
    """The groups of a body; raises InvalidInput where it is no list of data arrays, TooLarge above `limit` rows."""
    # Looked at before it is decoded: a body of nothing but brackets becomes a hundred times as large in memory.
    if body.count(b"[") > 4 * limit + 1000:
        raise _too_many(limit)
    value = _decoded(body, depth)
    if not isinstance(value, list):
        raise InvalidInput(
            "the body must be a list of data arrays", where="body",
            remedy='send [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": …}]',
        )  # fmt: skip
    found = [_group(item, f"[{index}]") for index, item in enumerate(value)]
    if sum(len(group.rows) for group in found) > limit:
        raise _too_many(limit)
    return found


def _too_many(limit: int) -> TooLarge:
    return TooLarge(
        f"the data arrays have more than {limit} rows (limit MAINZDIGITAL_ROWS_LIMIT)",
        where="dataArray",
        remedy="send several smaller requests",
    )


def _decoded(body: bytes, depth: int) -> object:
    """The JSON of the body, by the fast decoder where the strict one would find nothing more."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return parse_json(body, depth=depth)  # says what is wrong, and where
    # Objects in the rows may name a key twice; the fast decoder would not mind.
    if isinstance(value, list) and body.count(b"{") != 2 * len(value):
        _check_rows(body, value, depth)
    return value


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="dataArray", default_factory=list)


_decode_rows = msgspec.json.Decoder(list[_Rows]).decode


def _check_rows(body: bytes, value: list[Any], depth: int) -> None:
    """Read rows with objects by the strict decoder; a row that it refuses is replaced by the refusal."""
    try:
        raw = _decode_rows(body)
    except msgspec.ValidationError:
        return  # no data arrays; said by whoever looks at them
    for item, strict in zip(value, raw, strict=True):
        for place, row in enumerate(map(bytes, strict.rows)):
            if b"{" in row:
                try:
                    item["dataArray"][place] = parse_json(row, depth=depth)
                except InvalidInput as refusal:
                    item["dataArray"][place] = refusal


def _group(item: object, where: str) -> Group:
    if not isinstance(item, Mapping):
        raise InvalidInput("a data array must be a JSON object", where=where)
    holders = [name for name in HOLDERS if name in item]
    if len(holders) != 1:
        raise InvalidInput(
            "a data array has a Datastream or a MultiDatastream", where=at(where, HOLDERS[0]),
            remedy='add "Datastream": {"@iot.id": 1}' if not holders else "leave one of them out",
        )  # fmt: skip
    stream = item[holders[0]]
    if not isinstance(stream, Mapping) or "@iot.id" not in stream:
        raise InvalidInput(
            f"the {holders[0]} must be a link", where=at(where, holders[0]), remedy='write {"@iot.id": 1}'
        )
    for name in item:
        if name not in ("components", "dataArray", holders[0]) and not (isinstance(name, str) and "@iot." in name):
            raise InvalidInput(
                f"a data array has no '{str(name)[:80]}'", where=at(where, str(name)[:80]),
                remedy="it has Datastream or MultiDatastream, components, dataArray",
            )  # fmt: skip
    rows = item.get("dataArray")
    if not isinstance(rows, list):
        raise InvalidInput(
            "a data array needs its rows", where=at(where, "dataArray"), remedy='add "dataArray": [[…], …]'
        )
    return Group(holders[0], stream["@iot.id"], _components(item.get("components"), at(where, "components")), rows)


def _components(given: object, where: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not given:
        raise InvalidInput(
            "a data array needs its components", where=where, remedy='add "components": ["phenomenonTime", "result"]'
        )
    known = [name for name in OBSERVATION.properties if name != "id"]
    names: list[str] = []
    for index, name in enumerate(given):
        plain = FEATURE[0] if name in FEATURE else name
        if plain not in (*known, FEATURE[0], *_IGNORED):
            raise InvalidInput(
                f"'{str(name)[:80]}' is no component of an Observation", where=f"{where}[{index}]",
                remedy=f"use {', '.join([*known, FEATURE[0]])}",
            )  # fmt: skip
        if plain in names:
            raise InvalidInput(f"'{plain}' stands twice", where=f"{where}[{index}]", remedy="name it once")
        names.append(plain)
    if "result" not in names:
        raise InvalidInput("an Observation needs a result", where=where, remedy="add 'result' to the components")
    return tuple(names)


class _Sorted:
    """The rows of all groups on their way: those to be written, and what is wrong with the others."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.count = 0
        self.batch: list[NewObservation] = []
        self.places: list[int] = []  # of the batch's observations in the request
        self.wrong: dict[int, RowError] = {}
        self.named: set[int] = set()  # places in the batch of those that name their feature

    def refuse(self, place: int, refusal: InvalidInput) -> None:
        text = f"{refusal.message}; {refusal.remedy}" if refusal.remedy else refusal.message
        self.wrong[place] = RowError(place, text, refusal.where)

    def add(self, group: Group, streams: Streams) -> None:
        first, self.count = self.count, self.count + len(group.rows)
        if not group.rows:
            return
        try:
            stream = streams.of(group.holder, group.stream)
        except InvalidInput as refusal:
            for place in range(first, self.count):
                self.refuse(place, refusal)
            return
        if (
            not stream.types
            and _SIMPLE.issuperset(group.components)
            and self._all_at_once(group, stream, streams, first)
        ):
            return
        for place, row in enumerate(group.rows, first):
            try:
                one = _one(group, row, stream, streams, self.depth)
            except InvalidInput as refusal:
                self.refuse(place, refusal)
                continue
            if FEATURE[0] in group.components:
                self.named.add(len(self.batch))
            self.batch.append(one)
            self.places.append(place)

    def _all_at_once(self, group: Group, stream: Stream, streams: Streams, first: int) -> bool:
        """The usual rows, column by column; False where one of them is unusual, and nothing was done."""
        if stream.feature_missing or set(map(type, group.rows)) != {list}:
            return False
        if set(map(len, group.rows)) != {len(group.components)}:  # type: ignore[arg-type]
            return False
        columns: dict[str, Sequence[Any]] = dict(zip(group.components, zip(*group.rows, strict=True), strict=True))
        results = columns["result"]
        if "phenomenonTime" not in columns or not _PARTS.isdisjoint(map(type, results)):
            return False
        try:
            times = msgspec.convert(columns["phenomenonTime"], _Times)
        except msgspec.ValidationError:
            return False
        features: Sequence[int | None] = [stream.feature] * len(results)
        if FEATURE[0] in columns:
            if not all(streams.is_feature(one) for one in columns[FEATURE[0]]):
                return False
            features = columns[FEATURE[0]]
            self.named.update(range(len(self.batch), len(self.batch) + len(results)))
        self.batch += [
            NewObservation(stream.id, time, result, None, feature)
            for time, result, feature in zip(times, results, features, strict=True)
        ]
        self.places += range(first, first + len(results))
        return True


def _one(group: Group, row: object, stream: Stream, streams: Streams, depth: int) -> NewObservation:
    if isinstance(row, InvalidInput):
        raise row
    if not isinstance(row, list) or len(row) != len(group.components):
        raise InvalidInput(
            f"a row has {len(group.components)} values, one for each component", where="dataArray", remedy="send null "
            "where there is none",
        )  # fmt: skip
    values = dict(zip(group.components, row, strict=True))
    named = values.pop(FEATURE[0], None)
    if nesting(row, depth) > depth:
        raise InvalidInput(f"the row is nested more than {depth} levels deep", where="dataArray")
    checked = check(OBSERVATION, {name: values[name] for name in values if name not in _IGNORED}, complete=True)
    feature = stream.require_feature() if named is None else streams.feature(named)
    one = new_observation(checked, stream.id, feature)
    if stream.types:
        check_result(one.result, stream.types, "")
        one.multi = True
    return one


def create(
    connection: psycopg.Connection,
    *,
    reader: Reader,
    body: bytes,
    root: str,
    limit: int,
    depth: int = DEPTH_LIMIT,
    known: Known | None = None,
    key: str | None = None,
) -> bytes:
    """Store the Observations of data arrays; the answer: a JSON list with the address of each, or a text `error …`.

    One transaction for all that is stored, the caller's if one is open. `known` remembers datastreams from one request
    to the next. The same `key` (Idempotency-Key) twice is one request. Raises InvalidInput where the body is no list of
    data arrays, TooLarge above `limit` rows, Conflict where the key was used for another request.
    """
    require_scope(reader, "Observation")
    given = groups(body, limit, depth)
    if key is None:
        idle = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        return _answer(_store(connection, reader, given, depth, known if idle else None), root)
    with connection.transaction():
        before = idempotency.claim(connection, key)
        if before is None:
            result = _store(connection, reader, given, depth, None)
            idempotency.settle(connection, key, msgspec.json.encode(result))
        else:
            result = msgspec.json.decode(before, type=WriteResult)
            if len(result.ids) != sum(len(group.rows) for group in given):
                raise Conflict(
                    "this key was used for another request", where="Idempotency-Key",
                    remedy="use a new key for a new request",
                )  # fmt: skip
    return _answer(result, root)


def _store(
    connection: psycopg.Connection, reader: Reader, given: Sequence[Group], depth: int, known: Known | None
) -> WriteResult:
    rows = _Sorted(depth)
    streams = Streams(connection, reader, given, known)
    for group in given:
        rows.add(group, streams)
    written = write(connection, Batch(rows.batch))
    # What was remembered may have changed: a feature of interest that nobody named was deleted, or the thing has moved.
    stale = [
        error for error in written.rejected if error.where == "FeatureOfInterest" and error.index not in rows.named
    ]
    if stale and known is not None:
        known.forget()
        _again(connection, reader, rows, written, [error.index for error in stale])
    result = WriteResult([None] * rows.count, written.written, written.duplicates)
    for place, one in zip(rows.places, written.ids, strict=True):
        result.ids[place] = one
    for error in written.rejected:
        place = rows.places[error.index]
        rows.wrong[place] = RowError(place, error.message, error.where)
    result.rejected = [rows.wrong[place] for place in sorted(rows.wrong)]
    return result


def _again(
    connection: psycopg.Connection, reader: Reader, rows: _Sorted, written: WriteResult, places: Sequence[int]
) -> None:
    """Write rows whose datastream was not as remembered, by a fresh look at it."""
    again = [rows.batch[place] for place in places]
    asked = [Group("Datastream", one, (), ()) for one in {item.datastream_id for item in again}]
    streams = Streams(connection, reader, asked, None)
    kept: list[int] = []
    refused = {error.index: error for error in written.rejected}
    for place, one in zip(places, again, strict=True):
        try:
            one.foi_id = streams.of("Datastream", one.datastream_id).require_feature()
        except InvalidInput as refusal:
            refused[place] = RowError(place, refusal.message, refusal.where)
        else:
            kept.append(place)
            del refused[place]
    second = write(connection, Batch([rows.batch[place] for place in kept]))
    for place, made in zip(kept, second.ids, strict=True):
        written.ids[place] = made
    for error in second.rejected:
        refused[kept[error.index]] = RowError(kept[error.index], error.message, error.where)
    written.rejected = list(refused.values())
    written.written += second.written


def _answer(result: WriteResult, root: str) -> bytes:
    base = f"{root}/Observations("
    texts = [f"{base}{one})" for one in result.ids]
    for error in result.rejected:
        texts[error.index] = f"error: {error.message}" + (f" ({error.where})" if error.where else "")
    try:
        return msgspec.json.encode(texts)
    except UnicodeEncodeError:  # half of a surrogate pair, quoted from the request
        return msgspec.json.encode([text.encode("utf-8", "replace").decode() for text in texts])
