"""The demo city in the database: furnished, filled and fed, each value once."""

import json
import threading
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest
from shapely.geometry import Point, shape

from mainzdigital.config.city import load_city
from mainzdigital.config.demo import prepare
from mainzdigital.config.demo.feed import FOLDER, MARK, feeds
from mainzdigital.config.settings import load_settings, settings
from mainzdigital.connect.simulator import feed, fill, furnish
from mainzdigital.connect.simulator.plan import Plan, load_plan
from mainzdigital.kernel.access import ANONYMOUS, AccessClass
from mainzdigital.store import progress

DAY = 86_400
START = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(FOLDER)


def total(connection: psycopg.Connection) -> tuple[int, int]:
    row = connection.execute(
        "SELECT count(*), count(DISTINCT (datastream_id, phenomenon_time)) FROM observation"
    ).fetchone()
    assert row is not None
    return row


def test_the_plan_says_that_it_is_simulated_and_keeps_some_things_closed(plan: Plan) -> None:
    assert all((thing.properties["simulated"] is True and "(simuliert)" in thing.description) or
               "simuliert" in thing.description for thing in plan.things)  # fmt: skip
    closed = {thing.key for thing in plan.things if thing.access is not AccessClass.OPEN}
    assert len(closed) == 4
    kinds = [str(thing.properties["kind"]) for thing in plan.things]
    assert kinds.count("usedclothescontainer") >= 40
    assert kinds.count("bicyclecounter") == 12


def test_things_stand_in_districts_inside_the_schematic_boundary(plan: Plan) -> None:
    boundary = json.loads((FOLDER / "boundary-schematic.geojson").read_text("utf-8"))["features"][0]
    assert boundary["properties"]["schematic"] is True
    area = shape(boundary["geometry"]).buffer(0.006)
    city = load_city(FOLDER.parent / "mainz.toml")
    districts = {district.name for district in city.districts}
    assert len(districts) == 15
    assert {thing.properties["district"] for thing in plan.things} <= districts
    assert [thing.key for thing in plan.things if not area.contains(Point(thing.point))] == []
    assert [district.name for district in city.districts if not area.contains(Point(district.point))] == []
    assert (FOLDER.parent / city.map.boundary).is_file()


@pytest.mark.realdata
def test_things_stand_inside_the_real_boundary(plan: Plan, realdata: Path) -> None:
    feature = prepare.find_boundary(realdata, "Mainz")
    assert feature is not None
    area = shape(feature["geometry"])
    assert [thing.key for thing in plan.things if not area.contains(Point(thing.point))] == []
    districts = load_city(FOLDER.parent / "mainz.toml").districts
    assert [district.name for district in districts if not area.contains(Point(district.point))] == []


def test_furnishing_twice_makes_nothing_new(conn: psycopg.Connection, plan: Plan) -> None:
    streams = furnish.furnish(conn, plan)
    assert furnish.is_furnished(conn, plan)
    counts = [conn.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("thing", "datastream", "location")]
    assert furnish.furnish(conn, plan) == streams == furnish.furnished(conn, plan)
    assert counts == [
        conn.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("thing", "datastream", "location")
    ]
    assert counts[0] == (len(plan.things),)
    row = conn.execute(
        "SELECT count(*) FROM datastream WHERE access = 'open' AND properties->>'simulated' = 'true'"
    ).fetchone()
    assert row == (len(streams) - 6,)  # the closed things have six datastreams
    assert ANONYMOUS.classes == frozenset({AccessClass.OPEN})


def test_the_past_is_filled_once_and_goes_on_after_an_interruption(conn: psycopg.Connection, plan: Plan) -> None:
    streams = furnish.furnish(conn, plan)
    until = START + 6 * DAY + 5000
    wanted = sum(1 for _ in fill.observations(streams, START, until))
    steps = iter([True, False])
    fill.fill_shard(
        conn, 0, streams, start=START, until=until, advance=lambda _: None, is_wanted=lambda: next(steps, False)
    )
    position = fill.position_of(conn, 0)
    assert position is not None
    assert START < position < until
    for shard in range(furnish.SHARDS):
        fill.fill_shard(conn, shard, streams, start=START, until=until, advance=lambda _: None)
    assert total(conn) == (wanted, wanted)
    for shard in range(furnish.SHARDS):
        assert fill.fill_shard(conn, shard, streams, start=START, until=until, advance=lambda _: None) == 0
    assert wanted > 40_000


