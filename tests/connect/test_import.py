"""Files into the database: each row once, whatever happens in between."""

import csv
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from mainzdigital.connect.files import load
from mainzdigital.connect.files.load import import_file
from mainzdigital.connect.files.mapping import read_mapping
from mainzdigital.exchange.sensorthings import write as sensorthings
from mainzdigital.ingest.batch import Batch
from mainzdigital.ingest.write import write as ingest_write
from mainzdigital.kernel.access import Scope, reader_for
from mainzdigital.kernel.errors import Conflict, InvalidInput
from mainzdigital.store import progress
from tests.connect.samples import HEADER, WIDE, wide, write

Stored = list[tuple[str, datetime, float | None]]


def stored(connection: psycopg.Connection) -> Stored:
    rows = connection.execute(
        "SELECT d.properties->'origin'->>'key', o.phenomenon_time, o.number FROM observation o "
        "JOIN datastream d ON d.id = o.datastream_id ORDER BY 1, 2, o.seq"
    ).fetchall()
    return [(key, at.astimezone(UTC), number) for key, at, number in rows]


def lines(first: int, last: int) -> str:
    return "".join(
        f"S{number % 3};{1 + number // 1440:02}.07.2024 {number // 60 % 24:02}:{number % 60:02};{number},5\n"
        for number in range(first, last)
    )


NARROW = read_mapping(WIDE.replace("high: 60", "high: 100000"), where="test")


def test_a_file_twice_changes_nothing(conn: psycopg.Connection, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + lines(0, 50))
    first = import_file(conn, path, NARROW, folder=tmp_path / "rejects")
    assert (first.rows, first.written, first.things_new, first.datastreams_new) == (50, 50, 3, 3)
    before = stored(conn)
    changes = conn.execute("SELECT count(*) FROM change_log").fetchone()
    again = import_file(conn, path, NARROW, folder=tmp_path / "rejects")
    assert again.already
    assert stored(conn) == before
    assert conn.execute("SELECT count(*) FROM change_log").fetchone() == changes


def test_overlapping_files_share_their_rows(conn: psycopg.Connection, tmp_path: Path) -> None:
    import_file(conn, write(tmp_path, HEADER + lines(0, 50), name="a.csv"), NARROW, folder=tmp_path)
    second = import_file(conn, write(tmp_path, HEADER + lines(30, 80), name="b.csv"), NARROW, folder=tmp_path)
    assert (second.written, second.duplicates, second.things_new) == (30, 20, 0)
    assert len(stored(conn)) == 80


def test_a_corrected_file_replaces_where_the_mapping_says_so(conn: psycopg.Connection, tmp_path: Path) -> None:
    text = HEADER + "A;01.07.2024 12:00;20\n"
    old, new = write(tmp_path, text, name="a.csv"), write(tmp_path, text.replace(";20", ";21"), name="b.csv")
    import_file(conn, old, NARROW, folder=tmp_path)
    assert import_file(conn, new, NARROW, folder=tmp_path).duplicates == 1
    assert [value for _, _, value in stored(conn)] == [20]
    replacing = read_mapping(WIDE + "on_duplicate: replace\n", where="test")
    newest = write(tmp_path, text.replace(";20", ";22"), name="c.csv")
    assert import_file(conn, newest, replacing, folder=tmp_path).replaced == 1
    assert [value for _, _, value in stored(conn)] == [22]


def test_refused_rows_stand_in_a_table_and_the_rest_goes_in(conn: psycopg.Connection, tmp_path: Path) -> None:
    text = HEADER + "A;01.07.2024 12:00;20\nA;01.07.2024 13:00;heiß\nA;01.07.2024 12:00;30\n=cmd;x;1\nB;01.07.2024"
    report = import_file(conn, write(tmp_path, text), wide(), folder=tmp_path / "rejects")
    assert (report.rows, report.written, report.rejected) == (5, 1, 4)
    with Path(report.rejects).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file, delimiter=";"))
    assert [row[:3] for row in rows[1:]] == [
        ["3", "temp", "heiß"],
        ["4", "temp", "30.0"],
        ["5", "zeit", "x"],
        ["6", "", ""],
    ]
    assert all(row[3] and row[4] for row in rows[1:])
    assert Path(report.rejects).parent == tmp_path / "rejects"


