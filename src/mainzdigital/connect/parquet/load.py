"""A Parquet file of our own form back into a city: into the datastreams it came from, or into those of the same names.

Chunk by chunk, each with its progress in one transaction. An observation without a key gets one made of its origin and
id, so that files that overlap, and the same file again, change nothing.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from mainzdigital.connect.files import parquet_table, rejects
from mainzdigital.connect.files.load import Report
from mainzdigital.connect.parquet import form
from mainzdigital.connect.parquet.lines import Line, Reader, not_written, place
from mainzdigital.ingest.batch import Batch
from mainzdigital.ingest.rows import Rejected, prepare
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Conflict
from mainzdigital.store import observations, progress

SOURCE = "parquet"
CHUNK_ROWS = 10_000


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
        reader = Reader(connection, file.schema_arrow)
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
        reader = Reader(connection, file.schema_arrow)
        for first, found in parquet_table.batches(file, size=CHUNK_ROWS):
            lines, wrong = reader.lines(first, form.columns(found, where=path.name))
            _mark_keyed(connection, lines)
            for line in lines:
                try:
                    prepare(0, line.observation)
                    report.written += not line.known
                    report.duplicates += line.known
                except Rejected as error:
                    wrong.append((line.row, not_written(error.message, line.observation)))
            report.rows += found.num_rows
            report.rejected += len(wrong)
            problems_found += wrong[: max(0, 1000 - len(problems_found))]
            advance(found.num_rows)
    return report, problems_found


def _put(connection: psycopg.Connection, lines: Sequence[Line], report: Report) -> list[rejects.Entry]:
    fresh = [line for line in lines if not line.known]
    report.duplicates += len(lines) - len(fresh)
    if not fresh:
        return []
    done = write(connection, Batch([line.observation for line in fresh]))
    report.written += done.written
    report.duplicates += done.duplicates
    return [
        (fresh[error.index].row, not_written(error.message, fresh[error.index].observation)) for error in done.rejected
    ]


def _mark_keyed(connection: psycopg.Connection, lines: Sequence[Line]) -> None:
    """As the writer would find them: what has a key is known by it."""
    sought = [line for line in lines if not line.known]
    keys = [line.observation.key or "" for line in sought]
    found = observations.keyed_at(connection, [place(line.observation) for line in sought], keys)
    there = {(row.datastream_id, observations.to_micros(row.phenomenon_time), row.key) for row in found}
    for line in sought:
        one = line.observation
        line.known = (*place(one), one.key) in there