def test_spans_meet_without_gap_or_overlap(conn: psycopg.Connection, plan: Plan) -> None:
    streams = furnish.furnish(conn, plan)
    cuts = [START, START + 1, START + 3_600, START + DAY - 1, START + DAY + 7, START + 2 * DAY]
    parts = [
        (one.datastream_id, one.phenomenon_time)
        for first, last in pairwise(cuts)
        for one in fill.observations(streams, first, last)
    ]
    whole = [(one.datastream_id, one.phenomenon_time) for one in fill.observations(streams, cuts[0], cuts[-1])]
    assert sorted(parts, key=str) == sorted(whole, key=str)


def test_two_processes_fill_together(conn: psycopg.Connection, dsn: str, plan: Plan) -> None:
    streams = furnish.furnish(conn, plan)
    counted: list[int] = []
    fill.fill(dsn, streams, start=START, until=START + 2 * DAY, advance=counted.append)
    assert total(conn) == (sum(counted), sum(counted))
    shards = {row[0] for row in conn.execute("SELECT DISTINCT datastream_id % 2 FROM observation").fetchall()}
    assert shards == {0, 1}


def test_the_live_feed_adds_a_little_often_and_fills_a_pause(conn: psycopg.Connection, plan: Plan) -> None:
    streams = furnish.furnish(conn, plan)
    for shard in range(furnish.SHARDS):
        fill.fill_shard(conn, shard, streams, start=START, until=START + 40_000, advance=lambda _: None)
    base, _ = total(conn)
    added = [feed.tick(conn, streams, START + 40_000 + second) for second in range(10, 310, 10)]
    assert sum(1 for count in added if count) > 25
    assert 60 < sum(added) < 400
    after_pause = feed.tick(conn, streams, START + 40_310 + 3 * 3_600)
    assert after_pause > 500
    assert feed.tick(conn, streams, START + 40_310 + 3 * 3_600) == 0
    assert total(conn) == (base + sum(added) + after_pause,) * 2


def test_the_feed_runs_until_it_is_stopped(conn: psycopg.Connection, dsn: str, plan: Plan) -> None:
    furnish.furnish(conn, plan)
    stop = threading.Event()
    thread = threading.Thread(target=feed.SimulatorFeed(dsn, plan, seconds=0.05).run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 30
    while total(conn)[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert total(conn)[0] > 0
    assert progress.lock(conn, "simulator")


def test_only_a_demo_home_has_the_feed(tmp_path: Path) -> None:
    home = load_settings({"MAINZDIGITAL_HOME": str(tmp_path), "MAINZDIGITAL_SECRET_KEY": "x" * 40})
    assert list(feeds(home)) == []
    prepare.Marks(plan="x", filled=True).save(tmp_path)
    assert [one.name for one in feeds(home)] == ["simulator"]
    assert (tmp_path / MARK).stat().st_mode & 0o077 == 0


@pytest.mark.realdata
def test_the_boundary_comes_from_the_data_where_it_is_there(realdata: Path, tmp_path: Path) -> None:
    from mainzdigital.config.report import Report

    environment = {"MAINZDIGITAL_HOME": str(tmp_path), "MAINZDIGITAL_SECRET_KEY": "x" * 40}
    before = load_settings(environment)
    assert "schematisch" in before.city.map.attribution
    assert prepare.take_boundary(before, realdata, report=Report(as_json=False))
    after = load_settings(environment)
    assert after.city.map.attribution == "Stadtgrenze: © GeoBasis-DE / BKG, dl-de/by-2-0"
    boundary = json.loads((after.city_file.parent / after.city.map.boundary).read_text("utf-8"))
    assert boundary["features"][0]["properties"]["GEN"] == "Mainz"
    assert shape(boundary["features"][0]["geometry"]).contains(Point(8.2738, 49.9989))


def test_accounts_are_made_once(db: psycopg.Connection) -> None:
    from django.contrib.auth import authenticate

    from mainzdigital.config.demo.accounts import ensure_accounts

    made = ensure_accounts({})
    assert list(made) == ["buergerin", "sachbearbeitung", "datenverwaltung", "leitung", "admin"]
    assert ensure_accounts(made) == made
    assert ensure_accounts({}) == {}
    account = authenticate(username="leitung", password=made["leitung"])
    assert account is not None
    assert settings().city.name == "Mainz"
