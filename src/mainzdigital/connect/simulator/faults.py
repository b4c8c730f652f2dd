"""What goes wrong with devices: silence, stuck values, spikes; decided by stream and day, the same in every run."""

from dataclasses import dataclass

from mainzdigital.connect.simulator.weather import seeded


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault from value number `first` to before `last` of a day: silent, stuck or spike."""

    kind: str
    first: int
    last: int


def faults(key: str, ordinal: int, count: int, *, spikes: bool) -> tuple[Fault, ...]:
    """The faults of a stream on a day of `count` values. About one stream in a hundred is silent at any time."""
    week, weekday = divmod(ordinal, 7)
    random = seeded("silent", key, week)
    if random.random() < 0.018:
        begin = random.randrange(7)
        if begin <= weekday < begin + random.randrange(1, 5):
            return (Fault("silent", 0, count),)
    random = seeded("fault", key, ordinal)
    roll = random.random()
    if roll < 0.006:
        first = random.randrange(count)
        return (Fault("silent", first, min(count, first + max(1, count // random.choice((24, 12, 6))))),)
    if roll < 0.008:
        first = random.randrange(count)
        return (Fault("stuck", first, min(count, first + max(2, count // 4))),)
    if spikes and roll < 0.0115:
        first = random.randrange(count)
        return (Fault("spike", first, first + 1),)
    return ()
