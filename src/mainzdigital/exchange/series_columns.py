"""Series as Parquet and as a stream of Arrow record batches; a batch, or a row group, for each datastream.

Columns as in CSV. Of raw values `result` is the number, `other` the JSON of what is none. The schema's metadata hold
the question, and under `series` what each datastream is.
"""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from mainzdigital.exchange.series_write import Series, SeriesQuery, about, columns, question
from mainzdigital.store.series import Header

if TYPE_CHECKING:
    import pyarrow


class _Writer(Protocol):
    def write_batch(self, batch: "pyarrow.RecordBatch") -> None: ...
    def close(self) -> None: ...


class _Sink(io.RawIOBase):
    """Takes bytes, and gives them away again as they come."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        chunk = bytes(data)
        self._chunks.append(chunk)
        self._written += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)


def _schema(query: SeriesQuery, headers: Sequence[Header]) -> "pyarrow.Schema":
    import pyarrow as pa

    time, word = pa.timestamp("us", tz=query.zone.key), pa.dictionary(pa.int32(), pa.string())
    fields = [
        pa.field("datastream", pa.int32(), nullable=False), pa.field("name", word), pa.field("unit", word),
        pa.field("time", time, nullable=False),
    ]  # fmt: skip
    if query.bucket == "raw":
        fields += [
            pa.field("result", pa.float64()), pa.field("other", pa.string()), pa.field("end", time),
            pa.field("gap", pa.bool_(), nullable=False),
        ]  # fmt: skip
    else:
        fields.append(pa.field("count", pa.int64(), nullable=False))
        fields += [pa.field(name, pa.float64()) for name in columns(query)[2:]]
    told = {name: str(value) for name, value in question(query).items()}
    return pa.schema(fields, metadata=told | {"series": msgspec.json.encode([about(one) for one in headers])})


def _batch(schema: "pyarrow.Schema", query: SeriesQuery, series: Series) -> "pyarrow.RecordBatch":
    import pyarrow as pa

    count = len(series.points)
    unit = str(series.header.unit.get("symbol") or series.header.unit.get("name") or "")

    def repeated(text: str) -> "pyarrow.Array":
        return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text], pa.string()))

    values: list[list[Any]] = [list(column) for column in zip(*series.points, strict=True)]
    if not values:
        values = [[] for _ in columns(query)]
    if query.bucket == "raw":
        times, results, ends, gaps = values
        values = [
            times,
            [float(one) if _is_number(one) else None for one in results],
            [None if one is None or _is_exact(one) else json.dumps(one, ensure_ascii=False) for one in results],
            [None if end is None else datetime.fromisoformat(end) for end in ends],
            gaps,
        ]
    arrays = [pa.array([series.header.id] * count, pa.int32()), repeated(series.header.name), repeated(unit)]
    arrays += [pa.array(one, schema.field(at + 3).type) for at, one in enumerate(values)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_exact(value: Any) -> bool:
    """Does a double say all of it? Large whole numbers stand in both columns."""
    return _is_number(value) and (isinstance(value, float) or -(2**53) <= value <= 2**53)


def _open(query: SeriesQuery, headers: Sequence[Header], sink: _Sink) -> "tuple[pyarrow.Schema, _Writer]":
    import pyarrow as pa

    schema = _schema(query, headers)
    if query.form == "arrow":
        # A name of its own in every batch: the dictionaries of a stream may be replaced.
        return schema, pa.ipc.new_stream(sink, schema)
    import pyarrow.parquet as pq

    return schema, pq.ParquetWriter(sink, schema, compression="zstd")


async def chunks(query: SeriesQuery, headers: Sequence[Header], parts: AsyncIterator[Series]) -> AsyncIterator[bytes]:
    """The bytes of the answer, datastream by datastream. Encoded in a thread: the event loop goes on."""
    sink = _Sink()
    schema, writer = await asyncio.to_thread(_open, query, headers, sink)

    def write(series: Series) -> bytes:
        writer.write_batch(_batch(schema, query, series))
        return sink.take()

    def close() -> bytes:
        writer.close()
        return sink.take()

    async for series in parts:
        if series.points and (chunk := await asyncio.to_thread(write, series)):
            yield chunk
    yield await asyncio.to_thread(close)
