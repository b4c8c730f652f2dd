"""Parquet files in: of our own form into the datastreams of their names, any other by a declared mapping."""

import os
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mainzdigital.connect.files.load import Report, import_file, rehearse
from mainzdigital.connect.files.mapping import read_mapping
from mainzdigital.connect.files.recognise import recognise
from mainzdigital.connect.parquet import form, load, write
from mainzdigital.ingest import change
from mainzdigital.ingest import write as ingest
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.errors import Conflict, Forbidden, InvalidInput, NotFound
from mainzdigital.store import progress
from tests.connect.samples import WIDE, wide
from tests.connect.test_import import stored
from tests.store.datastreams import all_rows, make_datastreams, make_feature

OPEN = frozenset({AccessClass.OPEN})
T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def filled(conn: psycopg.Connection, count: int = 30) -> tuple[int, int]:
    one, two = make_datastreams(conn, 2)
    for stream in (one, two):
        ingest.write(conn, Batch([NewObservation(stream, T + timedelta(hours=n), float(n)) for n in range(count)]))
    return one, two


def empty(conn: psycopg.Connection) -> None:
    for table in ("observation", "datastream_latest", "rollup_hour", "rollup_day", "file_progress"):
        conn.execute(f"DELETE FROM {table}")


def put(conn: psycopg.Connection, path: Path, folder: Path) -> Report:
    return load.import_observations(conn, path, folder=folder)[0]


def edited(path: Path, target: Path, **columns: list[object]) -> Path:
    """A copy of a file with other columns and without our mark, as another program would write it."""
    table = pq.read_table(path)
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table.replace_schema_metadata(None), target)
    return target


def test_only_what_may_be_seen_is_written(conn: psycopg.Connection, tmp_path: Path) -> None:
    one, two = filled(conn)
    hidden = make_feature(conn)
    conn.execute("UPDATE feature_of_interest SET access = 'personal'")
    ingest.write(conn, Batch([NewObservation(one, T, 99.0, foi_id=hidden)]))
    conn.execute("UPDATE datastream SET access = 'internal' WHERE id = %s", (two,))
    done = write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    assert (done.observations, done.datastreams, done.hidden) == (30, 1, 1)
    assert stat.S_IMODE((tmp_path / "a.parquet").stat().st_mode) & 0o044 == 0o044
    both = write.export_file(conn, tmp_path / "b.parquet", classes={AccessClass.OPEN, AccessClass.INTERNAL})
    assert (both.observations, both.hidden) == (60, 0)
    assert stat.S_IMODE((tmp_path / "b.parquet").stat().st_mode) == 0o600
    assert write.export_file(conn, tmp_path / "c.parquet", classes=frozenset(AccessClass)).observations == 61
    conn.execute("UPDATE datastream SET foi_id = %s WHERE id = %s", (hidden, one))
    assert write.export_file(conn, tmp_path / "a.parquet", classes=OPEN).observations == 0
    conn.execute("UPDATE observed_property SET access = 'restricted'")
    assert write.export_file(conn, tmp_path / "d.parquet", classes=OPEN).hidden == 2
    with pytest.raises(Forbidden, match="restricted"):
        write.export_file(conn, tmp_path / "e.parquet", classes=OPEN, datastreams={one})
    with pytest.raises(NotFound, match="99"):
        write.export_file(conn, tmp_path / "e.parquet", classes=OPEN, datastreams={one, 99})
    assert sorted(os.listdir(tmp_path)) == ["a.parquet", "b.parquet", "c.parquet", "d.parquet"]


def test_a_period_of_a_datastream(conn: psycopg.Connection, tmp_path: Path) -> None:
    one, _ = filled(conn)
    path = tmp_path / "a.parquet"
    start, end = T + timedelta(hours=3), T + timedelta(hours=5)
    write.export_file(conn, path, classes=OPEN, datastreams={one}, start=start, end=end)
    assert pq.read_table(path).column("result").to_pylist() == [3.0, 4.0]


def test_into_datastreams_of_the_same_names(conn: psycopg.Connection, tmp_path: Path) -> None:
    one, two = filled(conn)
    path = tmp_path / "a.parquet"
    write.export_file(conn, path, classes=OPEN)
    empty(conn)
    # Here the ids mean something else: the names decide.
    conn.execute("UPDATE datastream SET name = 'swap' WHERE id = %s", (one,))
    conn.execute("UPDATE datastream SET name = 'PM10 1' WHERE id = %s", (two,))
    report = put(conn, path, tmp_path / "rejects")
    assert (report.rows, report.written, report.rejected) == (60, 30, 30)
    assert {row[0] for row in all_rows(conn)} == {two}
    assert Path(report.rejects).read_text("utf-8-sig").count("PM10 2") == 30
    conn.execute("UPDATE datastream SET name = 'PM10 2' WHERE id = %s", (one,))
    again = put(conn, path, tmp_path / "rejects")
    assert (again.written, again.duplicates, again.rejected, again.already) == (30, 30, 0, False)
    assert put(conn, path, tmp_path / "rejects").already
    make_datastreams(conn, 1)  # now "PM10 1" of "Station" are two, and neither has the id
    conn.execute("DELETE FROM file_progress")
    assert put(conn, path, tmp_path / "rejects").rejected == 30


