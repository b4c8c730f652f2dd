"""The air data of the Umweltbundesamt, read again and again. The server and its values are invented (uba_server)."""

import gzip
import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.config.feeds import Host, registered
from mainzdigital.config.settings import Settings, load_settings
from mainzdigital.connect.files.load import import_file
from mainzdigital.connect.files.mapping import find_mapping
from mainzdigital.connect.polled import uba_answers
from mainzdigital.connect.polled.fetch import Failed, Fetcher, retry_after
from mainzdigital.connect.polled.uba import UbaFeed
from mainzdigital.connect.polled.uba_plan import Plan
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.store import progress
from tests.connect.test_import import stored
from tests.connect.uba_server import Answer, Source, as_json, measures, serving
from tests.house.city import wait_for
from tests.house.test_feeds import hosted

GO = threading.Event()  # never set


@pytest.fixture
def source() -> Iterator[Source]:
    with serving(Source()) as found:
        yield found


def feed(dsn: str, source: Source, *stations: str, **more: Any) -> UbaFeed:
    given_ones = {"components": ("no2", "pm10"), "pause": 0.0, **more}
    return UbaFeed(dsn, Plan(stations=stations or ("9001",), address=source.address, **given_ones))


def utc(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_hours_are_those_of_mez_all_year(conn: psycopg.Connection, dsn: str, source: Source) -> None:
    source.values["9001", "5"] = {
        "2026-03-28 23:00:00": 21,
        "2026-03-28 24:00:00": 22.5,  # midnight, as the source sometimes has it
        "2026-03-29 02:00:00": "23",  # an hour that summer time leaves out
        "2026-03-29 03:00:00": None,
    }
    rows = {begin: [5, 2, value, None, "1"] for begin, value in source.values["9001", "5"].items()}
    source.override = lambda question: (
        measures("9001", 5, 2, {}) if question["component"] == "1" else as_json({"data": {"9001": rows}})
    )
    one = feed(dsn, source)
    assert one.round(GO) >= 3600
    assert stored(conn) == [
        ("9001/no2", utc(28, 22), 21.0), ("9001/no2", utc(28, 23), 22.5), ("9001/no2", utc(29, 1), 23.0),
    ]  # fmt: skip
    ends = conn.execute("SELECT more->>'end' FROM observation ORDER BY phenomenon_time").fetchall()
    assert ends[0] == ("2026-03-28T23:00:00Z",)
    thing = progress.keyed(conn, "Thing", source="uba-luft")["9001"]
    assert thing.name == "Luftmessstation Musterstadt-Mitte"
    assert thing.location == {"type": "Point", "coordinates": [8.25, 50.01]}
    assert thing.properties["positionSource"] == "Umweltbundesamt, Stationsliste"
    question = source.asked[0]
    assert (question["station"], question["component"], question["scope"]) == ("9001", "5", "2")
    assert (question["time_from"], question["time_to"], question["index"]) == ("1", "24", "id")


def test_the_same_again_changes_nothing_and_revisions_replace(
    conn: psycopg.Connection, dsn: str, source: Source
) -> None:
    source.values["9001", "5"] = {f"2026-03-01 {hour:02}:00:00": hour for hour in range(10)}
    one = feed(dsn, source)
    one.round(GO)
    before = conn.execute("SELECT id, phenomenon_time, number FROM observation ORDER BY 2").fetchall()
    told = one.told()
    assert (told.written, told.failures, told.error) == (10, 0, "")
    one.round(GO)
    assert (one.told().written, one.told().replaced) == (0, 0)
    assert conn.execute("SELECT id, phenomenon_time, number FROM observation ORDER BY 2").fetchall() == before
    source.values["9001", "5"] = {**source.values["9001", "5"], "2026-03-01 03:00:00": 33.5, "2026-03-01 10:00:00": 10}
    one.round(GO)
    assert (one.told().written, one.told().replaced) == (1, 1)
    after = conn.execute("SELECT id, phenomenon_time, number FROM observation ORDER BY 2").fetchall()
    assert [row[2] for row in after] == [0, 1, 2, 33.5, 4, 5, 6, 7, 8, 9, 10]
    assert [row[0] for row in after[:10]] == [row[0] for row in before], "ids stay"


def test_a_file_and_the_feed_are_one_source(conn: psycopg.Connection, dsn: str, source: Source, tmp_path: Path) -> None:
    path = tmp_path / "uba.csv"
    path.write_text(
        "station_name,station_id,datetime,city,no2,pm10\n"
        "Musterstadt-Mitte,9001,2026-03-01 00:00:00,Musterstadt,5,7\n"
        "Musterstadt-Mitte,9001,2026-03-01 01:00:00,Musterstadt,6,\n",
        "utf-8",
    )
    import_file(conn, path, find_mapping("uba-luft"), folder=tmp_path)
    before = stored(conn)
    source.values["9001", "5"] = {"2026-03-01 00:00:00": 5, "2026-03-01 01:00:00": 6}
    source.values["9001", "1"] = {"2026-03-01 00:00:00": 7}
    one = feed(dsn, source)
    one.round(GO)
    assert stored(conn) == before
    assert (one.told().written, one.told().replaced) == (0, 0)
    assert conn.execute("SELECT count(*) FROM datastream").fetchone() == (2,)


def test_one_round_a_day_reads_far_back(conn: psycopg.Connection, dsn: str, source: Source) -> None:
    one = feed(dsn, source, components=("no2",), days=20)
    one.round(GO)
    one.round(GO)
    spans = [
        (datetime.fromisoformat(question["date_to"]) - datetime.fromisoformat(question["date_from"])).days
        for question in source.asked
    ]
    assert spans == [20, 2]


HTML = (200, {"Content-Type": "text/html"}, b"<!DOCTYPE html><html><body>Wartungsarbeiten</body></html>")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HTML, "text/html instead of JSON"),
        ((503, {"Content-Type": "text/html"}, b"<html>"), "HTTP 503"),
        ((404, {}, b""), "HTTP 404"),
        ((200, {"Content-Type": "application/json"}, b""), "instead of JSON"),
        ((200, {"Content-Type": "application/json"}, b'{"data": {'), "instead of JSON"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), "does not answer"),
        (as_json({"error": "Parameter station ist falsch"}), "Parameter station ist falsch"),
        (as_json([1, 2]), "another form"),
        (as_json({"data": {"9001": [[5, 2, 1]]}}), "another form"),
        (as_json({"data": {"9001": {"2026-03-01 00:00:00": 5}}}), "another form"),
        ((302, {"Location": "http://192.0.2.1/elsewhere"}, b""), "sends us to http://192.0.2.1"),
    ],
)
def test_what_goes_wrong_there_is_told_and_the_rest_is_read(
    conn: psycopg.Connection, dsn: str, source: Source, answer: Answer, words: str
) -> None:
    source.override = lambda question: answer if question["component"] == "5" else None
    source.values["9001", "1"] = {"2026-03-01 00:00:00": 7}
    one = feed(dsn, source)
    waits = [one.round(GO), one.round(GO)]
    assert words in one.told().error
    assert one.told().failures == 2
    assert waits == [60, 120]
    assert stored(conn) == [("9001/pm10", datetime(2026, 2, 28, 23, tzinfo=UTC), 7.0)]
    source.override = lambda question: None
    assert one.round(GO) >= 3600
    assert (one.told().failures, one.told().error) == (0, "")
    assert one.told().success is not None


