"""The city's weather in quarter hours: one sky for all streams, so that rain shows everywhere at once.

Climate: means and spread near those of the DWD for Mainz (1991–2020: 11.0 °C, about 590 mm a year); invented in detail.
"""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

from mainzdigital.connect.simulator import calendar

STEPS = 96  # quarter hours of a UTC day
ZONE = ZoneInfo("Europe/Berlin")
SEED = "mainzdigital-1"


def seeded(*words: object) -> Random:
    """The random numbers that belong to these words, the same in every run and process."""
    return Random("/".join([SEED, *map(str, words)]))  # noqa: S311 a simulation, no secret


def noise(name: str, position: float) -> float:
    """Smooth noise in -1…1 over any real position: interpolated between random values at whole numbers."""
    whole = math.floor(position)
    part = position - whole
    part = part * part * (3 - 2 * part)
    return _lattice(name, whole) * (1 - part) + _lattice(name, whole + 1) * part


@lru_cache(200_000)
def _lattice(name: str, whole: int) -> float:
    return seeded(name, whole).uniform(-1, 1)


@dataclass(frozen=True, slots=True)
class Sky:
    """One UTC day in 96 quarter hours: °C, mm per quarter hour, m/s, %, hPa, sun 0…1; local hour and kind of day."""

    day: date
    temperature: tuple[float, ...]
    rain: tuple[float, ...]
    wind: tuple[float, ...]
    humidity: tuple[float, ...]
    pressure: tuple[float, ...]
    sun: tuple[float, ...]
    hour: tuple[float, ...]
    work: tuple[float, ...]
    school: tuple[bool, ...]
    inversion: float  # 0…1: still, cold air that keeps pollutants down


@lru_cache(1000)
def _showers(ordinal: int) -> tuple[tuple[int, int, float], ...]:
    """Rain events that begin on a day: first step, steps, peak in mm per quarter hour."""
    random = seeded("rain", ordinal)
    wetness = noise("front", ordinal / 3.3) + 0.25 * noise("season-rain", ordinal / 40)
    if random.random() > 0.30 + 0.45 * wetness:
        return ()
    summer = math.cos((date.fromordinal(ordinal).timetuple().tm_yday - 200) / 365.25 * 2 * math.pi) > 0.2
    events = []
    for _ in range(random.choice((1, 1, 2, 3))):
        if summer and random.random() < 0.3:  # thunderstorm: short and heavy, late in the day
            events.append((random.randrange(52, 84), random.randrange(2, 6), random.uniform(1.2, 7.0)))
        else:
            events.append((random.randrange(0, 96), random.randrange(4, 28), random.uniform(0.08, 0.42)))
    return tuple(events)


@lru_cache(1000)
def rain_of(ordinal: int) -> tuple[float, ...]:
    """Rain of a UTC day in mm per quarter hour, with what runs over from the day before."""
    steps = [0.0] * STEPS
    for back in (1, 0):
        for first, length, peak in _showers(ordinal - back):
            for step in range(length):
                at = first + step - back * STEPS
                if 0 <= at < STEPS:
                    steps[at] += peak * math.sin(math.pi * (step + 0.5) / length)
    return tuple(steps)


@lru_cache(500)
def runoff_of(ordinal: int) -> tuple[float, ...]:
    """How much rain is on its way in the brooks (mm), quarter hours of a UTC day; half is gone after five hours."""
    level = 0.0
    for back in (2, 1):
        for rain in rain_of(ordinal - back):
            level = level * 0.966 + rain
    steps = []
    for rain in rain_of(ordinal):
        level = level * 0.966 + rain
        steps.append(level)
    return tuple(steps)


@lru_cache(500)
def soil_of(ordinal: int) -> float:
    """Wetness of the soil in 0…1 at the beginning of a day, from the rain of three weeks and the season's drying."""
    level = 0.0
    for back in range(21, 0, -1):
        level = level * 0.88 + sum(rain_of(ordinal - back))
    warm = math.cos((date.fromordinal(ordinal).timetuple().tm_yday - 200) / 365.25 * 2 * math.pi)
    return max(0.0, min(1.0, 0.42 - 0.24 * warm + level / 90))


@lru_cache(500)
def sky(ordinal: int) -> Sky:
    """The weather of a UTC day by its proleptic ordinal."""
    day = date.fromordinal(ordinal)
    season = math.cos((day.timetuple().tm_yday - 200) / 365.25 * 2 * math.pi)  # 1 in July, -1 in January
    rain = rain_of(ordinal)
    temperature, wind, humidity, pressure, sun, hours, work, school = [], [], [], [], [], [], [], []
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    half_light = 4.1 + 2.1 * (season + 1)  # hours from noon to sunset
    for step in range(STEPS):
        local = (start + timedelta(minutes=15 * step)).astimezone(ZONE)
        hour = local.hour + local.minute / 60
        position = ordinal + step / STEPS
        cloud = 0.5 + 0.5 * noise("cloud", position * 1.7)
        summer_time = bool(local.dst())
        from_noon = abs(hour - (13.45 if summer_time else 12.45))
        light = max(0.0, math.cos(min(from_noon / half_light, 1.0) * math.pi / 2)) * (0.45 + 0.275 * (season + 1))
        shine = light * (1 - 0.75 * cloud) * (0.3 if rain[step] > 0.05 else 1.0)
        swing = (2.2 + 1.5 * (season + 1)) * (1.1 - 0.6 * cloud)
        warmth = (
            11.2 + 9.3 * season + 4.5 * noise("mass", position / 4.5) + 1.2 * noise("hour", position * 5)
            - swing * math.cos((hour - 4.0) / 24 * 2 * math.pi) - (2.5 if rain[step] > 0.3 else 0.0)
        )  # fmt: skip
        breeze = max(0.2, 2.6 + 1.9 * noise("wind", position / 1.4) + 0.8 * noise("gust", position * 14) + 1.1 * light)
        temperature.append(round(warmth, 1))
        wind.append(round(breeze, 1))
        moist = 76 - 9 * season - 2.2 * (warmth - 11.2 - 9.3 * season) + 14 * (cloud - 0.5) + (12 if rain[step] else 0)
        humidity.append(round(max(22.0, min(99.0, moist))))
        pressure.append(round(1016 + 11 * noise("mass-p", position / 4) + 3 * noise("front-p", position), 1))
        sun.append(shine)
        hours.append(hour)
        work.append(calendar.workday(local.date()))
        school.append(calendar.is_school_holiday(local.date()))
    still = max(0.0, 1 - sum(wind) / STEPS / 3.2) * max(0.0, 0.6 - 0.5 * season)
    return Sky(
        day, tuple(temperature), rain, tuple(wind), tuple(humidity), tuple(pressure), tuple(sun), tuple(hours),
        tuple(work), tuple(school), min(1.0, still * 1.6),
    )  # fmt: skip
