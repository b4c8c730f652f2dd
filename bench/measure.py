"""One measurement: how many in how long, at what CPU time of which processes; and what it may cost."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True, slots=True)
class Budget:
    """What the architecture (§9) allows; None where it says nothing."""

    text: str
    rate: float | None = None  # per second at least
    own_ms: float | None = None  # CPU of our processes at most, per item
    wall_ms: float | None = None  # at most, per item


@dataclass(slots=True)
class Measured:
    """`items` in `seconds` of wall time; CPU seconds of our processes and of the database's."""

    name: str
    items: int = 0
    seconds: float = 0.0
    own_cpu: float = 0.0
    database_cpu: float = 0.0
    limit: "Measured | None" = None
    budget: Budget | None = None

    @property
    def rate(self) -> float:
        return self.items / self.seconds if self.seconds else 0.0

    @property
    def ratio(self) -> float | None:
        """How many times the limit's wall time this takes per item."""
        return self.limit.rate / self.rate if self.limit and self.rate else None

    @property
    def wall_ms(self) -> float:
        return self.seconds / (self.items or 1) * 1000

    @property
    def own_ms(self) -> float:
        return self.own_cpu / (self.items or 1) * 1000

    @property
    def database_ms(self) -> float:
        return self.database_cpu / (self.items or 1) * 1000

    @property
    def within(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        budget = self.budget
        if budget is None:
            return None
        return (
            (budget.rate is None or self.rate >= budget.rate)
            and (budget.own_ms is None or self.own_ms <= budget.own_ms)
            and (budget.wall_ms is None or self.wall_ms <= budget.wall_ms)
        )


@dataclass(frozen=True, slots=True)
class Fact:
    """A quantity that is not a rate: bytes, seconds."""

    name: str
    value: float
    unit: str
    budget: str = ""
    most: float | None = None

    @property
    def within(self) -> bool | None:
        return None if self.most is None else self.value <= self.most


@dataclass(slots=True)
class Report:
    """What was measured on a city of `rows` observations."""

    title: str
    rows: list[Measured] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
            total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


@contextmanager
def measured(
    name: str,
    items: int,
    *,
    own: Iterable[psutil.Process] = (),
    database: Iterable[psutil.Process] = (),
    budget: Budget | None = None,
) -> Iterator[Measured]:
    """Measure the body, which does `items`. Processes of the database must live through it."""
    own, database = [*own], [*database]
    result = Measured(name, items, budget=budget)
    own_before, database_before, start = cpu_of(own), cpu_of(database), time.perf_counter()
    yield result
    result.seconds = time.perf_counter() - start
    result.own_cpu, result.database_cpu = cpu_of(own) - own_before, cpu_of(database) - database_before
