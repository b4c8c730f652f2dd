"""Small drawings made by the server as SVG paths: trends and the scale of a limit value. Templates print them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spark:
    """A trend without axes in a box of 100 × 32; `line` and `area` are path data, `end` the last point."""

    line: str
    area: str
    end: tuple[float, float] | None
    words: str = ""


def spark(values: Sequence[float | None], *, from_zero: bool = False, words: str = "") -> Spark | None:
    """The trend of equally spaced values; None is a gap and stays one. No drawing below three values."""
    known = [value for value in values if value is not None]
    if len(known) < 3:
        return None
    low = 0.0 if from_zero else min(known)
    high = max(known)
    spread = (high - low) or 1.0
    step = 100 / (len(values) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            if runs[-1]:
                runs.append([])
        else:
            runs[-1].append((round(index * step, 2), round(30 - 27 * (value - low) / spread, 2)))
    runs = [run for run in runs if run]
    last = runs[-1][-1] if values[-1] is not None else None
    return Spark(
        line=" ".join(path(run) for run in runs),
        area=" ".join(f"{path(run)}L{run[-1][0]} 32L{run[0][0]} 32Z" for run in runs if len(run) > 1),
        end=last,
        words=words,
    )


def path(points: Sequence[tuple[float, float]]) -> str:
    """Path data through the points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


@dataclass(frozen=True, slots=True)
class Scale:
    """A bar from zero to beyond the limit in a box of 400 × 34: widths and marks in its units."""

    now: float
    limit: float
    before: float | None


def scale(now: float, limit: float, before: float | None) -> Scale:
    """Where the present value, the limit and the value before stand on a bar that shows all three."""
    most = max(now, limit, before or 0) * 1.04
    return Scale(
        now=round(max(now, 0) / most * 400, 1),
        limit=round(limit / most * 400, 1),
        before=None if before is None else round(max(before, 0) / most * 400, 1),
    )


def meter(value: float, most: float) -> float:
    """Share of a bar of width 100, within it."""
    return round(max(0.0, min(100.0, value / most * 100)), 1) if most > 0 else 0.0