def test_what_was_changed_or_moved_since_stays(conn: psycopg.Connection, tmp_path: Path) -> None:
    filled(conn)
    path = tmp_path / "a.parquet"
    write.export_file(conn, path, classes=OPEN)
    first, second, third = [row[3] for row in all_rows(conn)[:3]]
    change.update(conn, first, {"result": 77.0})
    change.update(conn, second, {"phenomenon_time": T + timedelta(days=400)})
    change.delete(conn, [third])
    report = put(conn, path, tmp_path)
    assert (report.written, report.duplicates) == (1, 59), "only what was deleted comes back"
    assert len(all_rows(conn)) == 60
    assert all_rows(conn)[0][4] == 77.0


def test_another_city_with_the_same_ids_is_another_city(conn: psycopg.Connection, tmp_path: Path) -> None:
    filled(conn, 1)
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    other = edited(tmp_path / "a.parquet", tmp_path / "b.parquet", result=[5.0, 0.0])
    report = put(conn, other, tmp_path)
    assert (report.written, report.duplicates) == (1, 1)


def test_a_feature_that_is_not_there_is_not_left_out(conn: psycopg.Connection, tmp_path: Path) -> None:
    (one,), feature = make_datastreams(conn, 1), make_feature(conn)
    ingest.write(conn, Batch([NewObservation(one, T, 1.0, foi_id=feature), NewObservation(one, T, 2.0)]))
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    empty(conn)
    conn.execute("UPDATE feature_of_interest SET name = 'G'")
    report = put(conn, tmp_path / "a.parquet", tmp_path)
    assert (report.written, report.rejected) == (1, 1)
    conn.execute("UPDATE feature_of_interest SET name = 'F'")
    assert put(conn, tmp_path / "a.parquet", tmp_path).written == 1


def test_rows_that_are_wrong_are_told_apart(conn: psycopg.Connection, tmp_path: Path) -> None:
    filled(conn, 2)
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    empty(conn)
    wrong = edited(
        tmp_path / "a.parquet", tmp_path / "b.parquet",
        result_json=['{"a": ', None, None, None], parameters=[None, "[1]", None, None],
        valid_start=[None, None, T, None], valid_end=[None, None, T - timedelta(1), None],
    )  # fmt: skip
    rehearsed, problems = load.import_observations(conn, wrong, folder=tmp_path, dry_run=True)
    assert (rehearsed.rows, rehearsed.written, rehearsed.rejected) == (4, 1, 3)
    assert sorted(row for row, _ in problems) == [1, 2, 3]
    assert all_rows(conn) == []
    report = put(conn, wrong, tmp_path / "rejects")
    assert (report.written, report.rejected) == (1, 3)
    lines = Path(report.rejects).read_text("utf-8-sig").splitlines()[1:]
    assert [line.split(";")[:2] for line in lines] == [["1", "result_json"], ["2", "parameters"], ["3", "result"]]


def test_an_interrupted_import_goes_on(
    conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "CHUNK_ROWS", 7)
    monkeypatch.setattr(write, "ROW_GROUP", 25)
    monkeypatch.setattr(write, "_FETCH", 5)
    filled(conn)
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    empty(conn)
    real, calls = ingest.write, 0

    def failing(connection: psycopg.Connection, batch: Batch) -> object:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return real(connection, batch)

    monkeypatch.setattr(load, "write", failing)
    with pytest.raises(KeyboardInterrupt):
        put(conn, tmp_path / "a.parquet", tmp_path)
    there = len(all_rows(conn))
    assert 0 < there < 60
    report = put(conn, tmp_path / "a.parquet", tmp_path)
    assert report.resumed_after == there
    assert (report.written, report.duplicates, report.rows) == (60 - there, 0, 60)
    assert len(all_rows(conn)) == 60


def test_two_at_once(conn: psycopg.Connection, dsn: str, tmp_path: Path) -> None:
    filled(conn)
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    with psycopg.connect(dsn, autocommit=True) as other:
        assert progress.lock(other, load.SOURCE)
        with pytest.raises(Conflict):
            put(conn, tmp_path / "a.parquet", tmp_path)


