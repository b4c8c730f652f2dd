"""Parquet files as tables: rows of cells for mappings, batches for files of our own form. Memory does not grow."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainzdigital.connect.files.values import Cell
from mainzdigital.kernel.errors import InvalidInput, NotFound, TooLarge

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAGIC = b"PAR1"
_BATCH = 5_000
_MOST_GROUP = 4_000_000_000  # bytes of one row group, unpacked
_REMEDY = "write the file again"


def is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def digest(path: Path) -> str:
    """SHA-256 of the file; raises NotFound and InvalidInput."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", where=str(path)) from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", where=str(path)) from None


@contextmanager
def opened(path: Path) -> Iterator["pq.ParquetFile"]:
    """The file; what is damaged is told as InvalidInput, also while the block reads."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            _check(path, file)
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(
            f"{path.name} is a damaged Parquet file: {reason[:200]}", where=str(path), remedy=_REMEDY
        ) from None


def _check(path: Path, file: "pq.ParquetFile") -> None:
    meta = file.metadata
    for number in range(meta.num_row_groups):
        if meta.row_group(number).total_byte_size > _MOST_GROUP:
            raise TooLarge(
                f"{path.name} has a row group of {meta.row_group(number).total_byte_size / 1e9:.1f} GB",
                where=str(path), remedy="write it with row groups of about 100,000 rows",
            )  # fmt: skip


def batches(file: "pq.ParquetFile", *, size: int, after: int = 0) -> Iterator[tuple[int, "pa.RecordBatch"]]:
    """Batches of at most `size` rows behind the row `after`, each with the number of its first row (1 is the first)."""
    first = 1
    for number in range(file.metadata.num_row_groups):
        count = file.metadata.row_group(number).num_rows
        if first + count - 1 <= after:
            first += count
            continue
        for found in file.iter_batches(batch_size=size, row_groups=[number]):
            skipped = min(max(0, after - first + 1), found.num_rows)
            if skipped < found.num_rows:
                yield first + skipped, found.slice(skipped)
            first += found.num_rows


def rows(path: Path, progress: Callable[[int], None]) -> Iterator[tuple[int, Sequence[Cell]]]:
    """The column names as row 0, then the rows; `progress` is told shares of the file's size."""
    with opened(path) as file:
        names = file.schema_arrow.names
        yield 0, names
        size, told = path.stat().st_size, 0
        total = max(1, file.metadata.num_rows)
        for first, found in batches(file, size=_BATCH):
            columns = [_cells(column) for column in found.columns]
            for number, cells in enumerate(zip(*columns, strict=True), start=first):
                if any(cell is not None and cell != "" for cell in cells):
                    yield number, cells
            done = size * (first + found.num_rows - 1) // total
            progress(done - told)
            told = done
        progress(size - told)


def _cells(column: "pa.Array") -> list[Cell]:
    """A column as cells of a table: exact decimals as texts of digits, what is nested as JSON, NaN as an empty cell."""
    import pyarrow as pa
    import pyarrow.types as kinds

    kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
    if kinds.is_timestamp(kind) and kind.unit == "ns":
        # Python's times end at microseconds.
        column = column.cast(pa.timestamp("us", tz=kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    if kinds.is_floating(kind):
        return [None if value is None or math.isnan(value) else value for value in values]
    if kinds.is_decimal(kind):
        return [None if value is None else _number(value) for value in values]
    if kinds.is_nested(kind) or kinds.is_map(kind):
        return [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values]
    if kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_fixed_size_binary(kind):
        return [None if value is None else value.decode("utf-8", "replace") for value in values]
    if kinds.is_time(kind) or kinds.is_duration(kind):
        return [None if value is None else str(value) for value in values]
    return values


def _number(value: Decimal) -> Cell:
    return int(value) if value == value.to_integral_value() else float(value)
