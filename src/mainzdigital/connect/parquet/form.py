"""The table of observations that `mainzdigital export observations` writes and `mainzdigital import` reads.

One row for each observation, ordered by datastream and time. Its result stands in one of four columns, by its type:
`result` a number, `result_text`, `result_truth`, and `result_json` all else; whole numbers beyond 2^53 stand in
`result` rounded and in `result_json` exactly. Times are UTC, in microseconds.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.store.export import Row, Stream

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "1"
MARK, ORIGIN = b"mainzdigital.observations", b"mainzdigital.origin"
_SHIFT = 946_684_800_000_000  # microseconds from 1970, where Arrow counts from, to 2000
_WHOLE, _WORD, _TIME, _NUMBER, _TRUTH = "int64", "string", "time", "double", "bool"
_COLUMNS: dict[str, tuple[str, bool]] = {  # name → kind, whether it is always filled
    "datastream": ("int32", True),
    "thing": (_WORD, True),
    "name": (_WORD, True),
    "unit": (_WORD, False),
    "id": (_WHOLE, True),
    "phenomenon_time": (_TIME, True),
    "phenomenon_end": (_TIME, False),
    "result": (_NUMBER, False),
    "result_text": (_WORD, False),
    "result_truth": (_TRUTH, False),
    "result_json": (_WORD, False),
    "result_time": (_TIME, False),
    "valid_start": (_TIME, False),
    "valid_end": (_TIME, False),
    "result_quality": (_WORD, False),
    "parameters": (_WORD, False),
    "feature": ("int32", False),
    "feature_name": (_WORD, False),
    "key": (_WORD, False),
}
REPEATED = ("thing", "name", "unit", "result_text", "result_quality", "parameters", "feature_name", "key")


def schema(origin: str) -> "pa.Schema":
    """The columns; `origin` says which city the ids belong to."""
    import pyarrow as pa

    fields = [pa.field(name, _type(kind), nullable=not filled) for name, (kind, filled) in _COLUMNS.items()]
    return pa.schema(fields, metadata={MARK: VERSION, ORIGIN: origin})


def _type(kind: str) -> "pa.DataType":
    import pyarrow as pa

    if kind == _TIME:
        return pa.timestamp("us", tz="UTC")
    return pa.type_for_alias(kind)


def is_ours(found: "pa.Schema") -> bool:
    """Is a file of this form? Programs that rewrite a file lose our mark, so the columns decide."""
    return {name for name, (_, filled) in _COLUMNS.items() if filled} | {"result"} <= set(found.names)


def key_of(found: "pa.Schema") -> str:
    """What the keys of observations without one begin with: their id is unique in the city they come from only."""
    return f"parquet:{hashlib.sha256(origin_of(found).encode()).hexdigest()[:8]}:"


def origin_of(found: "pa.Schema") -> str:
    """The city whose ids the file has; empty where it does not say."""
    told: bytes = (found.metadata or {}).get(ORIGIN, b"")
    return told.decode("utf-8", "replace")


def batch(table: "pa.Schema", stream: Stream, rows: Sequence[Row]) -> "pa.RecordBatch":
    """Rows of one datastream as Arrow has them."""
    import pyarrow as pa

    count = len(rows)
    (ids, times, ends, numbers, others, result_times, valid_starts, valid_ends, qualities, parameters, features, names,
     keys) = zip(*rows, strict=True)  # fmt: skip
    texts, truths, jsons = _typed(others)
    columns: list[Sequence[Any]] = [
        [stream.id] * count, [stream.thing] * count, [stream.name] * count, [stream.unit] * count, ids, _unix(times),
        _unix(ends), numbers, texts, truths, jsons, _unix(result_times), _unix(valid_starts), _unix(valid_ends),
        qualities, parameters, features, names, keys,
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, table, strict=True)], schema=table
    )


def _unix(times: Sequence[int | None]) -> list[int | None]:
    return [None if time is None else time + _SHIFT for time in times]


def _typed(others: Sequence[str | None]) -> tuple[list[str | None], list[bool | None], list[str | None]]:
    """Results that are no plain numbers: texts, truth values, and all else as JSON."""
    texts: list[str | None] = [None] * len(others)
    truths: list[bool | None] = [None] * len(others)
    jsons: list[str | None] = [None] * len(others)
    for at, other in enumerate(others):
        if other is None:
            continue
        if other.startswith('"'):
            texts[at] = json.loads(other)
        elif other in ("true", "false"):
            truths[at] = other == "true"
        else:
            jsons[at] = other
    return texts, truths, jsons


def columns(found: "pa.RecordBatch", *, where: str) -> dict[str, list[Any]]:
    """Every column as a list, times in microseconds since 1970; absent ones are empty. Raises InvalidInput."""
    import pyarrow as pa

    values: dict[str, list[Any]] = {}
    for name, (kind, _) in _COLUMNS.items():
        if name not in found.schema.names:
            values[name] = [None] * found.num_rows
            continue
        array = found.column(name)
        try:
            if kind == _TIME:
                if not pa.types.is_timestamp(array.type) or array.type.tz is None:
                    raise InvalidInput(
                        f"{where}: the column '{name}' does not hold times with a time zone", where=name,
                        remedy="write it as timestamp with time zone (UTC)",
                    )  # fmt: skip
                array = array.cast(_type(kind)).cast(pa.int64())
            else:
                array = array.cast(_type(kind))
        except pa.ArrowException as error:
            raise InvalidInput(f"{where}: the column '{name}' is not of type {kind}: {error}", where=name) from None
        values[name] = array.to_pylist()
    return values