def test_what_was_closed_by_hand_stays_closed_and_notes_stay(conn: psycopg.Connection, tmp_path: Path) -> None:
    import_file(conn, write(tmp_path, HEADER + lines(0, 3), name="a.csv"), NARROW, folder=tmp_path)
    known = progress.keyed(conn, "Thing", source="test-wide")["S1"]
    steward = reader_for("user:1", Scope.MANAGE)
    properties = {**known.properties, "accessClass": "restricted", "note": "von Hand"}
    sensorthings.update(
        conn, reader=steward, entity="Thing", id=known.id, body={"properties": properties}, replace=False
    )
    changed = read_mapping(WIDE.replace('name: "Station {station}"', 'name: "Messstelle {station}"'), where="test")
    import_file(conn, write(tmp_path, HEADER + lines(3, 6), name="b.csv"), changed, folder=tmp_path)
    row = conn.execute("SELECT name, access, properties->>'note' FROM thing WHERE id = %s", (known.id,)).fetchone()
    assert row == ("Messstelle S1", "restricted", "von Hand")


def test_an_interrupted_import_goes_on_behind_its_last_chunk(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "CHUNK_READINGS", 100)
    broken = "A;kaputt;1\n"
    path = write(tmp_path, HEADER + lines(0, 150) + broken + lines(150, 1000))
    real = ingest_write
    calls = 0

    def failing(connection: psycopg.Connection, batch: Batch) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return real(connection, batch)

    monkeypatch.setattr(load, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        import_file(conn, path, NARROW, folder=tmp_path / "rejects")
    assert len(stored(conn)) == 300
    report = import_file(conn, path, NARROW, folder=tmp_path / "rejects")
    assert report.resumed_after == 302
    assert (report.written, report.duplicates, report.rows, report.rejected) == (700, 0, 1001, 1)
    assert len(stored(conn)) == 1000
    assert Path(report.rejects).read_text("utf-8-sig").count("kaputt") == 1


_KILLED = """
import sys, time
from pathlib import Path
import psycopg
import django
django.setup()
from mainzdigital.connect.files import load
from mainzdigital.connect.files.mapping import read_mapping
load.CHUNK_READINGS = 500
real = load.write
def slow(connection, batch):
    print("chunk", flush=True)
    time.sleep(0.05)
    return real(connection, batch)
load.write = slow
mapping = read_mapping(Path(sys.argv[2]).read_text(), where="test")
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    load.import_file(connection, Path(sys.argv[3]), mapping, folder=Path(sys.argv[4]))
"""


@pytest.mark.fault
def test_killed_in_the_middle_every_row_is_there_once(conn: psycopg.Connection, dsn: str, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + lines(0, 8000))
    mapping = write(tmp_path, WIDE.replace("high: 60", "high: 100000"), name="m.yaml")
    arguments = [sys.executable, "-c", _KILLED, dsn, str(mapping), str(path), str(tmp_path / "rejects")]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=os.environ.copy())
    assert child.stdout is not None
    for _ in range(6):
        assert child.stdout.readline() == b"chunk\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 10
    while not progress.lock(conn, "test-wide"):  # until the server has noticed
        assert time.monotonic() < deadline
        time.sleep(0.05)
    progress.unlock(conn, "test-wide")
    there = len(stored(conn))
    assert 0 < there < 8000
    report = import_file(conn, path, NARROW, folder=tmp_path / "rejects")
    assert report.resumed_after == there + 1
    assert report.written == 8000 - there
    assert len(set(stored(conn))) == len(stored(conn)) == 8000


def test_two_imports_of_a_source_at_once(conn: psycopg.Connection, dsn: str, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + lines(0, 3))
    with psycopg.connect(dsn, autocommit=True) as other:
        assert progress.lock(other, "test-wide")
        with pytest.raises(Conflict):
            import_file(conn, path, NARROW, folder=tmp_path)
    assert stored(conn) == []


def test_a_file_that_breaks_off_keeps_what_was_good(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "CHUNK_READINGS", 10)
    path = write(tmp_path, HEADER + lines(0, 20) + '"' + "x" * 200_000)
    with pytest.raises(InvalidInput, match="field larger"):
        import_file(conn, path, NARROW, folder=tmp_path)
    assert len(stored(conn)) == 20
