"""A CSV, XLSX or Parquet file as rows of cells, streamed: memory does not grow with the file."""

import codecs
import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mainzdigital.connect.files import parquet_table
from mainzdigital.connect.files.mapping import Mapping, TableShape
from mainzdigital.connect.files.values import Cell
from mainzdigital.kernel.errors import InvalidInput, NotFound, TooLarge

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12

Row = tuple[int, Sequence[Cell]]  # row number in the file as people count (1 is the first), cells
Progress = Callable[[int], None]  # bytes that were read since the last call

_MOST_UNPACKED = 400_000_000
_MOST_RATIO = 500
_HEADER_SEARCH = 50
_DELIMITERS = (";", ",", "\t", "|")
_FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls); save it as .xlsx",
    b"%PDF": "a PDF; export the table as CSV",
    b"\x1f\x8b": "packed by gzip; unpack it first",
}


class Formula:
    """An XLSX cell whose formula has no stored result."""

    __slots__ = ()


FORMULA = Formula()


@dataclass(frozen=True, slots=True)
class Examined:
    """What one look over the whole file tells: its identity and how to read it."""

    path: Path
    kind: Literal["csv", "xlsx", "parquet"]
    sha256: str
    size: int
    encoding: str


def examine(path: Path, *, encoding: str = "", progress: Progress = lambda _: None) -> Examined:
    """Read the file once: SHA-256, kind and encoding. Raises InvalidInput or NotFound with one clear sentence."""
    where = str(path)
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder, not a file", where=where, remedy="name the files one by one")
    try:
        with path.open("rb") as file:
            return _examine(path, file, encoding, progress)
    except FileNotFoundError:
        raise NotFound(f"there is no file {path}", where=where) from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", where=where) from None


def examine_head(path: Path) -> Examined:
    """Kind and likely encoding by the first 64 kB, for recognising many files; there is no SHA-256 in the answer."""
    try:
        with path.open("rb") as file:
            head = file.read(1 << 16)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", where=str(path)) from None
    if head.startswith(b"PK\x03\x04"):
        return Examined(path, "xlsx", "", len(head), "")
    if head.startswith(parquet_table.MAGIC):
        return Examined(path, "parquet", "", len(head), "")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Examined(path, "csv", "", len(head), "utf-16")
    if b"\0" in head:
        raise InvalidInput(f"{path.name} is not a text file", where=str(path))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return Examined(path, "csv", "", len(head), "cp1252")
    return Examined(path, "csv", "", len(head), "utf-8-sig")


def _examine(path: Path, file: io.BufferedReader, encoding: str, progress: Progress) -> Examined:
    where = str(path)
    head = file.peek(4096)[:4096]
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise InvalidInput(f"{path.name} is empty", where=where, remedy="export the table again")
    kind: Literal["csv", "xlsx", "parquet"] = "csv"
    if head.startswith(b"PK\x03\x04"):
        kind = "xlsx"
    elif head.startswith(parquet_table.MAGIC):
        kind = "parquet"
    for magic, what in _FOREIGN.items():
        if what and head.startswith(magic):
            raise InvalidInput(f"{path.name} is {what}", where=where)
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decoder = codecs.getincrementaldecoder("utf-8")() if kind == "csv" and not wide else None
    digest = hashlib.sha256()
    size = 0
    while block := file.read(1 << 20):
        digest.update(block)
        size += len(block)
        progress(len(block))
        if kind == "csv" and not wide and (at := block.find(b"\0")) >= 0:
            raise InvalidInput(
                f"{path.name} holds a NUL byte (at byte {size - len(block) + at:,}); this is no text file",
                where=where,
                remedy="export the table again as CSV or XLSX",
            )
        if decoder is not None:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                decoder = None
    if decoder is not None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            decoder = None
    if kind == "csv" and not encoding:
        encoding = "utf-16" if wide else "utf-8-sig" if decoder is not None else "cp1252"
    elif encoding == "utf-8":
        encoding = "utf-8-sig"
    if kind == "csv" and encoding == "cp1252" and _control_share(head) > 0.02:
        raise InvalidInput(f"{path.name} is not a text file", where=where, remedy="export the table as CSV or XLSX")
    return Examined(path, kind, digest.hexdigest(), size, encoding)