def test_damaged_files(conn: psycopg.Connection, tmp_path: Path) -> None:
    filled(conn)
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    whole = (tmp_path / "a.parquet").read_bytes()
    assert load.is_ours(tmp_path / "a.parquet")
    for name, data in {"cut": whole[:-20], "head": whole[:4], "noise": b"PAR1" + bytes(300) + b"PAR1"}.items():
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(data)
        with pytest.raises(InvalidInput, match="damaged Parquet"):
            load.is_ours(path)
        with pytest.raises(InvalidInput, match="damaged Parquet"):
            rehearse(path, wide())
    empty(conn)
    for at in range(20, len(whole) - 8, 97):
        path = tmp_path / "bit.parquet"
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            report = put(conn, path, tmp_path)
        except InvalidInput:
            continue
        assert report.rows == report.written + report.duplicates + report.rejected
    naive = pq.read_table(tmp_path / "a.parquet")
    at = naive.schema.get_field_index("phenomenon_time")
    naive = naive.set_column(at, "phenomenon_time", naive.column(at).cast(pa.timestamp("us")))
    pq.write_table(naive, tmp_path / "naive.parquet")
    with pytest.raises(InvalidInput, match="time zone"):
        put(conn, tmp_path / "naive.parquet", tmp_path)


MAPPED = read_mapping(
    WIDE.replace('form: "%d.%m.%Y %H:%M"', "form: iso").replace("high: 60", "high: 1000000.0"), where="t"
)


def test_any_parquet_by_a_mapping(conn: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "any.parquet"
    times = [datetime(2024, 7, 1, hour, tzinfo=UTC).replace(tzinfo=None) for hour in range(4)]
    table = pa.table(
        {
            "station": pa.array(["A", "A", "B", "B"]).dictionary_encode(),
            "zeit": pa.array(times, pa.timestamp("ns")),
            "temp": pa.array([1.5, float("nan"), None, 1e300]),
            "more": pa.array([{"a": 1}, None, None, None]),
        }
    )
    pq.write_table(table, path, row_group_size=3)
    assert recognise(path, [MAPPED]) is MAPPED
    assert not load.is_ours(path)
    outcome, problems = rehearse(path, MAPPED)
    assert (outcome.rows, outcome.written, outcome.gaps, outcome.rejected) == (4, 1, 2, 1)
    assert [(row, problem.column) for row, problem in problems] == [(4, "temp")]
    report = import_file(conn, path, MAPPED, folder=tmp_path)
    assert (report.written, report.things_new, report.rejected) == (1, 2, 1)
    # Without a zone in the file the mapping's holds: Europe/Berlin, summer.
    assert stored(conn) == [("A/temp", datetime(2024, 6, 30, 22, tzinfo=UTC), 1.5)]
    assert import_file(conn, path, MAPPED, folder=tmp_path).already


def test_cells_of_every_type_that_parquet_has(conn: psycopg.Connection, tmp_path: Path) -> None:
    text = WIDE.replace('form: "%d.%m.%Y %H:%M"', "form: iso").replace('decimal: ","', 'decimal: "."')
    mapping = read_mapping(text, where="t")
    moment = datetime(2024, 7, 1, 12, tzinfo=UTC)
    for number, values in enumerate(
        (
            pa.array([Decimal("12.5")], pa.decimal128(10, 3)), pa.array([12], pa.int8()),
            pa.array([12.5], pa.float32()), pa.array(["12.5"], pa.large_string()), pa.array([b"12.5"]),
        )
    ):  # fmt: skip
        path = tmp_path / f"{number}.parquet"
        time = pa.array([moment + timedelta(hours=number)], pa.timestamp("ms", tz="Europe/Berlin"))
        pq.write_table(pa.table({"station": pa.array(["A"]), "zeit": time, "temp": values}), path)
        assert import_file(conn, path, mapping, folder=tmp_path).written == 1, values.type
    assert [at for _, at, _ in stored(conn)] == [moment + timedelta(hours=number) for number in range(5)]
    bools = tmp_path / "bool.parquet"
    pq.write_table(pa.table({"station": ["A"], "zeit": pa.array([moment]), "temp": [True]}), bools)
    assert import_file(conn, bools, mapping, folder=tmp_path).rejected == 1


def test_the_columns_are_told(tmp_path: Path, conn: psycopg.Connection) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"station": ["A"]}), path)
    with pytest.raises(InvalidInput, match="'zeit' missing"):
        import_file(conn, path, MAPPED, folder=tmp_path)
    assert form.is_ours(form.schema("x"))
