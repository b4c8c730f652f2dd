"""From observations to rows: what cannot be stored is told apart here, before anything is sent."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from mainzdigital.ingest.batch import NewObservation, RowError
from mainzdigital.kernel.time import Interval, format_instant
from mainzdigital.store.ids import EARLIEST, LATEST
from mainzdigital.store.observations import EPOCH

_DAY = 86_400
_EARLIEST = (EARLIEST - EPOCH).days * _DAY * 1_000_000
_LATEST = (LATEST - EPOCH).days * _DAY * 1_000_000
_EXACT = 1 << 53  # float8 holds integers up to here
_LARGEST = 1e300  # beyond it a number stands beside the column: sums over any number of rows stay finite
_DOUBLE = 1 << 1023
_INT4 = (1 << 31) - 1
_encode = msgspec.json.Encoder().encode


class Rejected(Exception):
    """This observation cannot be stored."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where

    def at(self, index: int) -> RowError:
        return RowError(index, self.message, self.where)


@dataclass(slots=True)
class Prepared:
    """An observation that has passed; times in microseconds since 2000. `seq` and `id` are given by the writer."""

    index: int
    datastream_id: int
    time: int
    end: int
    number: float | None
    result_time: int | None
    foi_id: int | None
    more: bytes | None
    key: str | None
    seq: int = 0
    id: int = 0


def _micros(value: object, where: str) -> int:
    if not isinstance(value, datetime):
        raise Rejected(f"{value!r:.80} is not a time", where)
    if value.tzinfo is None:
        raise Rejected("the time has no time zone", where)
    since = value - EPOCH
    return (since.days * _DAY + since.seconds) * 1_000_000 + since.microseconds


def _interval(value: Interval, where: str) -> tuple[int, int]:
    if not isinstance(value, Interval):
        raise Rejected(f"{value!r:.80} is not an interval", where)
    start, end = _micros(value.start, where), _micros(value.end, where)
    if end < start:
        raise Rejected("the interval ends before it begins", where)
    try:
        value.start.astimezone(UTC), value.end.astimezone(UTC)
    except OverflowError:
        raise Rejected("the time is outside the years 1 to 9999", where) from None
    return start, end


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(_has_nul, value))


def _json(more: dict[str, Any]) -> bytes:
    """JSON that jsonb takes: no NUL character, no number that is none."""
    try:
        encoded = _encode(more)
    except (TypeError, ValueError, OverflowError, RecursionError):
        encoded = b""
    # msgspec writes NaN as null, and refuses integers beyond 64 bits, which are JSON all the same: the strict encoder.
    if not encoded or b"null" in encoded or b"\\u0000" in encoded:
        encoded = b"{" + b",".join(_strict(name, value) for name, value in more.items()) + b"}"
    return encoded


def _strict(name: str, value: object) -> bytes:
    try:
        encoded = json.dumps({name: value}, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Rejected(f"the value is not JSON: {error}", _where(name)) from None
    if b"\\u0000" in encoded and _has_nul(value):
        raise Rejected("the text holds a NUL character", _where(name))
    return encoded[1:-1]


def _where(name: str) -> str:
    return "resultQuality" if name == "quality" else name


def _rounded(result: object) -> float | None:
    """The number to compute with, of results that the column does not hold exactly; raises Rejected."""
    if isinstance(result, float):
        if not math.isfinite(result):
            raise Rejected(f"{result} is not a number that can be stored", "result")
        return None
    if isinstance(result, int) and not isinstance(result, bool):
        if not -_DOUBLE < result < _DOUBLE:
            raise Rejected("the number is larger than can be stored (double precision)", "result")
        return float(result) if -_LARGEST <= result <= _LARGEST else None
    if not isinstance(result, str | bool | dict | list):
        raise Rejected(f"a {type(result).__name__} is no result", "result")
    return None


def prepare(index: int, one: NewObservation) -> Prepared:
    """Check and convert one observation; raises Rejected."""
    more: dict[str, Any] | None = None
    time = one.phenomenon_time
    if type(time) is datetime and time.tzinfo is not None:  # the usual case, without a call
        since = time - EPOCH
        start = end = (since.days * _DAY + since.seconds) * 1_000_000 + since.microseconds
    elif isinstance(time, Interval):
        start, end = _interval(time, "phenomenonTime")
        more = {"end": format_instant(time.end)}
    else:
        start = end = _micros(time, "phenomenonTime")
    if not _EARLIEST <= start < _LATEST:
        raise Rejected("the time is outside the years 1600 to 2282 (August) that can be stored", "phenomenonTime")

    result = one.result
    number: float | None = None
    if isinstance(result, float) and -_LARGEST <= result <= _LARGEST:
        number = result
    elif type(result) is int and -_EXACT <= result <= _EXACT:
        number = float(result)
    elif result is not None:
        number = _rounded(result)
        more = (more or {}) | {"result": result}

    result_time = one.result_time
    if one.multi:
        more = (more or {}) | {"multi": True}
    if one.quality is not None or one.valid_time is not None or one.parameters is not None or one.key is not None:
        more = more or {}
        if one.quality is not None:
            more["quality"] = one.quality
        if one.valid_time is not None:
            _interval(one.valid_time, "validTime")
            more["valid_start"] = format_instant(one.valid_time.start)
            more["valid_end"] = format_instant(one.valid_time.end)
        if one.parameters is not None:
            more["parameters"] = one.parameters
        if one.key is not None:
            more["key"] = one.key
    encoded = None if more is None else _json(more)
    if not 0 < one.datastream_id <= _INT4:
        raise Rejected("there is no such datastream", "Datastream")
    if one.foi_id is not None and not 0 < one.foi_id <= _INT4:
        raise Rejected("there is no such feature of interest", "FeatureOfInterest")
    return Prepared(
        index, one.datastream_id, start, end, number,
        None if result_time is None else _micros(result_time, "resultTime"),
        one.foi_id, encoded, one.key,
    )  # fmt: skip