def _control_share(head: bytes) -> float:
    return sum(byte < 32 and byte not in b"\t\r\n\f" for byte in head) / len(head)


def rows(
    examined: Examined, shape: TableShape, *, delimiter: str, progress: Progress = lambda _: None
) -> Iterator[Row]:
    """All rows that are not empty, with their numbers in the file."""
    if examined.kind == "xlsx":
        return _xlsx_rows(examined, shape.sheet, progress)
    if examined.kind == "parquet":
        return parquet_table.rows(examined.path, progress)
    return _csv_rows(examined, delimiter, progress)


class _Counted(io.FileIO):
    """Tells progress how many bytes were read."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path)
        self._progress = progress

    def readinto(self, buffer: "Buffer") -> int | None:
        count = super().readinto(buffer)
        self._progress(count or 0)
        return count


def _csv_rows(examined: Examined, delimiter: str, progress: Progress) -> Iterator[Row]:
    raw = io.BufferedReader(_Counted(examined.path, progress), 1 << 18)
    errors = "replace" if examined.encoding in {"cp1252", "latin-1"} else "strict"
    with io.TextIOWrapper(raw, encoding=examined.encoding, errors=errors, newline="") as text:
        reader = csv.reader(text, delimiter=delimiter)
        number = 0
        try:
            for number, cells in enumerate(reader, start=1):
                if any(cells):
                    yield number, cells
        except csv.Error as error:
            raise InvalidInput(
                f"{examined.path.name}, line {reader.line_num:,}: {error}",
                where=f"line {reader.line_num}",
                remedy="look for a quotation mark that is opened and never closed",
            ) from None
        except UnicodeError:
            raise InvalidInput(
                f"{examined.path.name} is not {examined.encoding} after row {number:,}",
                where=f"row {number + 1}",
                remedy="name another `encoding` in the mapping",
            ) from None


def _check_archive(path: Path) -> bool:
    """Refuse what is no workbook or unpacks to too much; tells whether any sheet has formulas."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            packed = max(1, sum(member.compress_size for member in members))
            if unpacked > _MOST_UNPACKED or (unpacked > 10_000_000 and unpacked / packed > _MOST_RATIO):
                raise TooLarge(
                    f"{path.name} unpacks to {unpacked / 1e6:,.0f} MB ({unpacked // packed}-fold)",
                    where=str(path),
                    remedy=f"at most {_MOST_UNPACKED / 1e6:.0f} MB are taken; split the table or export it as CSV",
                )
            if "xl/workbook.xml" not in archive.namelist():
                raise InvalidInput(
                    f"{path.name} is a zip archive, but no Excel workbook",
                    where=str(path),
                    remedy="unpack it, or save the table as .xlsx",
                )
            return any(_has_formula(archive, member) for member in members if "worksheets/" in member.filename)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise InvalidInput(
            f"{path.name} is a damaged workbook: {error}", where=str(path), remedy="fetch or save the file again"
        ) from None


