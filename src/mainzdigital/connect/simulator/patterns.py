"""One pattern per kind of stream: the values of one UTC day from the sky, the stream's character and its random.

What all streams of a kind share on a day is computed once (`_…_day`, cached by the day); a stream only scales it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from mainzdigital.connect.simulator.weather import STEPS, Sky, noise, runoff_of, seeded, sky, soil_of


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
    16, 10, 7, 7, 12, 30, 66, 96, 90, 72, 66, 68, 70, 70, 74, 84, 96, 98, 84, 62, 46, 36, 28, 21,
)  # fmt: skip
_CACHED = 32  # days; streams are filled day by day or span by span

_TABLE_SIZE = 8192


@lru_cache(1)
def _table() -> list[float]:
    random = seeded("gauss")
    return [random.gauss(0, 1) for _ in range(_TABLE_SIZE + 1440)]


def _gauss(random: Random, count: int) -> list[float]:
    """Normally distributed numbers: a piece of one table, which is ten times as fast as drawing them."""
    start = random.randrange(_TABLE_SIZE)
    return _table()[start : start + count]


@lru_cache(16)
def _quarters(profile: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(
        profile[at // 4] * (1 - at % 4 / 4) + profile[(at // 4 + 1) % 24] * (at % 4 / 4) for at in range(STEPS)
    )


def _at(profile: tuple[float, ...], hour: float) -> float:
    return _quarters(profile)[int(hour * 4)]


def _thin(stream: Stream, values: Sequence[float]) -> Sequence[float]:
    """Of 96 quarter hours those of the stream's values; streams of less than a quarter hour repeat them."""
    if stream.minutes >= 15:
        return values[:: stream.minutes // 15]
    return [values[index * stream.minutes // 15] for index in range(stream.count)]


def _slow(stream: Stream, today: Sky, days: float) -> float:
    return noise(stream.key, today.day.toordinal() / days)


@lru_cache(3 * _CACHED)
def _bicycle_day(ordinal: int, character: str) -> tuple[float, ...]:
    """Share of a good working day's bicycles in each quarter hour."""
    today = sky(ordinal)
    profile = _PROFILES[character]
    total = sum(profile)
    leisure = character == "leisure"
    shares = []
    for step in range(STEPS):
        work, rain, hour = today.work[step], today.rain[step], today.hour[step]
        weekend = _at(_WEEKEND, hour) / 930 * (1.25 if leisure else 0.62)
        weekday = _at(profile, hour) / total * (0.8 if leisure else 1.0)
        mixed = weekday * max(0.0, (work - 0.25) / 0.75) + weekend * min(1.0, (1 - work) / 0.75)
        warmth = 1 / (1 + math.exp(-(today.temperature[step] - (13 if leisure else 6)) / 6))
        wet = 1 / (1 + 4.8 * rain) if rain else 1.0
        windy = max(0.5, 1 - 0.04 * max(0.0, today.wind[step] - 4))
        shares.append(mixed * (0.35 + 0.85 * warmth) * wet * windy / 4)
    return tuple(shares)


def bicycles(stream: Stream, today: Sky, random: Random) -> Values:
    """Bicycles per period: working-day peaks or leisure, less in rain, cold and wind; `level` a good working day."""
    shares = _thin(stream, _bicycle_day(today.day.toordinal(), stream.character or "town"))
    whole = stream.level * (1 + 0.12 * _slow(stream, today, 9)) * stream.minutes / 15
    values: Values = []
    for share, chance in zip(shares, _gauss(random, stream.count), strict=True):
        mean = whole * share
        count = int(mean + math.sqrt(mean) * chance + 0.5)
        values.append(count if count > 0 else 0)
    return values


@lru_cache(_CACHED)
def _traffic_day(ordinal: int) -> tuple[float, ...]:
    """Motor traffic of each quarter hour, 1 at the peak of a working day."""
    today = sky(ordinal)
    return tuple(
        _at(_TRAFFIC, hour) / 100 * (0.35 + 0.65 * work) for hour, work in zip(today.hour, today.work, strict=True)
    )


@lru_cache(_CACHED)
def _fireworks_day(ordinal: int) -> tuple[float, ...]:
    """New Year's fireworks: from midnight in Mainz, which is 23:00 UTC."""
    day = sky(ordinal).day
    if (day.month, day.day) == (12, 31):
        return (0.0,) * 92 + (1.0,) * 4
    if (day.month, day.day) == (1, 1):
        return tuple(math.exp(-(step + 1) / 6) for step in range(STEPS))
    return (0.0,) * STEPS


@lru_cache(_CACHED)
def _nitrogen_day(ordinal: int) -> tuple[float, ...]:
    today, traffic = sky(ordinal), _traffic_day(ordinal)
    return tuple(
        (0.28 + 1.05 * traffic[step]) * 1.9 / (0.9 + 0.42 * today.wind[step]) * (1 - 0.25 * today.sun[step])
        for step in range(STEPS)
    )


def nitrogen_dioxide(stream: Stream, today: Sky, random: Random) -> Values:
    """NO₂ in µg/m³: traffic, thinned by wind, kept down by inversions; `level` is the mean near the street."""
    whole = stream.level * (1 + 0.35 * today.inversion + 0.1 * _slow(stream, today, 5))
    shares = _thin(stream, _nitrogen_day(today.day.toordinal()))
    return [
        round(max(1.0, whole * share * (1 + 0.09 * chance)), 1)
        for share, chance in zip(shares, _gauss(random, stream.count), strict=True)
    ]


@lru_cache(2 * _CACHED)
def _particles_day(ordinal: int, coarse: float) -> tuple[float, ...]:
    today, traffic, fireworks = sky(ordinal), _traffic_day(ordinal), _fireworks_day(ordinal)
    cold = max(0.0, 12 - sum(today.temperature) / STEPS) / 20
    air = 1 + 0.45 * noise("longrange", ordinal / 4) + cold + 1.2 * today.inversion
    shares = []
    for step in range(STEPS):
        evening = 0.48 * cold if today.hour[step] > 18 else 0.0
        share = (0.55 * air + coarse * traffic[step] + evening) * 1.35 / (0.8 + 0.16 * today.wind[step])
        shares.append(share * (0.62 if today.rain[step] else 1.0) + fireworks[step] * 9)
    return tuple(shares)


def particles(stream: Stream, today: Sky, random: Random) -> Values:
    """PM₁₀ or PM₂.₅ in µg/m³: heating, inversions, long-range air; washed out by rain; New Year's fireworks."""
    shares = _thin(stream, _particles_day(today.day.toordinal(), 0.25 if stream.character == "coarse" else 0.1))
    level = stream.level
    return [
        round(max(0.5, level * share * (1 + 0.08 * chance)), 1)
        for share, chance in zip(shares, _gauss(random, stream.count), strict=True)
    ]


@lru_cache(_CACHED)
def _glow_day(ordinal: int) -> tuple[float, ...]:
    today = sky(ordinal)
    glow, steps = 0.0, []
    for step in range(STEPS):
        glow = glow * 0.93 + 0.07 * today.sun[step] * max(0.3, today.temperature[step] / 17)
        steps.append(glow)
    return tuple(steps)


def ozone(stream: Stream, today: Sky, random: Random) -> Values:
    """O₃ in µg/m³: made by sun and warmth, eaten by traffic at night."""
    ordinal = today.day.toordinal()
    glow, wind, traffic = (_thin(stream, steps) for steps in (_glow_day(ordinal), today.wind, _traffic_day(ordinal)))
    return [
        round(max(1.0, stream.level * (0.55 + 0.08 * wind[at]) - 9 * traffic[at] + 128 * glow[at] + 2.5 * chance), 1)
        for at, chance in enumerate(_gauss(random, stream.count))
    ]


@lru_cache(4 * _CACHED)
def _parking_day(ordinal: int, character: str) -> tuple[float, ...]:
    """Share of the spaces that are taken in each quarter hour."""
    today = sky(ordinal)
    peak = {"shop": 0.86, "office": 0.9, "station": 0.8, "stadium": 0.35}[character]
    advent = 1.12 if today.day.month == 12 and today.day.day < 24 else 1.0
    shares = []
    for step in range(STEPS):
        hour, work = today.hour[step], today.work[step]
        if character == "office":
            busy = work * _bell(hour, 11.5, 3.6)
        elif character == "station":
            busy = 0.35 + 0.5 * work * _bell(hour, 12.5, 4.2) + 0.1 * (1 - work)
        else:
            saturday = 1.15 if 0.5 < work < 0.6 else 1.0
            open_shops = 0.45 + 0.55 * min(1.0, work * 1.4)
            busy = saturday * open_shops * max(_bell(hour, 14.3, 3.6), 0.55 * _bell(hour, 20.0, 1.8))
            busy *= advent + (0.06 if today.rain[step] else 0.0)
        shares.append(peak * busy + 0.06)
    return tuple(shares)


def parking(stream: Stream, today: Sky, random: Random) -> Values:
    """Free spaces; `level` is the capacity, `character` shop, office, station or stadium."""
    capacity = int(stream.level)
    drift = 0.06 * _slow(stream, today, 3)
    values: Values = []
    shares = _between(stream, _parking_day(today.day.toordinal(), stream.character))
    for share, chance in zip(shares, _gauss(random, stream.count), strict=True):
        taken = min(1.0, max(0.03, share + drift))
        free = round(capacity * (1 - taken + 0.006 * chance))
        values.append(0 if free < 0 else capacity if free > capacity else free)
    return values


def _between(stream: Stream, steps: tuple[float, ...]) -> Sequence[float]:
    """The quarter hours of a day at the distance of the stream, interpolated where that is less than theirs."""
    if stream.minutes % 15 == 0:
        return steps[:: stream.minutes // 15]
    values = []
    for index in range(stream.count):
        step, rest = divmod(index * stream.minutes, 15)
        here = steps[step]
        there = steps[step + 1] if step + 1 < STEPS else here
        values.append(here + (there - here) * rest / 15)
    return values


def _bell(hour: float, middle: float, width: float) -> float:
    distance = min(abs(hour - middle), 24 - abs(hour - middle)) / width
    return math.exp(-distance * distance / 1.3)


def container(stream: Stream, today: Sky, random: Random) -> Values:
    """Fill level in %: rises by day, emptied every `level` days in the morning; some run over before."""
    length = max(3, int(stream.level))
    mark = sum(stream.key.encode())
    ordinal = today.day.toordinal()
    since = (ordinal + mark) % length  # whole days since the day of the last emptying
    emptied_at = 28 + mark % 16  # quarter hour (UTC), between seven and eleven
    thrown_in = (emptied_at - 20) / 60  # share of the day's clothes that came before

    def of_day(day: int, cycle: int) -> float:
        daily = 100 / length * (1.02 + 0.28 * noise(stream.key, cycle))
        return daily * (1 + 0.55 * noise(stream.key + "/d", day) + (0.35 if day % 7 == 6 else 0.0))  # 6: Saturday

    begun = ordinal - (since or length)
    cycle = (begun + mark) // length
    filled = of_day(begun, cycle) * (1 - thrown_in) + sum(of_day(day, cycle) for day in range(begun + 1, ordinal))
    now, fresh = of_day(ordinal, cycle), of_day(ordinal, cycle + 1)
    values: Values = []
    for step, chance in zip(_thin(stream, range(STEPS)), _gauss(random, stream.count), strict=True):
        light = max(0.0, min(1.0, (step - 20) / 60))  # people bring clothes by day
        if since == 0 and step >= emptied_at:
            level = fresh * max(0.0, light - thrown_in)
        else:
            level = filled + now * light
        values.append(round(max(0.0, min(100.0, level + 0.5 * chance))))
    return values


def _sampled(column: str, spread: float, digits: int, low: float, high: float) -> Pattern:
    """A column of the sky itself; `level` of the stream is its distance from the city's mean."""

    def pattern(stream: Stream, today: Sky, random: Random) -> Values:
        steps = _between(stream, getattr(today, column))
        level = stream.level
        return [
            round(max(low, min(high, step + level + spread * chance)), digits)
            for step, chance in zip(steps, _gauss(random, stream.count), strict=True)
        ]

    return pattern


def rain(stream: Stream, today: Sky, random: Random) -> Values:
    """Rain in mm per period; a gauge differs a little from its neighbour, more so in showers. `level` is its catch."""
    share = stream.minutes // 15
    values: Values = []
    for index, chance in enumerate(_gauss(random, stream.count)):
        fallen = sum(today.rain[index * share : (index + 1) * share])
        values.append(round(max(0.0, fallen * stream.level * (1 + 0.12 * chance)), 1) if fallen else 0.0)
    return values


def river(stream: Stream, today: Sky, random: Random) -> Values:
    """Level of the Rhine in cm: slow, with the season and the snow of the Alps; `level` is the mean."""
    season = math.cos((today.day.timetuple().tm_yday - 160) / 365.25 * 2 * math.pi)
    ordinal = today.day.toordinal()

    def level(day: int) -> float:
        return stream.level + 28 * season + 95 * noise("rhine", day / 17) + 22 * noise("rhine-w", day / 3.1)

    here, there = level(ordinal), level(ordinal + 1)
    return [
        round(here + (there - here) * index / stream.count + 0.6 * chance)
        for index, chance in enumerate(_gauss(random, stream.count))
    ]


def brook(stream: Stream, today: Sky, random: Random) -> Values:
    """Level of a brook in cm: low, and up within the hour after heavy rain; `level` is its dry depth."""
    running = _thin(stream, runoff_of(today.day.toordinal()))
    return [
        round(stream.level + 5.5 * run**1.15 + 0.4 * chance, 1)
        for run, chance in zip(running, _gauss(random, stream.count), strict=True)
    ]


def soil(stream: Stream, today: Sky, random: Random) -> Values:
    """Soil moisture in % by volume: rises with rain, dries in summer."""
    ordinal = today.day.toordinal()
    here, there = soil_of(ordinal), soil_of(ordinal + 1)
    return [
        round(max(3.0, min(48.0, stream.level + 30 * (here + (there - here) * at / stream.count) + 0.15 * chance)), 1)
        for at, chance in enumerate(_gauss(random, stream.count))
    ]


@lru_cache(2 * _CACHED)
def _sound_day(ordinal: int, lively: int) -> tuple[float, ...]:
    today, traffic, fireworks = sky(ordinal), _traffic_day(ordinal), _fireworks_day(ordinal)
    return tuple(
        15 * math.sqrt(traffic[step])
        + lively * _bell(today.hour[step], 22.5, 2.6) * (1.4 if today.work[step] < 0.6 else 0.8)
        + 2.5 * min(1.5, today.rain[step])
        + 12 * fireworks[step]
        for step in range(STEPS)
    )


def sound(stream: Stream, today: Sky, random: Random) -> Values:
    """Sound level in dB(A) over the period; `level` is the quiet of the night there."""
    steps = _thin(stream, _sound_day(today.day.toordinal(), 7 if stream.character == "nightlife" else 0))
    level = stream.level
    return [
        round(level + step + 1.1 * chance, 1) for step, chance in zip(steps, _gauss(random, stream.count), strict=True)
    ]


PATTERNS: dict[str, Pattern] = {
    "bicycles": bicycles,
    "no2": nitrogen_dioxide,
    "particles": particles,
    "ozone": ozone,
    "parking": parking,
    "container": container,
    "temperature": _sampled("temperature", 0.12, 1, -30, 45),
    "humidity": _sampled("humidity", 0.8, 0, 5, 100),
    "wind": _sampled("wind", 0.25, 1, 0, 40),
    "pressure": _sampled("pressure", 0.05, 1, 930, 1070),
    "rain": rain,
    "river": river,
    "brook": brook,
    "soil": soil,
    "sound": sound,
}