def test_it_comes_again_when_it_is_told_to(conn: psycopg.Connection, dsn: str, source: Source) -> None:
    source.override = lambda question: (429, {"Retry-After": "1800"}, b"")
    one = feed(dsn, source, "9001", "9002", components=("no2", "pm10", "o3"))
    assert one.round(GO) == 1800
    assert len(source.asked) == 3, "a source that refuses is not asked on"
    assert "less often" in one.told().error


def test_a_source_that_is_not_there(conn: psycopg.Connection, dsn: str, source: Source) -> None:
    one = UbaFeed(dsn, Plan(stations=("9001",), address="http://127.0.0.1:9/api", pause=0.0))
    assert one.round(GO) == 60
    assert "does not answer" in one.told().error
    source.stations = lambda: HTML
    one = feed(dsn, source)
    one.round(GO)
    assert "instead of JSON" in one.told().error
    assert source.asked == []


def test_an_unknown_station_is_told_and_the_others_are_read(conn: psycopg.Connection, dsn: str, source: Source) -> None:
    source.values["9002", "5"] = {"2026-03-01 00:00:00": 7}
    one = feed(dsn, source, "1", "9002")
    one.round(GO)
    assert "no station 1" in one.told().error
    assert [row[2] for row in stored(conn)] == [7.0]
    assert progress.keyed(conn, "Thing", source="uba-luft")["9002"].location is None


