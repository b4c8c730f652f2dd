"""The real files, counted to the row."""

import csv
import threading
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from mainzdigital.connect.files.load import Report, import_file, rehearse
from mainzdigital.connect.files.mapping import find_mapping, shipped
from mainzdigital.connect.files.recognise import walk
from mainzdigital.connect.polled.uba import UbaFeed
from mainzdigital.connect.polled.uba_plan import Plan
from mainzdigital.store import progress
from tests.connect.uba_server import Source, as_json, serving

pytestmark = pytest.mark.realdata

AIR = "04-environment-traffic/luftqualitaet/uba_stundenwerte_2024-01_mainz_wiesbaden.csv"
COUNTERS = "04-environment-traffic/muenster-radzaehlung"
REGISTER = "03-sharing-parking-ev/ev/bnetza_ladesaeulen_2019-07-19"


def value(connection: psycopg.Connection, datastream: str, at: datetime) -> tuple[object, ...] | None:
    return connection.execute(
        "SELECT o.number, o.more->'quality' FROM observation o JOIN datastream d ON d.id = o.datastream_id "
        "WHERE d.properties->'origin'->>'key' = %s AND o.phenomenon_time = %s",
        (datastream, at),
    ).fetchone()


def count(connection: psycopg.Connection, datastream: str) -> int:
    row = connection.execute(
        "SELECT count(*) FROM observation o JOIN datastream d ON d.id = o.datastream_id "
        "WHERE d.properties->'origin'->>'key' = %s",
        (datastream,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_hourly_air_quality(conn: psycopg.Connection, realdata: Path, tmp_path: Path) -> None:
    mapping = find_mapping("uba-luft")
    report = import_file(conn, realdata / AIR, mapping, folder=tmp_path)
    assert (report.rows, report.written, report.gaps, report.rejected) == (1341, 2873, 1150, 0)
    assert (report.things_new, report.without_location) == (7, 2)
    # Mainz-Mombach: 192 hours, one without NO2; Mainz-Rheinallee measures only NO2 and misses three hours.
    assert [count(conn, f"1444/{code}") for code in ("no2", "pm10", "o3")] == [191, 192, 192]
    assert [count(conn, f"1448/{code}") for code in ("no2", "pm10", "o3")] == [189, 0, 0]
    # 2024-01-01 00:00 is MEZ, and begins the hour: NO2 17 in the hour of the fireworks, 4 after it.
    assert value(conn, "1444/no2", datetime(2023, 12, 31, 23, tzinfo=UTC)) == (17.0, None)
    assert value(conn, "1444/no2", datetime(2024, 1, 1, 0, tzinfo=UTC)) == (4.0, None)
    # The moving mean loses the fireworks exactly 24 hours later.
    assert value(conn, "1444/pm10", datetime(2024, 1, 1, 22, tzinfo=UTC)) == (27.0, None)
    assert value(conn, "1444/pm10", datetime(2024, 1, 1, 23, tzinfo=UTC)) == (18.0, None)
    assert import_file(conn, realdata / AIR, mapping, folder=tmp_path).already


def test_the_places_of_the_mainz_stations(conn: psycopg.Connection, realdata: Path, tmp_path: Path) -> None:
    import_file(conn, realdata / AIR, find_mapping("uba-luft"), folder=tmp_path)
    things = progress.keyed(conn, "Thing", source="uba-luft")
    assert {key for key, thing in things.items() if thing.location} == {"1444", "1446", "1447", "1448", "665"}
    assert {key for key, thing in things.items() if thing.properties.get("positionApproximate")} == {"1444", "1448"}
    assert things["1447"].location == {"type": "Point", "coordinates": [8.261277, 50.000973]}
    assert things["1447"].properties["kind"] == "airquality"


def counters(connection: psycopg.Connection, realdata: Path, folder: Path, *names: str) -> list[Report]:
    mapping = find_mapping("radzaehlung")
    return [import_file(connection, realdata / COUNTERS / name, mapping, folder=folder) for name in names]


def test_clock_change_in_spring(conn: psycopg.Connection, realdata: Path, tmp_path: Path) -> None:
    (report,) = counters(conn, realdata, tmp_path, "300037926/2025-03.csv")
    assert (report.rows, report.written, report.gaps, report.rejected) == (2876, 8628, 40264, 0)
    # 01:45 CET is followed by 03:00 CEST a quarter of an hour later.
    assert value(conn, "300037926/300037926", datetime(2025, 3, 30, 0, 45, tzinfo=UTC)) == (7.0, {"status": 0})
    assert value(conn, "300037926/300037926", datetime(2025, 3, 30, 1, 0, tzinfo=UTC)) == (7.0, {"status": 0})
    assert value(conn, "300037926/353413831", datetime(2025, 3, 30, 1, 15, tzinfo=UTC)) == (2.0, {"status": 0})


def test_clock_change_in_autumn(conn: psycopg.Connection, realdata: Path, tmp_path: Path) -> None:
    (report,) = counters(conn, realdata, tmp_path, "100031300/2024-10.csv")
    assert (report.rows, report.written, report.gaps, report.rejected) == (2880, 8640, 0, 0)
    note = {"status": 0, "clockChange": "hour occurs twice in this night, once in the file"}
    assert value(conn, "100031300/100031300", datetime(2024, 10, 26, 23, 45, tzinfo=UTC)) == (40.0, {"status": 0})
    assert value(conn, "100031300/100031300", datetime(2024, 10, 27, 0, 0, tzinfo=UTC)) == (55.0, note)
    assert value(conn, "100031300/100031300", datetime(2024, 10, 27, 1, 0, tzinfo=UTC)) is None
    assert value(conn, "100031300/100031300", datetime(2024, 10, 27, 2, 0, tzinfo=UTC)) == (37.0, {"status": 0})


def test_channels_that_vanish_and_are_renamed(conn: psycopg.Connection, realdata: Path, tmp_path: Path) -> None:
    names = ("300037926/2025-05.csv", "300037926/2025-06.csv", "300037926/2025-08.csv")
    reports = counters(conn, realdata, tmp_path, *names)
    # One row of 2025-08 is missing; 2025-07-31 01:45 is the last.
    assert [report.rows for report in reports] == [2880, 2792, 2887]
    assert [report.written for report in reports] == [3 * 2880, 3 * 2792, 3 * 2887]
    assert [report.datastreams_new for report in reports] == [3, 0, 0]
    names_now = {known.name for known in progress.keyed(conn, "Datastream", source="radzaehlung").values()}
    assert names_now == {"Bohlweg", "Bohlweg Fahrräder Stadteinwärts", "Bohlweg Fahrräder Stadtauswärts"}


def test_the_register_of_charging_stations(conn: psycopg.Connection, realdata: Path, tmp_path: Path) -> None:
    mapping = find_mapping("ladesaeulen")
    city = (8.14, 49.89, 8.35, 50.04)
    whole = import_file(conn, realdata / f"{REGISTER}.xlsx", mapping, folder=tmp_path / "rejects", within=city)
    assert (whole.rows, whole.rejected, whole.things_new) == (9690, 1, 38)
    assert whole.outside == 9690 - 38 - 1
    text = Path(whole.rejects).read_text("utf-8-sig").splitlines()
    assert len(text) == 2
    assert text[1].startswith("8714;")
    assert "15.592092 / 50.681519" in text[1]
    things = progress.keyed(conn, "Thing", source="ladesaeulen")
    one = things["Mainzer Stadtwerke AG|Balthasar-Maler-Platz|55116 Mainz|2017-08-24"]
    assert one.location == {"type": "Point", "coordinates": [8.265918, 50.003045]}
    assert {key: one.properties[key] for key in ("power", "points", "since", "kind")} == {
        "power": 44, "points": 2, "since": "2017-08-24", "kind": "chargingstation",
    }  # fmt: skip
    # The cut CSV holds the same entries with the same keys: nothing is made, nothing changes.
    cut = import_file(conn, realdata / f"{REGISTER}_mainz.csv", mapping, folder=tmp_path)
    assert (cut.rows, cut.things_new, cut.things_changed, cut.rejected) == (26, 0, 0, 0)


def test_the_whole_register_can_be_rehearsed(realdata: Path) -> None:
    report, problems = rehearse(realdata / f"{REGISTER}.xlsx", find_mapping("ladesaeulen"))
    assert (report.rows, report.things_new, report.rejected) == (9690, 9689, 1)
    assert [row for row, _ in problems] == [8714]


def test_all_files_are_known_by_their_columns(realdata: Path) -> None:
    found = walk(realdata, shipped().values())
    names = [mapping.name for _, mapping in found.files]
    assert {name: names.count(name) for name in set(names)} == {"radzaehlung": 60, "ladesaeulen": 3, "uba-luft": 1}
    assert found.skipped > 100


def test_the_feed_gives_the_same_hours_as_the_file(
    conn: psycopg.Connection, dsn: str, realdata: Path, tmp_path: Path
) -> None:
    """What the file says, told once more in the form of the API: nothing is new, nothing is another value."""
    import_file(conn, realdata / AIR, find_mapping("uba-luft"), folder=tmp_path)
    before = conn.execute(
        "SELECT id, datastream_id, phenomenon_time, number, more FROM observation ORDER BY 1"
    ).fetchall()
    source = Source()
    with (realdata / AIR).open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            for column, component in (("no2", "5"), ("pm10", "1"), ("o3", "3")):
                if row[column] not in ("", "-"):
                    values = source.values.setdefault((row["station_id"], component), {})
                    assert isinstance(values, dict)
                    values[row["datetime"]] = float(row[column])
    names = {row[0]: row[1] for row in conn.execute(
        "SELECT properties->>'stationId', properties->>'stationName' FROM thing").fetchall()}  # fmt: skip
    table = {number: [number, "", name, "", "", "", None, None, None] for number, name in names.items()}
    source.stations = lambda: as_json({"data": table})
    with serving(source):
        feed = UbaFeed(dsn, Plan(stations=tuple(names), address=source.address, pause=0.0))
        feed.round(threading.Event())
    assert (feed.told().failures, feed.told().written, feed.told().replaced) == (0, 0, 0)
    after = conn.execute(
        "SELECT id, datastream_id, phenomenon_time, number, more FROM observation ORDER BY 1"
    ).fetchall()
    assert after == before
