"""One pattern per kind of stream: the values of one UTC day from the sky, the stream's character and its random."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from mainzdigital.connect.simulator.weather import STEPS, Sky, noise, runoff_of, soil_of


@dataclass(frozen=True, slots=True)
class Stream:
    """A simulated datastream. `minutes`: distance of stored values; `live`: seconds between values of the live feed.

    `level` scales the pattern (bicycles of a working day, spaces of a car park, µg/m³ of traffic), `character` selects
    the daily profile where the pattern has several, `second` delays the values so that the map moves bit by bit.
    """

    key: str
    pattern: str
    minutes: int
    live: int
    level: float
    character: str = ""
    second: int = 0

    @property
    def count(self) -> int:
        """Values of a UTC day."""
        return 1440 // self.minutes


Values = list[float]
Pattern = Callable[[Stream, Sky, Random], Values]

# Share of a day's traffic by local hour.
_PROFILES: dict[str, tuple[float, ...]] = {
    "commuter": (2, 1, 1, 1, 3, 10, 34, 82, 74, 42, 32, 36, 42, 44, 48, 60, 84, 92, 70, 46, 30, 20, 12, 6),
    "town": (4, 2, 1, 1, 1, 5, 16, 46, 52, 46, 50, 58, 64, 62, 64, 68, 76, 80, 70, 52, 36, 26, 18, 9),
    "leisure": (1, 1, 0, 0, 1, 3, 8, 18, 24, 40, 58, 70, 74, 82, 90, 92, 86, 76, 62, 44, 26, 14, 6, 3),
}
_WEEKEND: tuple[float, ...] = (7, 5, 4, 3, 3, 3, 6, 11, 22, 38, 56, 68, 74, 80, 86, 86, 78, 66, 52, 38, 28, 20, 14, 10)
_TRAFFIC: tuple[float, ...] = (
    16,
    10,
    7,
    7,
    12,
    30,
    66,
    96,
    90,
    72,
    66,
    68,
    70,
    70,
    74,
    84,
    96,
    98,
    84,
    62,
    46,
    36,
    28,
    21,
)


@lru_cache(16)
def _quarters(profile: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(
        profile[at // 4] * (1 - at % 4 / 4) + profile[(at // 4 + 1) % 24] * (at % 4 / 4) for at in range(STEPS)
    )


def _at(profile: tuple[float, ...], hour: float) -> float:
    return _quarters(profile)[int(hour * 4)]


def _steps(stream: Stream) -> list[int]:
    """The quarter hour of each value of the day."""
    return [index * stream.minutes // 15 for index in range(stream.count)]


def _slow(stream: Stream, sky: Sky, days: float) -> float:
    return noise(stream.key, sky.day.toordinal() / days)


def bicycles(stream: Stream, sky: Sky, random: Random) -> Values:
    """Bicycles per period: working-day peaks or leisure, less in rain, cold and wind; `level` a good working day."""
    profile = _PROFILES[stream.character or "town"]
    total = sum(profile)
    share = stream.minutes / 60
    leisure = stream.character == "leisure"
    drift = 1 + 0.12 * _slow(stream, sky, 9)
    values: Values = []
    for step in _steps(stream):
        work = sky.work[step]
        weekend = _at(_WEEKEND, sky.hour[step]) / 930 * (1.25 if leisure else 0.62)
        weekday = _at(profile, sky.hour[step]) / total * (0.8 if leisure else 1.0)
        mixed = weekday * max(0.0, (work - 0.25) / 0.75) + weekend * min(1.0, (1 - work) / 0.75)
        warmth = 1 / (1 + math.exp(-(sky.temperature[step] - (13 if leisure else 6)) / 6))
        wet = 1 / (1 + 2.4 * sky.rain[step] / 0.5) if sky.rain[step] else 1.0
        windy = 1 - 0.04 * max(0.0, sky.wind[step] - 4)
        mean = stream.level * mixed * share * (0.35 + 0.85 * warmth) * wet * max(0.5, windy) * drift
        values.append(float(max(0, int(mean + math.sqrt(mean) * random.gauss(0, 1) + 0.5))))
    return values


def _traffic(sky: Sky, step: int) -> float:
    return _at(_TRAFFIC, sky.hour[step]) / 100 * (0.35 + 0.65 * sky.work[step])


def _fireworks(sky: Sky, step: int) -> float:
    day = sky.day
    if (day.month, day.day) == (12, 31) and step >= 92:
        return 1.0
    if (day.month, day.day) == (1, 1) and step < 16:
        return math.exp(-step / 6)
    return 0.0


def nitrogen_dioxide(stream: Stream, sky: Sky, random: Random) -> Values:
    """NO₂ in µg/m³: traffic, thinned by wind, kept down by inversions; `level` is the mean near the street."""
    season = 1 + 0.35 * sky.inversion + 0.1 * _slow(stream, sky, 5)
    values: Values = []
    for step in _steps(stream):
        thinned = 1.9 / (0.9 + 0.42 * sky.wind[step])
        value = stream.level * (0.28 + 1.05 * _traffic(sky, step)) * thinned * season * (1 - 0.25 * sky.sun[step])
        values.append(round(max(1.0, value * random.gauss(1, 0.09)), 1))
    return values


def particles(stream: Stream, sky: Sky, random: Random) -> Values:
    """PM₁₀ or PM₂.₅ in µg/m³: heating, inversions, long-range air; washed out by rain; New Year's fireworks."""
    cold = max(0.0, 12 - sum(sky.temperature) / STEPS) / 20
    air = 1 + 0.45 * noise("longrange", sky.day.toordinal() / 4) + cold + 1.2 * sky.inversion
    coarse = 0.25 if stream.character == "coarse" else 0.1
    values: Values = []
    for step in _steps(stream):
        evening = 0.12 if sky.hour[step] > 18 else 0.0
        value = stream.level * (0.55 * air + coarse * _traffic(sky, step) + evening * cold * 4)
        value *= 1.35 / (0.8 + 0.16 * sky.wind[step])
        if sky.rain[step]:
            value *= 0.62
        value = value * random.gauss(1, 0.08) + _fireworks(sky, step) * stream.level * 9
        values.append(round(max(0.5, value), 1))
    return values


