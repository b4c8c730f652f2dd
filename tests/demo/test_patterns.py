"""The simulated city is plausible, and the same in every run."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainzdigital.connect.simulator import calendar, weather
from mainzdigital.connect.simulator.generate import day_points, live_value
from mainzdigital.connect.simulator.patterns import PATTERNS, Stream

YEAR = date(2026, 1, 1).toordinal()
CHARACTERS = {"parking": "shop", "bicycles": "commuter"}


def stream(pattern: str, *, minutes: int = 60, level: float = 20, key: str = "x", character: str = "") -> Stream:
    return Stream(key, pattern, minutes, 0, level, character or CHARACTERS.get(pattern, ""))


def values(one: Stream, day: date) -> list[float]:
    """The pattern itself, without faults."""
    ordinal = day.toordinal()
    return PATTERNS[one.pattern](one, weather.sky(ordinal), weather.seeded(one.key, ordinal))


# Rain is known by quarter hours.
_COMBINED = [
    (name, minutes) for name in sorted(PATTERNS) for minutes in (5, 15, 60, 120) if (name, minutes) != ("rain", 5)
]


@pytest.mark.parametrize(("pattern", "minutes"), _COMBINED)
def test_every_pattern_gives_a_finite_value_for_every_step(pattern: str, minutes: int) -> None:
    one = stream(pattern, minutes=minutes)
    for day in range(YEAR, YEAR + 30):
        points = day_points(one, day)
        assert all(abs(value) < 10_000 for _, value, _ in points)
        seconds = [second for second, _, _ in points]
        assert seconds == sorted(set(seconds))
        assert all(second % (minutes * 60) == 0 for second in seconds)


def test_another_process_makes_the_same_city() -> None:
    program = (
        "from mainzdigital.connect.simulator.generate import day_points;"
        "from mainzdigital.connect.simulator.patterns import Stream;"
        f"print(day_points(Stream('a','no2',60,0,30.0), {YEAR}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(day_points(Stream("a", "no2", 60, 0, 30.0), YEAR))


def test_the_year_has_seasons_and_about_the_rain_of_mainz() -> None:
    days = [weather.sky(YEAR + day) for day in range(365)]
    january, july = (mean(mean(day.temperature) for day in days[first : first + 28]) for first in (0, 190))
    assert january < 6
    assert 16 < july < 25
    assert 400 < sum(sum(day.rain) for day in days) < 900
    assert 80 < sum(sum(day.rain) > 0.5 for day in days) < 180
    assert all(0 <= humidity <= 100 for day in days for humidity in day.humidity)


def test_weather_runs_on_over_midnight() -> None:
    jumps = [
        abs(weather.sky(day).temperature[0] - weather.sky(day - 1).temperature[-1]) for day in range(YEAR, YEAR + 200)
    ]
    within = [
        abs(after - before)
        for day in range(YEAR, YEAR + 50)
        for before, after in pairwise(weather.sky(day).temperature)
    ]
    assert mean(jumps) < 4 * mean(within)


def test_commuters_ride_on_working_days_and_less_in_the_rain() -> None:
    one = stream("bicycles", minutes=15, level=4000)
    monday, sunday = date(2026, 6, 8), date(2026, 6, 14)
    assert sum(values(one, monday)) > 1.5 * sum(values(one, sunday))
    summer = [YEAR + day for day in range(120, 270) if weather.sky(YEAR + day).work[48] == 1.0]
    wet = [day for day in summer if sum(weather.rain_of(day)[20:76]) > 4]
    dry = [day for day in summer if sum(weather.rain_of(day)) == 0]
    assert wet
    assert mean(sum(values(one, date.fromordinal(day))) for day in wet) < 0.85 * mean(
        sum(values(one, date.fromordinal(day))) for day in dry
    )


def test_ozone_and_nitrogen_dioxide_have_their_seasons() -> None:
    def of(pattern: str, first: int) -> float:
        one = stream(pattern, level=30)
        return mean(mean(values(one, date.fromordinal(YEAR + first + day))) for day in range(28))

    assert of("ozone", 190) > 1.5 * of("ozone", 0)
    assert of("no2", 0) > of("no2", 190)


def test_new_year_is_dusty_at_midnight_in_mainz() -> None:
    last_hours = values(stream("particles"), date(2025, 12, 31))[21:]
    assert last_hours[2] > 5 * last_hours[0]


@given(st.integers(3, 20), st.integers(0, 40))
@settings(max_examples=25, deadline=None)
def test_containers_fill_up_and_are_emptied_every_cycle(length: int, number: int) -> None:
    one = stream("container", minutes=120, level=length, key=f"container/{number}")
    levels = [value for day in range(3 * length) for value in values(one, date.fromordinal(YEAR + day))]
    drops = [before - after for before, after in pairwise(levels) if before - after > 20]
    assert 2 <= len(drops) <= 4
    assert all(0 <= level <= 100 for level in levels)


@given(st.integers(0, 364), st.sampled_from(["shop", "office", "station", "stadium"]))
@settings(max_examples=40, deadline=None)
def test_car_parks_never_have_more_free_spaces_than_spaces(day: int, character: str) -> None:
    one = stream("parking", minutes=10, level=440, character=character)
    assert all(0 <= value <= 440 for value in values(one, date.fromordinal(YEAR + day)))


def test_about_one_stream_in_a_hundred_is_silent() -> None:
    silent = sum(
        not day_points(stream("soil", key=f"s{number}"), YEAR + day * 3) for number in range(200) for day in range(20)
    )
    assert 10 < silent < 120


@given(st.integers(0, 86_399), st.integers(0, 60))
@settings(deadline=None)
def test_the_live_value_is_the_stored_one_at_its_moment_and_between_its_neighbours(second: int, day: int) -> None:
    one = Stream("live", "parking", 10, 60, 400, "shop", 137)
    at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day, seconds=second)
    points = day_points(one, at.date().toordinal())
    found = live_value(one, at)
    here = [value for moment, value, _ in points if moment == second]
    if here:
        assert found is not None
        assert found[0] == here[0]
    before = [point for point in points if second - 600 <= point[0] <= second]
    after = [point for point in points if second <= point[0] <= second + 600]
    if found and before and after:
        low, high = sorted((before[-1][1], after[0][1]))
        assert low <= found[0] <= high


@pytest.mark.parametrize(
    ("day", "is_holiday"),
    [
        ("2026-04-03", True), ("2026-04-06", True), ("2026-05-14", True), ("2026-05-25", True), ("2026-06-04", True),
        ("2026-10-03", True), ("2026-11-01", True), ("2026-11-18", False), ("2026-01-06", False), ("2026-10-31", False),
    ],
)  # fmt: skip
def test_public_holidays_of_rheinland_pfalz(day: str, is_holiday: bool) -> None:
    assert (date.fromisoformat(day) in calendar.public_holidays(2026)) is is_holiday


def test_carnival_and_school_holidays() -> None:
    assert calendar.is_carnival(date(2026, 2, 16))
    assert not calendar.is_carnival(date(2026, 2, 17))
    assert calendar.is_school_holiday(date(2026, 7, 1))
    assert not calendar.is_school_holiday(date(2026, 9, 1))
    assert calendar.workday(date(2026, 9, 1)) == 1.0
