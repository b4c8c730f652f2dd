"""Rows to readings: good cells go in, bad ones say why, the doubled hour is decided by order."""

from datetime import UTC, datetime
from pathlib import Path

from mainzdigital.connect.files import problems
from mainzdigital.connect.files.decode import Decoder, Reading
from mainzdigital.connect.files.load import rehearse
from mainzdigital.connect.files.mapping import find_mapping, read_mapping
from mainzdigital.connect.files.table import Header
from tests.connect.samples import HEADER, WIDE, wide, write


def test_one_bad_cell_never_takes_its_neighbours_along(tmp_path: Path) -> None:
    lines = [
        "A;01.07.2024 12:00;21,5",
        "A;gestern;21,5",
        "A;01.07.2024 14:00;heiß",
        "A;01.07.2024 15:00;99",
        ";01.07.2024 15:00;20",
        "A;01.07.2024 16:00",
        "A;01.07.2024 16:00;1;2",
        "A;30.03.2025 02:30;1",
        "A;01.07.2024 17:00;",
        "A;01.07.2024 18:00;22",
    ]
    report, found = rehearse(write(tmp_path, HEADER + "\n".join(lines)), wide())
    assert (report.rows, report.written, report.gaps, report.rejected) == (10, 2, 1, 7)
    assert [(row, problem.message) for row, problem in found] == [
        (3, problems.NOT_A_TIME),
        (4, problems.NOT_A_NUMBER),
        (5, problems.OUTSIDE),
        (6, problems.EMPTY_KEY),
        (7, problems.TOO_SHORT),
        (8, problems.TOO_LONG),
        (9, problems.NO_SUCH_HOUR),
    ]


def _night(times: list[str]) -> list[Reading]:
    decoder = Decoder(wide(), Header(1, ("station", "zeit", "temp"), ";"))
    decoded = [
        decoder.decode(number, ["A", f"27.10.2024 {time}", str(number)]) for number, time in enumerate(times, start=2)
    ]
    decoder.settle([one for one in decoded if one.local])
    return [reading for one in decoded for reading in one.readings]


def test_the_doubled_hour_twice_in_the_file() -> None:
    times = [reading.start for reading in _night(["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"])]
    assert times == [
        datetime(2024, 10, 26, 23, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 0, 0, tzinfo=UTC),
        datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 0, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 30, tzinfo=UTC),
        datetime(2024, 10, 27, 2, 0, tzinfo=UTC),
    ]


def test_the_doubled_hour_once_in_the_file_is_told_in_the_quality() -> None:
    readings = _night(["01:30", "02:00", "02:30", "03:00"])
    assert [reading.start.hour for reading in readings] == [23, 0, 0, 2]
    assert [reading.quality is not None for reading in readings] == [False, True, True, False]


def test_long_form() -> None:
    text = WIDE.replace("column: temp", "code: T") + "long: {result: wert, parameter: art}\n"
    mapping = read_mapping(text, where="test")
    decoder = Decoder(mapping, Header(1, ("station", "zeit", "art", "wert"), ";"))
    good = decoder.decode(2, ["A", "01.07.2024 12:00", "T", "21,5"])
    other = decoder.decode(3, ["A", "01.07.2024 12:00", "X", "1"])
    assert [(reading.slot, reading.result) for reading in good.readings] == [(0, 21.5)]
    assert decoder.slots[0].key == "T"
    assert [problem.message for problem in other.problems] == [problems.UNKNOWN_QUANTITY]


def test_status_codes_and_channels_of_a_counter() -> None:
    names = ("Datetime", "100 000 (x)", "123456 (Brücke)", "123457 (Brücke ein)", "123456-status", "123457-status")
    decoder = Decoder(find_mapping("radzaehlung"), Header(1, names, ","))
    decoded = decoder.decode(2, ["2024-07-01 12:00", "", "12", "", "0", "4"])
    assert decoded.thing == "123456"
    assert decoded.subject is not None
    assert decoded.subject.name == "Radzählstelle Brücke"
    assert [slot.key for slot in decoder.slots] == ["123456", "123457"]
    assert [(reading.result, reading.quality) for reading in decoded.readings] == [
        (12, {"status": 0}),
        (None, {"status": 4}),
    ]


def test_repeated_register_rows_are_numbered_in_order() -> None:
    mapping = find_mapping("ladesaeulen")
    names = (
        "Betreiber", "Adresse", "Postleitzahl Ort", "Inbetriebnahmedatum", "Längengrad [DG]", "Breitengrad [DG]",
        "Art der Ladeeinrichtung",
    )  # fmt: skip
    decoder = Decoder(mapping, Header(1, names, ";"))
    row = ["Stadtwerke", "Weg 1", "55116 Mainz", "2018-01-01", "8.27", "50.0", "Normalladeeinrichtung"]
    keys = [decoder.decode(number, row).thing for number in (2, 3)]
    assert keys == ["Stadtwerke|Weg 1|55116 Mainz|2018-01-01", "Stadtwerke|Weg 1|55116 Mainz|2018-01-01 #2"]
