"""Values of a stream: of a whole UTC day for the history, at any moment for the live feed."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from mainzdigital.connect.simulator.faults import faults
from mainzdigital.connect.simulator.patterns import PATTERNS, Stream
from mainzdigital.connect.simulator.weather import seeded, sky

Point = tuple[int, float, str]  # second of the UTC day, value, fault ("" where there is none)

_SPIKES = {"no2", "particles", "temperature", "brook"}  # where a wrong value looks like a wild one
_WHOLE = {"bicycles", "parking", "container", "river", "humidity"}


def day_points(stream: Stream, ordinal: int) -> list[Point]:
    """All values of a UTC day in order of time; silence leaves gaps."""
    values = PATTERNS[stream.pattern](stream, sky(ordinal), seeded(stream.key, ordinal))
    wrong = faults(stream.key, ordinal, stream.count, spikes=stream.pattern in _SPIKES)
    step, second = stream.minutes * 60, stream.second
    if not wrong:
        return [(index * step + second, value, "") for index, value in enumerate(values)]
    names = [""] * len(values)
    for fault in wrong:
        for index in range(fault.first, fault.last):
            names[index] = fault.kind
            if fault.kind == "stuck":
                values[index] = values[fault.first]
            elif fault.kind == "spike":
                values[index] = round(values[index] * 2.5 + 15, 1)
    return [
        (index * step + second, value, name)
        for index, (value, name) in enumerate(zip(values, names, strict=True))
        if name != "silent"
    ]


@lru_cache(1024)
def _today(stream: Stream, ordinal: int) -> list[Point]:
    return day_points(stream, ordinal)


def live_value(stream: Stream, at: datetime) -> tuple[float, str] | None:
    """The value a stream has at a moment, between its stored values; None while it is silent."""
    at = at.astimezone(UTC)
    ordinal = at.date().toordinal()
    second = at.hour * 3600 + at.minute * 60 + at.second
    points = _today(stream, ordinal)
    before = next((point for point in reversed(points) if point[0] <= second), None)
    if before is None or second - before[0] > stream.minutes * 60:
        if second < stream.second:  # the first value of the day comes `second` after midnight
            return live_value(stream, datetime(at.year, at.month, at.day, tzinfo=UTC) - timedelta(seconds=1))
        return None
    if before[2] or stream.pattern in {"bicycles", "rain"}:
        return before[1], before[2]
    after = next((point for point in points if point[0] > second), before)
    share = (second - before[0]) / max(1, after[0] - before[0])
    value = before[1] + (after[1] - before[1]) * share if not after[2] else before[1]
    return (round(value) if stream.pattern in _WHOLE else round(value, 1)), ""