def test_values_that_cannot_be_are_refused_and_logged(
    conn: psycopg.Connection, dsn: str, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    source.values["9001", "5"] = {"2026-03-01 00:00:00": -999, "2026-03-01 01:00:00": 7, "2026-03-01 02:00:00": "n/a"}
    source.override = lambda question: (
        as_json({"data": {"9001": {"2026-03-01 00:00:00": [1, 1, 5, "2026-03-02 00:00:00", "0"]}}})
        if question["component"] == "1" else None
    )  # fmt: skip
    one = feed(dsn, source)
    with caplog.at_level(logging.WARNING):
        one.round(GO)
    assert [row[2] for row in stored(conn)] == [7.0]
    assert one.told().failures == 0
    assert "-999" in caplog.text
    assert "n/a" in caplog.text
    assert "1 entries of pm10" in caplog.text


def test_it_waits_while_a_file_of_the_source_is_imported(conn: psycopg.Connection, dsn: str, source: Source) -> None:
    source.values["9001", "5"] = {"2026-03-01 00:00:00": 7}
    assert progress.lock(conn, "uba-luft")
    stop = threading.Event()
    one = feed(dsn, source)
    thread = threading.Thread(target=one.run, args=(stop,))
    thread.start()
    wait_for(lambda: len(source.asked) == 2)
    assert stored(conn) == []
    progress.unlock(conn, "uba-luft")
    wait_for(lambda: len(stored(conn)) == 1)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_hosted_its_state_is_told_and_survives_a_restart(
    conn: psycopg.Connection, dsn: str, source: Source, tmp_path: Path
) -> None:
    source.values["9001", "5"] = {"2026-03-01 00:00:00": 7}
    file = tmp_path / "feeds.json"

    def state() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(file.read_text())["feeds"][0] if file.exists() else {}
        return told

    with hosted(Host([feed(dsn, source)], dsn=dsn, status_file=file)):
        wait_for(lambda: state().get("success") is not None)
        success = state()["success"]
        assert (state()["state"], state()["written"]) == ("running", 1)
    source.override = lambda question: HTML
    with hosted(Host([feed(dsn, source)], dsn=dsn, status_file=file)):
        wait_for(lambda: state().get("state") == "failing")
        assert state()["success"] == success
        assert (state()["failures"], "text/html" in state()["error"]) == (1, True)

    from prometheus_client import CollectorRegistry, generate_latest

    from mainzdigital.serve.feed_metrics import FeedMetrics

    registry = CollectorRegistry()
    registry.register(FeedMetrics(file))
    shown = generate_latest(registry).decode()
    assert 'mainzdigital_feed_failures{feed="uba-air"} 1.0' in shown
    assert 'mainzdigital_feed_last_success_timestamp_seconds{feed="uba-air"}' in shown
    file.write_text("[]")
    assert "{" not in generate_latest(registry).decode()


def city_of(folder: Path, feeds: str) -> Settings:
    text = (Path(__file__).parents[2] / "src/mainzdigital/config/mainz.toml").read_text("utf-8")
    (folder / "city.toml").write_text(text + feeds, "utf-8")
    return load_settings({"MAINZDIGITAL_HOME": str(folder), "MAINZDIGITAL_SECRET_KEY": "x" * 40})


def test_off_unless_the_city_names_stations(tmp_path: Path) -> None:
    factory = ["mainzdigital.config.polled:feeds"]
    assert registered(city_of(tmp_path, ""), factory) == ()
    (found,) = registered(city_of(tmp_path, '\n[feeds.uba_air]\nstations = ["1447"]\nminutes = 30\n'), factory)
    assert found.name == "uba-air"
    for wrong in (
        'stations = ["Mombach"]', "stations = [1447]", 'stations = ["1447", "1447"]', 'components = ["co2"]',
        "minutes = 1", "days = 4000", 'address = "ftp://example.org"', "station = []",
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            city_of(tmp_path, f"\n[feeds.uba_air]\n{wrong}\n")


def test_who_asks_is_told(source: Source) -> None:
    source.stations = lambda: (200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"data": []}'))
    answer = Fetcher("mainzDIGITAL/0 (+a@city.example)").json(f"{source.address}/stations/json")
    assert (uba_answers.stations(answer), source.agents) == ({}, {"mainzDIGITAL/0 (+a@city.example)"})
    source.stations = lambda: (200, {"Content-Encoding": "gzip"}, gzip.compress(b" " * 30_000_000))
    with pytest.raises(Failed, match="more than 20 MB"):
        Fetcher("x").json(f"{source.address}/stations/json")


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120), ("0", 0), ("99999999999999", 21_600), ("", None), ("soon", None), ("-5", None),
        ("Sun, 01 Mar 2026 12:10:00 GMT", 600), ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2037 11:00:00 GMT", 21_600),
    ],
)  # fmt: skip
def test_retry_after(text: str, seconds: int | None) -> None:
    assert retry_after(text, now=NOW) == seconds


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
    | st.sampled_from(["data", "2026-03-01 24:00:00", "date end"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["data", "indices", "9001", "2026-03-01 24:00:00", "x"]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_json)
def test_any_answer_is_understood_or_refused(answer: object) -> None:
    for read in (
        lambda: uba_answers.measures(answer, station="9001", component=5, scope=2), lambda: uba_answers.stations(answer)
    ):  # fmt: skip
        try:
            read()
        except Failed as refusal:
            assert refusal.message  # noqa: PT017 - either is right


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_every_hour_is_read(time: datetime) -> None:
    whole = time.replace(minute=0, second=0, microsecond=0)
    assert uba_answers.moment(str(whole)) == whole
    late = f"{whole.date()} 24:00:00"
    assert uba_answers.moment(late) == datetime.combine(whole.date(), datetime.min.time()) + timedelta(days=1)
