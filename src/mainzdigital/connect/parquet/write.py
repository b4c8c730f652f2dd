"""Observations of the city into a Parquet file, in bounded memory."""

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from mainzdigital.connect.parquet import form
from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.errors import Forbidden, NotFound
from mainzdigital.store import export

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ROW_GROUP = 100_000
_FETCH = 10_000


@dataclass(slots=True)
class Exported:
    """What was written: `hidden` datastreams were left out because of their access class."""

    file: str
    observations: int = 0
    datastreams: int = 0
    hidden: int = 0
    bytes: int = 0


def export_file(
    connection: psycopg.Connection,
    path: Path,
    *,
    classes: Collection[AccessClass],
    datastreams: Collection[int] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write what readers of `classes` see, `start` <= phenomenonTime < `end`, as the city is at one moment.

    The file appears when it is whole; one that is there is replaced. Raises NotFound and
    Forbidden where a datastream that is named is not there or of another class, and OSError.
    """
    import pyarrow.parquet as pq

    done = Exported(str(path))
    table = form.schema(export.origin(connection))
    at = {name: number for number, name in enumerate(table.names)}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        # What is not open to all is not open to all on this machine either.
        mode = 0o644 if frozenset(classes) <= {AccessClass.OPEN} else 0o600
        with (
            export.snapshot(connection),
            open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out,
            pq.ParquetWriter(
                out, table, compression="zstd", use_dictionary=list(form.REPEATED),
                sorting_columns=[pq.SortingColumn(at["datastream"]), pq.SortingColumn(at["phenomenon_time"])],
            ) as writer,
        ):  # fmt: skip
            groups = _Groups(writer, table)
            for stream in _chosen(connection, classes, datastreams, done):
                before = done.observations
                for rows in export.rows(connection, stream, classes=classes, start=start, end=end, size=_FETCH):
                    groups.add(form.batch(table, stream, rows))
                    done.observations += len(rows)
                    advance(len(rows))
                done.datastreams += done.observations > before
            groups.flush()
        done.bytes = part.stat().st_size
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    return done


def _chosen(
    connection: psycopg.Connection, classes: Collection[AccessClass], wanted: Collection[int] | None, done: Exported
) -> list[export.Stream]:
    found = export.streams(connection, wanted)
    if missing := sorted(set(wanted or ()) - {one.id for one in found}):
        raise NotFound(f"there is no Datastream or MultiDatastream with the id {missing[0]}", where="--datastream")
    hidden = [one for one in found if not one.is_visible(classes)]
    if wanted is not None and hidden:
        needed = ", ".join(sorted(hidden[0].classes - frozenset(classes)))
        raise Forbidden(
            f"the datastream {hidden[0].id}, or what it belongs to, is {needed}", where="--access",
            remedy=f"add --access {needed.split(',')[0]} if the file may hold it",
        )  # fmt: skip
    done.hidden = len(hidden)
    return [one for one in found if one.is_visible(classes)]


class _Groups:
    """Gathers batches to row groups of even size, whatever the datastreams' lengths."""

    def __init__(self, writer: "pq.ParquetWriter", table: "pa.Schema") -> None:
        self._writer = writer
        self._table = table
        self._gathered: list[pa.RecordBatch] = []
        self._waiting = 0

    def add(self, batch: "pa.RecordBatch") -> None:
        self._gathered.append(batch)
        self._waiting += batch.num_rows
        if self._waiting >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        import pyarrow as pa

        if self._gathered:
            self._writer.write_table(pa.Table.from_batches(self._gathered, self._table), row_group_size=ROW_GROUP)
            self._gathered, self._waiting = [], 0
