"""A file into the store: chunk by chunk, each with its progress in one transaction, so that every row counts once."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg

from mainzdigital.connect.files import problems, rejects, table
from mainzdigital.connect.files.decode import Decoded, Decoder, Slot
from mainzdigital.connect.files.mapping import Mapping
from mainzdigital.connect.files.problems import Problem
from mainzdigital.connect.files.values import Bounds
from mainzdigital.connect.origin import Catalogue
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.errors import Conflict
from mainzdigital.kernel.time import Interval
from mainzdigital.store import progress

CHUNK_READINGS = 10_000
CHUNK_ROWS = 10_000
CHUNK_THINGS = 500
_MOST_WAITING = 50_000  # rows of one ambiguous hour


@dataclass(slots=True)
class Report:
    """What became of a file. `already`: it was imported before and nothing was done."""

    file: str
    mapping: str
    sha256: str
    already: bool = False
    resumed_after: int = 0
    rows: int = 0
    written: int = 0
    duplicates: int = 0
    replaced: int = 0
    gaps: int = 0
    rejected: int = 0
    outside: int = 0
    things_new: int = 0
    things_changed: int = 0
    datastreams_new: int = 0
    without_location: int = 0
    rejects: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(slots=True)
class Chunk:
    """Rows that are written in one transaction."""

    rows: list[Decoded] = field(default_factory=list)
    readings: int = 0
    subjects: int = 0

    def add(self, decoded: Decoded) -> None:
        self.rows.append(decoded)
        self.readings += len(decoded.readings)
        self.subjects += decoded.subject is not None

    @property
    def is_full(self) -> bool:
        return self.readings >= CHUNK_READINGS or len(self.rows) >= CHUNK_ROWS or self.subjects >= CHUNK_THINGS


def rehearse(path: Path, mapping: Mapping, *, within: Bounds | None = None) -> tuple[Report, list[rejects.Entry]]:
    """Read a file without writing anything: counts, and the first thousand problems."""
    examined, header, decoder = _open(path, mapping, within, lambda _: None)
    report = Report(str(path), mapping.name, examined.sha256)
    found: list[rejects.Entry] = []
    for chunk in _chunks(examined, header, decoder, lambda _: None):
        for decoded in chunk.rows:
            _count(report, decoded)
            report.written += len(decoded.readings)
            report.things_new += decoded.subject is not None
            report.rejected += len(decoded.problems)
            found += [(decoded.row, problem) for problem in decoded.problems[: max(0, 1000 - len(found))]]
    return report, found


def import_file(
    connection: psycopg.Connection,
    path: Path,
    mapping: Mapping,
    *,
    folder: Path,
    within: Bounds | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Report:
    """Import a file; the same file twice changes nothing, one that was interrupted goes on after its last chunk.

    `folder` takes the reject file, `advance` is told the bytes read (twice the file's size in all).
    Raises InvalidInput where the file as a whole cannot be read, Conflict while another process reads the source.
    """
    if not progress.lock(connection, mapping.source):
        raise Conflict(
            f"files of the source '{mapping.source}' are being imported by another process",
            where=mapping.source,
            remedy="wait until it is done",
        )
    try:
        return _import(connection, path, mapping, folder=folder, within=within, advance=advance)
    finally:
        if not connection.broken:
            progress.unlock(connection, mapping.source)


def _open(
    path: Path, mapping: Mapping, within: Bounds | None, advance: Callable[[int], None]
) -> tuple[table.Examined, table.Header, Decoder]:
    examined = table.examine(path, encoding=mapping.table.encoding, progress=advance)
    header = table.find_header(examined, mapping)
    return examined, header, Decoder(mapping, header, within=within)


def _import(
    connection: psycopg.Connection, path: Path, mapping: Mapping, *, folder: Path, within: Bounds | None,
    advance: Callable[[int], None],
) -> Report:  # fmt: skip
    examined, header, decoder = _open(path, mapping, within, advance)
    report = Report(str(path), mapping.name, examined.sha256)
    # A file imported for the city only is another import than the whole of it.
    source = mapping.source if within is None else f"{mapping.source} within {within}"
    before = progress.find(connection, source=source, sha256=examined.sha256)
    if before is not None and before.finished:
        report.already = True
        report.rejected = before.rows_rejected
        advance(examined.size)
        return report
    position = report.resumed_after = before.position if before else 0
    report.rows = before.rows_read if before else 0
    refused = rejects.Rejects(rejects.path_for(folder, name=path.name, sha256=examined.sha256), position=position)
    writer = Writer(connection, mapping, decoder.slots, Catalogue(connection, mapping.source, mapping.access))

    def note(*, finished: bool) -> None:
        progress.save(
            connection, source=source, sha256=examined.sha256, name=path.name, position=position,
            rows_read=report.rows, rows_rejected=refused.count, finished=finished,
        )  # fmt: skip

    for chunk in _chunks(examined, header, decoder, advance, after=position):
        with connection.transaction():
            wrong = writer.write(chunk, report)
            refused.add(wrong)
            position = chunk.rows[-1].row
            note(finished=False)
    with connection.transaction():
        note(finished=True)
    report.rejected = refused.count
    report.rejects = str(refused.path) if refused.count else ""
    counts = writer.catalogue.counts
    report.things_new, report.things_changed = counts.things_new, counts.things_changed
    report.datastreams_new, report.without_location = counts.datastreams_new, counts.without_location
    return report


def _chunks(
    examined: table.Examined, header: table.Header, decoder: Decoder, advance: Callable[[int], None], *, after: int = 0
) -> Iterator[Chunk]:
    """The decoded rows behind the row `after`, in chunks that never end inside an ambiguous hour."""
    chunk = Chunk()
    waiting: list[Decoded] = []
    for number, cells in table.rows(examined, decoder.mapping.table, delimiter=header.delimiter, progress=advance):
        if number <= header.number:
            continue
        decoded = decoder.decode(number, cells)
        if number <= after:
            continue  # decoded all the same: repeated keys are counted from the first row
        # A broken row between them does not end the ambiguous hour.
        if decoded.local is not None or (waiting and not decoded.readings):
            waiting.append(decoded)
            if len(waiting) < _MOST_WAITING:
                continue
        else:
            waiting.append(decoded)
        _settle(decoder, waiting, chunk)
        waiting = []
        if chunk.is_full:
            yield chunk
            chunk = Chunk()
    _settle(decoder, waiting, chunk)
    if chunk.rows:
        yield chunk


def _settle(decoder: Decoder, waiting: list[Decoded], chunk: Chunk) -> None:
    if open_ones := [decoded for decoded in waiting if decoded.local is not None]:
        decoder.settle(open_ones)
    for decoded in waiting:
        chunk.add(decoded)


def _count(report: Report, decoded: Decoded) -> None:
    report.rows += 1
    report.gaps += decoded.gaps
    report.outside += decoded.outside


class Writer:
    """Writes chunks, and makes the entities they need."""

    def __init__(
        self, connection: psycopg.Connection, mapping: Mapping, slots: list[Slot], catalogue: Catalogue
    ) -> None:
        self._connection = connection
        self._mapping = mapping
        self._slots = slots
        self.catalogue = catalogue
        self._ids: dict[tuple[str, int], int] = {}
        self._length: timedelta | None = mapping.time.length if mapping.time else None

    def write(self, chunk: Chunk, report: Report) -> list[rejects.Entry]:
        """Write a chunk in the caller's transaction; what was refused is answered."""
        wrong: list[rejects.Entry] = []
        observations: list[NewObservation] = []
        origins: list[tuple[int, int]] = []
        seen: dict[tuple[int, object], object] = {}
        key, length = self._mapping.source, self._length
        for decoded in chunk.rows:
            _count(report, decoded)
            wrong += [(decoded.row, problem) for problem in decoded.problems]
            if decoded.subject is not None:
                subject = decoded.subject
                self.catalogue.thing(
                    subject.key, name=subject.name, description=subject.description,
                    properties={
                        "license": self._mapping.licence, "source": self._mapping.attribution, **subject.properties,
                    },
                    point=subject.point,
                )  # fmt: skip
            for row, slot, start, result, quality in decoded.readings:
                datastream = self._ids.get((decoded.thing, slot)) or self._datastream(decoded.thing, slot)
                earlier = seen.setdefault((datastream, start), result)
                if earlier != result:
                    column = self._slots[slot].column
                    wrong.append((row, Problem(problems.TWICE, problems.TWICE_REMEDY, column, str(result))))
                    continue
                observations.append(
                    NewObservation(
                        datastream, Interval(start, start + length) if length else start, result,
                        quality=quality, key=key,
                    )
                )  # fmt: skip
                origins.append((row, slot))
        if observations:
            done = write(self._connection, Batch(observations, on_duplicate=self._mapping.on_duplicate))
            report.written += done.written
            report.duplicates += done.duplicates
            report.replaced += done.replaced
            for error in done.rejected:
                row, slot = origins[error.index]
                value = str(observations[error.index].result)[:80]
                why = {"why": error.message}
                wrong.append(
                    (
                        row,
                        Problem(
                            problems.NOT_WRITTEN, problems.NOT_WRITTEN_REMEDY, self._slots[slot].column, value, why
                        ),
                    )
                )
        return wrong

    def _datastream(self, thing: str, number: int) -> int:
        slot = self._slots[number]
        quantity, mapping = slot.quantity, self._mapping
        made = self.catalogue.datastream(
            thing,
            slot.key,
            name=slot.name,
            description=slot.description,
            observation_type=quantity.observation_type,
            unit={
                "name": quantity.unit.name, "symbol": quantity.unit.symbol, "definition": quantity.unit.definition,
            },
            sensor=self.catalogue.sensor(
                name=quantity.sensor.name, description=quantity.sensor.description, metadata=quantity.sensor.metadata,
                properties={"simulated": False},
            ),
            observed=self.catalogue.observed_property(
                name=quantity.observed.name, definition=quantity.observed.definition,
                description=quantity.observed.description,
            ),
            properties={
                **slot.properties, "simulated": False, "license": mapping.licence, "source": mapping.attribution,
                **({"notes": mapping.notes} if mapping.notes else {}),
            },
        )  # fmt: skip
        self._ids[thing, number] = made
        return made