def ozone(stream: Stream, sky: Sky, random: Random) -> Values:
    """O₃ in µg/m³: made by sun and warmth, eaten by traffic at night."""
    values: Values = []
    glow = 0.0
    for step in range(STEPS):
        glow = glow * 0.93 + 0.07 * sky.sun[step] * max(0.3, sky.temperature[step] / 17)
        if step * 15 % stream.minutes == 0:
            base = stream.level * (0.55 + 0.08 * sky.wind[step]) - 9 * _traffic(sky, step)
            values.append(round(max(1.0, base + 128 * glow + random.gauss(0, 2.5)), 1))
    return values


def parking(stream: Stream, sky: Sky, random: Random) -> Values:
    """Free spaces; `level` is the capacity, `character` shop, office, station or stadium."""
    capacity = stream.level
    drift = 0.06 * _slow(stream, sky, 3)
    peak = {"shop": 0.86, "office": 0.9, "station": 0.8, "stadium": 0.35}.get(stream.character, 0.8)
    values: Values = []
    for index in range(stream.count):
        step = index * stream.minutes // 15
        hour, work = sky.hour[step], sky.work[step]
        if stream.character == "office":
            busy = work * _bell(hour, 11.5, 3.6)
        elif stream.character == "station":
            busy = 0.35 + 0.5 * work * _bell(hour, 12.5, 4.2) + 0.1 * (1 - work)
        else:
            saturday = 1.15 if 0.5 < work < 0.6 else 1.0
            open_shops = 0.45 + 0.55 * min(1.0, work * 1.4)
            busy = saturday * open_shops * max(_bell(hour, 14.3, 3.6), 0.55 * _bell(hour, 20.0, 1.8))
            busy *= 1.0 + 0.12 * (sky.day.month == 12 and sky.day.day < 24) + (0.06 if sky.rain[step] else 0.0)
        share = min(1.0, max(0.03, peak * busy + 0.06 + drift))
        values.append(
            float(max(0, min(int(capacity), round(capacity * (1 - share) + random.gauss(0, capacity * 0.006)))))
        )
    return values


def _bell(hour: float, middle: float, width: float) -> float:
    distance = min(abs(hour - middle), 24 - abs(hour - middle)) / width
    return math.exp(-distance * distance / 1.3)


