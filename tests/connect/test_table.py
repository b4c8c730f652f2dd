"""Files as they come: each kind of rubbish has its sentence, each harmless oddity just works."""

import io
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from mainzdigital.connect.files import table
from mainzdigital.connect.files.decode import Decoder
from mainzdigital.connect.files.load import rehearse
from mainzdigital.connect.files.mapping import Mapping
from mainzdigital.connect.files.problems import FORMULA
from mainzdigital.kernel.errors import CityError, InvalidInput, NotFound, TooLarge
from tests.connect.samples import HEADER, wide, write

ROW = "Süd;01.07.2024 12:00;21,5\n"


def read(path: Path, mapping: Mapping | None = None) -> list[tuple[str, float | int | str | None]]:
    mapping = mapping or wide()
    examined = table.examine(path, encoding=mapping.table.encoding)
    header = table.find_header(examined, mapping)
    decoder = Decoder(mapping, header)
    found = []
    for number, cells in table.rows(examined, mapping.table, delimiter=header.delimiter):
        if number > header.number:
            decoded = decoder.decode(number, cells)
            found += [(decoded.thing, reading.result) for reading in decoded.readings]
    return found


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + ROW).encode("utf-8"),
        (HEADER + ROW).encode("utf-8-sig"),
        (HEADER + ROW).encode("cp1252"),
        (HEADER + ROW).encode("utf-16"),
        (HEADER + ROW).replace("\n", "\r\n").encode(),
        (HEADER + ROW).replace("\n", "\r").encode(),
        (HEADER.replace("\n", "\r\n") + ROW).encode(),
        ("Wetterdaten;;\n;;\n" + HEADER + ROW).encode(),
        (HEADER + ROW).replace(";", "\t").encode(),
        (HEADER + ROW).rstrip("\n").encode(),
        (HEADER + "\n\n" + ROW + "\n").encode(),
    ],
    ids=["utf-8", "bom", "cp1252", "utf-16", "crlf", "cr", "mixed", "title", "tab", "no newline", "blank lines"],
)
def test_harmless_oddities(tmp_path: Path, content: bytes) -> None:
    assert read(write(tmp_path, content)) == [("Süd", 21.5)]


def test_a_thousand_columns(tmp_path: Path) -> None:
    extra = ";".join(f"c{number}" for number in range(1000))
    text = f"{HEADER.strip()};{extra}\n{ROW.strip()}{';1' * 1000}\n"
    assert read(write(tmp_path, text)) == [("Süd", 21.5)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        ((HEADER + "a\0b;;\n").encode(), "NUL byte"),
        (bytes(range(1, 256)) * 30, "not a text file"),
        (b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8bxxxx", "gzip"),
        (b"PK\x03\x04 this is no zip", "damaged workbook"),
        (b"just;some;words\n1;2;3\n", "'station', 'zeit' missing"),
        (b"station;zeit\n", "no column with a value"),
        (b"station;zeit;temp;zeit\n", "'zeit' twice"),
        ((HEADER + 'x;"' + "y" * 200_000).encode(), "field larger than field limit"),
    ],
)
def test_rubbish_has_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(CityError) as error:
        rehearse(write(tmp_path, content), wide())
    assert says in error.value.message
    assert "\n" not in error.value.message


def test_folder_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        table.examine(tmp_path)
    with pytest.raises(NotFound, match="there is no file"):
        table.examine(tmp_path / "x.csv")


def test_the_wrong_delimiter_in_the_mapping_is_named(tmp_path: Path) -> None:
    mapping = wide(table='table: {decimal: ",", delimiter: ","}')
    with pytest.raises(InvalidInput) as error:
        table.find_header(table.examine(write(tmp_path, HEADER + ROW)), mapping)
    assert "separated by ';', the mapping says ','" in error.value.message


def test_bytes_that_are_not_the_named_encoding(tmp_path: Path) -> None:
    mapping = wide(table='table: {decimal: ",", encoding: utf-8}')
    with pytest.raises(InvalidInput, match="is not utf-8-sig"):
        read(write(tmp_path, (HEADER + ROW).encode("latin-1")), mapping)


def workbook(path: Path, rows: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_with_titles_and_typed_cells(tmp_path: Path) -> None:
    moment = datetime(2024, 7, 1, 12)  # noqa: DTZ001 a cell has no zone
    path = workbook(tmp_path / "a.xlsx", [["Titel"], [], ["station", "zeit", "temp"], ["Süd", moment, 21.5]])
    assert read(path) == [("Süd", 21.5)]


def test_formulas_without_result_are_refused_cell_by_cell(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["station", "zeit", "temp"],
        ["Süd", "01.07.2024 12:00", "=1+1"],
        ["Süd", "01.07.2024 13:00", 20.0],
        ["Süd", "01.07.2024 14:00", "#DIV/0!"],
    ]
    report, problems = rehearse(workbook(tmp_path / "a.xlsx", rows), wide())
    assert report.written == 1
    assert [(row, problem.column) for row, problem in problems] == [(2, "temp"), (4, "temp")]
    assert problems[0][1].message == FORMULA


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as member:
            for _ in range(450):
                member.write(b" " * 1_000_000)
    with pytest.raises(TooLarge, match="unpacks to"):
        rehearse(path, wide())


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.csv", HEADER)
    with pytest.raises(InvalidInput, match="no Excel workbook"):
        rehearse(write(tmp_path, buffer.getvalue(), name="a.xlsx"), wide())


def test_a_cut_workbook(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "a.xlsx", [["station", "zeit", "temp"], ["Süd", "01.07.2024 12:00", 1]]).read_bytes()
    with pytest.raises(InvalidInput, match="damaged workbook"):
        rehearse(write(tmp_path, whole[: len(whole) // 2], name="b.xlsx"), wide())