def _has_formula(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    tail = b""
    with archive.open(member) as sheet:
        while block := sheet.read(1 << 20):
            window = tail + block
            if b"<f>" in window or b"<f " in window:
                return True
            tail = block[-2:]
    return False


def _xlsx_rows(examined: Examined, sheet: str, progress: Progress) -> Iterator[Row]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    formulas = _check_archive(examined.path)
    where = str(examined.path)
    try:
        with closing(openpyxl.load_workbook(examined.path, read_only=True, data_only=True)) as book:
            if sheet and sheet not in book.sheetnames:
                raise InvalidInput(
                    f"{examined.path.name} has no sheet '{sheet}'",
                    where=where,
                    remedy=f"its sheets are {', '.join(book.sheetnames)}",
                )
            chosen = book[sheet] if sheet else book.worksheets[0]
            values = chosen.iter_rows(values_only=True)
            told = 0
            if formulas:
                with closing(openpyxl.load_workbook(examined.path, read_only=True)) as raw_book:
                    raw = raw_book[chosen.title].iter_rows(values_only=True)
                    for number, (cells, written) in enumerate(zip(values, raw, strict=False), start=1):
                        yield from _row(number, _with_formulas(cells, written))
            else:
                for number, cells in enumerate(values, start=1):
                    # The packed size says little about rows; the bar moves by an estimate and is completed at the end.
                    told += (step := max(0, min(256, examined.size - told)))
                    progress(step)
                    yield from _row(number, cells)
            progress(max(0, examined.size - told))
    except (InvalidFileException, KeyError, zipfile.BadZipFile, EOFError, SyntaxError, IndexError) as error:
        # SyntaxError: the XML parser's ParseError
        raise InvalidInput(
            f"{examined.path.name} is a damaged workbook: {error}", where=where, remedy="save the file again"
        ) from None


def _row(number: int, cells: Sequence[object]) -> Iterator[Row]:
    if any(cell is not None and cell != "" for cell in cells):
        yield number, cells  # type: ignore[misc]  # openpyxl's cell values are ours, and times, which no mapping asks for


def _with_formulas(cells: Sequence[object], written: Sequence[object]) -> list[object]:
    return [
        FORMULA if cell is None and isinstance(formula, str) and formula.startswith("=") else cell
        for cell, formula in zip(cells, written, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class Header:
    """The header: its row number, its names, and the delimiter it was read with."""

    number: int
    names: tuple[str, ...]
    delimiter: str


def clean(name: object) -> str:
    """A header cell as people see it: without surrounding or doubled blanks and byte order mark."""
    return " ".join(str(name).replace("\ufeff", "").split()) if name is not None else ""


def find_header(examined: Examined, mapping: Mapping) -> Header:
    """The row with all columns the mapping needs; raises InvalidInput that says which are missing."""
    shape = mapping.table
    needed = mapping.columns
    best: tuple[int, tuple[str, ...]] = (-1, ())
    wanted_row = 0 if examined.kind == "parquet" else shape.header_row
    if examined.kind != "csv":
        tried: tuple[str, ...] = ("",)
    else:
        tried = (shape.delimiter,) if shape.delimiter else _DELIMITERS
    for delimiter in tried:
        for count, (number, cells) in enumerate(rows(examined, shape, delimiter=delimiter)):
            if count >= _HEADER_SEARCH or (wanted_row and number > wanted_row):
                break
            if examined.kind == "parquet" and number:
                break
            if wanted_row and number != wanted_row:
                continue
            names = tuple(clean(cell) for cell in cells)
            present = len(needed & set(names))
            if present == len(needed):
                _refuse_twice(names, needed, examined)
                return Header(number, names, delimiter)
            if present > best[0]:
                best = present, names
    missing = sorted(needed - set(best[1]))
    listed = ", ".join(f"'{name}'" for name in missing[:8])
    if best[0] <= 0 and shape.delimiter and examined.kind == "csv" and (other := _other(best[1], shape.delimiter)):
        raise InvalidInput(
            f"{examined.path.name} is separated by '{other}', the mapping says '{shape.delimiter}'",
            where="table.delimiter",
            remedy=f"write delimiter: '{other}' in the mapping, or leave it out",
        )
    raise InvalidInput(
        f"{examined.path.name} does not have the columns of the mapping '{mapping.name}': {listed} missing",
        where=str(examined.path),
        remedy=f"found: {', '.join(name for name in best[1][:12] if name)[:200] or 'no header'}",
    )


def _other(names: tuple[str, ...], delimiter: str) -> str:
    text = " ".join(names)
    counts = {other: text.count(other) for other in _DELIMITERS if other != delimiter}
    likely = max(counts, key=lambda other: counts[other])
    return likely if counts[likely] else ""


def _refuse_twice(names: tuple[str, ...], needed: set[str], examined: Examined) -> None:
    for name in needed:
        if names.count(name) > 1:
            raise InvalidInput(
                f"{examined.path.name} has the column '{name}' twice", where=name, remedy="rename or remove one of them"
            )
