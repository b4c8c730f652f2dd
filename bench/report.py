"""What was measured, as a table on the screen and as docs/benchmark.md."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.measure import Fact, Measured, Report

COLUMNS = (
    "what", "per second", "ms each", "own CPU ms", "database CPU ms", "times the limit", "budget", "kept",
)  # fmt: skip
_INTRODUCTION = """# Benchmark

Made by `make bench`; each line stands beside its limit, measured in the same run: bare COPY, bare prepared statements,
a bare ASGI application that answers the same bytes. Own CPU is that of our processes, per item. The city has 10,000
datastreams and partitions for 30 years; seven eighths of the observations are in 400 datastreams of five years.
What is missed is explained in the decisions (`docs/adr/`).
"""


def _mark(kept: bool | None) -> str:
    return "" if kept is None else "yes" if kept else "no"


def _cells(row: Measured, *, name: str = "") -> tuple[str, ...]:
    def shown(value: float) -> str:
        return f"{value:.4f}" if value else ""

    return (
        name or row.name, f"{row.rate:,.0f}", shown(row.wall_ms), shown(row.own_ms), shown(row.database_ms),
        f"{row.ratio:.2f}" if row.ratio else "", row.budget.text if row.budget else "", _mark(row.within),
    )  # fmt: skip


def _lines(report: Report) -> list[tuple[str, ...]]:
    found = []
    for row in report.rows:
        found.append(_cells(row))
        if row.limit is not None:
            found.append(_cells(row.limit, name=f"… limit: {row.limit.name}"))
    return found


def _amount(fact: Fact) -> str:
    return f"{fact.value:,.0f}" if fact.value >= 100 else f"{fact.value:,.1f}"


def show(report: Report) -> None:
    """Print the table."""
    table = Table(title=report.title)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("what", "budget", "kept") else "right")
    for cells in _lines(report):
        table.add_row(*cells)
    console = Console(width=170)
    console.print(table)
    for fact in report.facts:
        console.print(f"{fact.name}: {_amount(fact)} {fact.unit}  {fact.budget} {_mark(fact.within)}")


def as_json(reports: Sequence[Report]) -> list[dict[str, object]]:
    return [
        {
            "title": report.title,
            "rows": [
                {
                    "name": row.name, "items": row.items, "rate": row.rate, "wall_ms": row.wall_ms,
                    "own_ms": row.own_ms, "database_ms": row.database_ms, "ratio": row.ratio, "kept": row.within,
                    "limit": row.limit and {"name": row.limit.name, "rate": row.limit.rate},
                }
                for row in report.rows
            ],
            "facts": [{"name": one.name, "value": one.value, "unit": one.unit} for one in report.facts],
        }
        for report in reports
    ]  # fmt: skip


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    aligned = ["---" if head in ("what", "budget", "kept") else "---:" for head in heads]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, aligned, *rows))


def document(reports: Sequence[Report], database: str) -> str:
    """docs/benchmark.md: growth first, then all of each size."""
    parts = [_INTRODUCTION, f"{datetime.now(UTC):%Y-%m-%d}. {_machine()}, {database}.\n"]
    if len(reports) > 1:
        by_name = [{row.name: row for row in report.rows} for report in reports]
        growth = [
            (row.name, *(f"{rows[row.name].wall_ms:.4f}" if row.name in rows else "" for rows in by_name))
            for row in reports[-1].rows
        ]
        heads = ("what", *(f"ms at {report.title}" for report in reports))
        parts += ["## Growth\n", _table(heads, growth) + "\n"]
    for report in reports:
        parts += [f"## {report.title}\n", _table(COLUMNS, _lines(report)) + "\n"]
        if report.facts:
            facts = [(one.name, _amount(one), one.unit, one.budget, _mark(one.within)) for one in report.facts]
            parts.append(_table(("what", "amount", "unit", "budget", "kept"), facts) + "\n")
    return "\n".join(parts)
