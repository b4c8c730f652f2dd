"""Series as JSON and CSV; `series_columns` has the binary forms."""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from mainzdigital.exchange.series_time import Bucket
from mainzdigital.store.series import Header

Form = Literal["json", "csv", "parquet", "arrow"]
TYPES: dict[Form, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
# Points in one answer.
LIMIT: dict[Form, int] = {"json": 100_000, "csv": 1_000_000, "parquet": 1_000_000, "arrow": 1_000_000}

COLUMNS = ("time", "count", "min", "mean", "max", "sum", "last")
RAW_COLUMNS = ("time", "result", "end", "gap")


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """`start` <= time < `end`. `zone` is the city's."""

    datastreams: tuple[int, ...]
    start: datetime
    end: datetime
    bucket: Bucket
    form: Form
    zone: ZoneInfo
    percentiles: tuple[float, ...] = ()


@dataclass(slots=True)
class Series:
    """One datastream's points, as rows of COLUMNS or RAW_COLUMNS. Times are UTC.

    Every bucket between the first and the last with values is there; those without have count 0 and None elsewhere.
    Of raw values `gap` tells that more than 2.5 usual intervals lie before it; `interval` is the usual one in seconds.
    """

    header: Header
    points: list[tuple[Any, ...]]
    interval: float | None = None


_CHUNK = 2_000  # rows
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def columns(query: SeriesQuery) -> tuple[str, ...]:
    """Names of what stands in a point; p2.5 is the percentile of 2.5."""
    if query.bucket == "raw":
        return RAW_COLUMNS
    return (*COLUMNS, *(f"p{one:g}" for one in query.percentiles))


def question(query: SeriesQuery) -> dict[str, object]:
    """The question as it was understood. Times are local."""
    return {
        "from": query.start.astimezone(query.zone).isoformat(),
        "to": query.end.astimezone(query.zone).isoformat(),
        "bucket": query.bucket,
        "timeZone": query.zone.key,
    }


def about(header: Header) -> dict[str, object]:
    """What a datastream is."""
    return {
        "datastream": header.id,
        "name": header.name,
        "unit": header.unit,
        "observedProperty": header.observed_property,
        "source": {"thing": {"id": header.thing_id, "name": header.thing}, "sensor": header.sensor},
        "properties": header.properties,
    }


def to_json(query: SeriesQuery, series: Sequence[Series]) -> bytes:
    """One object: the question, and per datastream what it is and its points. Times are local."""
    zone = query.zone
    return msgspec.json.encode(
        {
            **question(query),
            "columns": columns(query),
            "series": [
                {
                    **about(one.header),
                    "usualInterval": one.interval,
                    "points": [(_local(point[0].astimezone(zone)), *point[1:]) for point in one.points],
                }
                for one in series
            ],
        }
    )


def _local(time: datetime) -> datetime | str:
    # The encoder is faster, but writes Z where the city is even with UTC, and +01:00 in its summer.
    return time if time.utcoffset() else time.isoformat()


def file_name(query: SeriesQuery) -> str:
    start, end = (time.astimezone(query.zone).date().isoformat() for time in (query.start, query.end))
    return f"series_{query.bucket}_{start}_{end}.{query.form}"


async def csv_chunks(query: SeriesQuery, parts: AsyncIterator[Series]) -> AsyncIterator[bytes]:
    """CSV (UTF-8, RFC 4180), datastream by datastream."""
    yield csv_head(query)
    async for series in parts:
        for chunk in csv_rows(query, series):
            yield chunk


def csv_head(query: SeriesQuery) -> bytes:
    return ",".join(("datastream", "name", "unit", *columns(query))).encode() + b"\r\n"


def csv_rows(query: SeriesQuery, series: Series) -> Iterator[bytes]:
    """Tidy rows, in chunks. Texts that a spreadsheet would take for a formula get an apostrophe."""
    unit = series.header.unit.get("symbol") or series.header.unit.get("name") or ""
    fixed = (series.header.id, _text(series.header.name), _text(str(unit)))
    for begin in range(0, len(series.points), _CHUNK):
        out = io.StringIO()
        write = csv.writer(out).writerow
        for point in series.points[begin : begin + _CHUNK]:
            write((*fixed, point[0].astimezone(query.zone).isoformat(), *map(_cell, point[1:])))
        yield out.getvalue().encode()


def _cell(value: Any) -> object:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | dict | list):
        return _text(msgspec.json.encode(value).decode())
    return value


def _text(value: str) -> str:
    return "'" + value if value.startswith(_FORMULA) else value