def container(stream: Stream, sky: Sky, random: Random) -> Values:
    """Fill level in %: rises by day, emptied every `level` days in the morning; some run over before."""
    length = max(3, int(stream.level))
    offset = sum(stream.key.encode()) % length
    ordinal = sky.day.toordinal()
    since = (ordinal + offset) % length  # whole days since the day of the last emptying
    emptied_at = 28 + sum(stream.key.encode()) % 16  # quarter hour (UTC), between seven and eleven
    daily = 100 / length * (1.02 + 0.28 * noise(stream.key, (ordinal + offset) // length))

    def of_day(day: int) -> float:
        return daily * (
            1 + 0.55 * noise(stream.key + "/d", day) + (0.35 if day % 7 == 6 else 0.0)
        )  # day % 7 == 6: Saturday

    before = sum(of_day(day) for day in range(ordinal - (since or length) + 1, ordinal))
    first = of_day(ordinal - (since or length)) * (1 - emptied_at / STEPS)
    filled = first + before
    values: Values = []
    for step in _steps(stream):
        light = max(0.0, min(1.0, (step - 20) / 60))  # people bring clothes by day
        if since == 0 and step >= emptied_at:
            level = of_day(ordinal) * max(0.0, light - max(0.0, (emptied_at - 20) / 60))
        else:
            level = filled + of_day(ordinal) * light
        values.append(round(max(0.0, min(100.0, level + random.gauss(0, 0.5)))))
    return values


def _sampled(
    column: Callable[[Sky], tuple[float, ...]], spread: float, digits: int, low: float, high: float
) -> Pattern:
    def pattern(stream: Stream, sky: Sky, random: Random) -> Values:
        steps = column(sky)
        following = steps[-1]
        values: Values = []
        for index in range(stream.count):
            step, rest = divmod(index * stream.minutes, 15)
            here = steps[step]
            there = steps[step + 1] if step + 1 < STEPS else following
            value = here + (there - here) * rest / 15 + stream.level + random.gauss(0, spread)
            values.append(round(max(low, min(high, value)), digits))
        return values

    return pattern


def rain(stream: Stream, sky: Sky, random: Random) -> Values:
    """Rain in mm per period; a gauge differs a little from its neighbour, more so in showers. `level` is its catch."""
    share = stream.minutes / 15
    values: Values = []
    for step in _steps(stream):
        fallen = sky.rain[step] * share * stream.level
        values.append(round(max(0.0, fallen * random.gauss(1, 0.12)), 1) if fallen else 0.0)
    return values


def river(stream: Stream, sky: Sky, random: Random) -> Values:
    """Level of the Rhine in cm: slow, with the season and the snow of the Alps; `level` is the mean."""
    season = math.cos((sky.day.timetuple().tm_yday - 160) / 365.25 * 2 * math.pi)
    values: Values = []
    for index in range(stream.count):
        position = sky.day.toordinal() + index / stream.count
        value = stream.level + 28 * season + 95 * noise("rhine", position / 17) + 22 * noise("rhine-w", position / 3.1)
        values.append(round(value + random.gauss(0, 0.6)))
    return values


def brook(stream: Stream, sky: Sky, random: Random) -> Values:
    """Level of a brook in cm: low, and up within the hour after heavy rain; `level` is its dry depth."""
    running = runoff_of(sky.day.toordinal())
    return [round(stream.level + 5.5 * running[step] ** 1.15 + random.gauss(0, 0.4), 1) for step in _steps(stream)]


def soil(stream: Stream, sky: Sky, random: Random) -> Values:
    """Soil moisture in % by volume: rises with rain, dries in summer."""
    ordinal = sky.day.toordinal()
    today, tomorrow = soil_of(ordinal), soil_of(ordinal + 1)
    values: Values = []
    for index in range(stream.count):
        level = today + (tomorrow - today) * index / stream.count
        values.append(round(max(3.0, min(48.0, stream.level + 30 * level + random.gauss(0, 0.15))), 1))
    return values


def sound(stream: Stream, sky: Sky, random: Random) -> Values:
    """Sound level in dB(A) over the period; `level` is the quiet of the night there."""
    lively = 7 if stream.character == "nightlife" else 0
    values: Values = []
    for step in _steps(stream):
        evening = lively * _bell(sky.hour[step], 22.5, 2.6) * (1.4 if sky.work[step] < 0.6 else 0.8)
        value = stream.level + 15 * math.sqrt(_traffic(sky, step)) + evening + 2.5 * min(1.5, sky.rain[step])
        values.append(round(value + random.gauss(0, 1.1) + 12 * _fireworks(sky, step), 1))
    return values


PATTERNS: dict[str, Pattern] = {
    "bicycles": bicycles,
    "no2": nitrogen_dioxide,
    "particles": particles,
    "ozone": ozone,
    "parking": parking,
    "container": container,
    "temperature": _sampled(lambda sky: sky.temperature, 0.12, 1, -30, 45),
    "humidity": _sampled(lambda sky: sky.humidity, 0.8, 0, 5, 100),
    "wind": _sampled(lambda sky: sky.wind, 0.25, 1, 0, 40),
    "pressure": _sampled(lambda sky: sky.pressure, 0.05, 1, 930, 1070),
    "rain": rain,
    "river": river,
    "brook": brook,
    "soil": soil,
    "sound": sound,
}
