"""One measurement: how many in how long, at what CPU time of which processes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import psutil
from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Measured:
    """`items` in `seconds` of wall time; CPU seconds of our processes and of the database's."""

    name: str
    items: int = 0
    seconds: float = 0.0
    own_cpu: float = 0.0
    database_cpu: float = 0.0
    limit: "Measured | None" = None
    budget: str = ""

    @property
    def rate(self) -> float:
        return self.items / self.seconds if self.seconds else 0.0

    @property
    def ratio(self) -> float | None:
        """How many times the limit's wall time this takes per item."""
        return self.limit.rate / self.rate if self.limit and self.rate else None


@dataclass(slots=True)
class Report:
    rows: list[Measured] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)

    def show(self, title: str) -> None:
        table = Table(title=title)
        for heading, justify in (
            ("what", "left"), ("per second", "right"), ("ms each", "right"), ("own CPU ms", "right"),
            ("database CPU ms", "right"), ("times the limit", "right"), ("budget", "left"),
        ):  # fmt: skip
            table.add_column(heading, justify="right" if justify == "right" else "left")
        for row in self.rows:
            for one, name in ((row, row.name), (row.limit, f"  limit: {row.limit.name}" if row.limit else "")):
                if one is not None:
                    ratio = f"{one.ratio:.2f}" if one.ratio else ""
                    table.add_row(name, f"{one.rate:,.0f}", *_each(one), ratio, one.budget)
        console = Console(width=150)
        console.print(table)
        for name, size in self.memory.items():
            console.print(f"memory of {name}: {size / 1e6:.0f} MB")

    def as_json(self) -> dict[str, object]:
        return {
            "rows": [asdict(row) | {"rate": row.rate, "ratio": row.ratio} for row in self.rows],
            "memory": self.memory,
        }


def _each(one: Measured) -> tuple[str, str, str]:
    items = one.items or 1
    milliseconds = (one.seconds, one.own_cpu, one.database_cpu)
    wall, own, database = (f"{value / items * 1000:.4f}" if value else "" for value in milliseconds)
    return wall, own, database


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
    budget: str = "",
) -> Iterator[Measured]:
    """Measure the body, which does `items`. Processes of the database must live through it."""
    own, database = [*own], [*database]
    result = Measured(name, items, budget=budget)
    own_before, database_before, start = cpu_of(own), cpu_of(database), time.perf_counter()
    yield result
    result.seconds = time.perf_counter() - start
    result.own_cpu, result.database_cpu = cpu_of(own) - own_before, cpu_of(database) - database_before
