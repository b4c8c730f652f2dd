"""What was exported is what comes back, to the last bit."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainzdigital.connect.files.load import Report
from mainzdigital.connect.parquet import load, write
from mainzdigital.ingest import write as ingest
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.time import Interval
from mainzdigital.store import maintenance
from tests.conftest import empty_tables
from tests.store.datastreams import all_rows, assert_consistent, make_datastreams, make_feature

OPEN = frozenset({AccessClass.OPEN})
_BEGIN = datetime(2024, 3, 31, 0, 30, tzinfo=UTC)
_texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e15, 1e15) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_objects = st.dictionaries(_texts, _json, max_size=3)
_results = st.one_of(
    st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**80), 2**80), _texts,
    _objects, st.lists(_json, max_size=3), st.sampled_from([-0.0, 1.5e300, 2**53 + 1, 5e-324, "", "true", "1"]),
)  # fmt: skip
_times = st.integers(0, 5).map(lambda step: _BEGIN + timedelta(microseconds=step * 1_800_000_001))


@st.composite
def _observations(draw: st.DrawFn) -> NewObservation:
    start = draw(_times)
    length = draw(st.none() | st.integers(0, 10**12).map(lambda micros: timedelta(microseconds=micros)))
    valid = draw(st.none() | st.integers(0, 10**12).map(lambda micros: timedelta(microseconds=micros)))
    return NewObservation(
        draw(st.integers(0, 1)),
        start if length is None else Interval(start, start + length),
        draw(_results),
        result_time=draw(st.none() | _times),
        foi_id=draw(st.sampled_from([None, None, 1])),
        quality=draw(st.none() | _json),
        valid_time=None if valid is None else Interval(start, start + valid),
        parameters=draw(st.none() | _objects),
        key=draw(st.none() | _texts),
    )


def bare(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """The rows without their ids and keys; numbers by their bits."""
    return [
        (
            datastream, time, seq, None if number is None else number.hex(), result_time, foi,
            {name: value for name, value in (more or {}).items() if name != "key"},
        )
        for datastream, time, seq, _, number, result_time, foi, more in all_rows(connection)
    ]  # fmt: skip


def bring_back(connection: psycopg.Connection, path: Path, folder: Path) -> Report:
    report, _ = load.import_observations(connection, path, folder=folder)
    return report


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(given_ones=st.lists(_observations(), min_size=1, max_size=12))
def test_every_observation_comes_back_as_it_was(
    conn: psycopg.Connection, tmp_path: Path, given_ones: list[NewObservation]
) -> None:
    empty_tables(conn)
    streams, feature = make_datastreams(conn, 2), make_feature(conn)
    for one in given_ones:
        one.datastream_id = streams[one.datastream_id]
        one.foi_id = feature if one.foi_id else None
    written = ingest.write(conn, Batch(given_ones))
    assert written.rejected == []
    before, path = bare(conn), tmp_path / "a.parquet"
    done = write.export_file(conn, path, classes=OPEN)
    assert (done.observations, done.hidden) == (written.written, 0)
    # Into the city it came from: everything is there.
    report = bring_back(conn, path, tmp_path)
    assert (report.rows, report.written, report.duplicates, report.rejected) == (len(before), 0, len(before), 0)
    conn.execute("DELETE FROM observation")
    conn.execute("DELETE FROM datastream_latest")
    conn.execute("DELETE FROM rollup_hour")
    conn.execute("DELETE FROM rollup_day")
    conn.execute("DELETE FROM file_progress")
    report = bring_back(conn, path, tmp_path)
    assert (report.written, report.rejected) == (len(before), 0)
    assert bare(conn) == before
    maintenance.repair_rollups(conn)
    assert_consistent(conn)
    # A file made now overlaps wholly, its keys are known.
    write.export_file(conn, tmp_path / "b.parquet", classes=OPEN)
    assert bring_back(conn, tmp_path / "b.parquet", tmp_path).written == 0
    conn.execute("DELETE FROM file_progress")
    assert bring_back(conn, path, tmp_path).written == 0
    assert bare(conn) == before


def test_the_file_for_other_programs(conn: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ROW_GROUP", 40)
    one, two = make_datastreams(conn, 2)
    ingest.write(conn, Batch([NewObservation(two, _BEGIN + timedelta(hours=n), float(n)) for n in reversed(range(50))]))
    ingest.write(conn, Batch([NewObservation(one, _BEGIN + timedelta(hours=n), float(-n)) for n in range(50)]))
    ingest.write(conn, Batch([NewObservation(one, _BEGIN, "laut"), NewObservation(one, _BEGIN, 2**53 + 1)]))
    write.export_file(conn, tmp_path / "a.parquet", classes=OPEN)
    table = pq.read_table(tmp_path / "a.parquet")
    rows = table.select(["datastream", "phenomenon_time", "result"]).to_pylist()
    order = [(row["datastream"], row["phenomenon_time"]) for row in rows]
    assert order == sorted(order)
    assert [row["result"] for row in rows if row["datastream"] == two] == [float(n) for n in range(50)]
    assert {row["phenomenon_time"].tzinfo is not None for row in rows} == {True}
    first = table.slice(0, 3).to_pylist()
    assert [row["result_text"] for row in first] == [None, "laut", None]
    assert [row["result_json"] for row in first] == [None, None, "9007199254740993"]
    assert (first[0]["thing"], first[0]["name"], first[0]["unit"]) == ("Station", "PM10 1", "µg/m³")
    meta = pq.ParquetFile(tmp_path / "a.parquet").metadata
    assert meta.num_row_groups > 1
    assert [column.column_index for column in meta.row_group(0).sorting_columns] == [0, 5]
    assert math.isclose(sum(row["result"] or 0 for row in rows), 2**53)
