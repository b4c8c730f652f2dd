"""What a feed tells of itself, for `mainzdigital check` and the metrics."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Told:
    """`every`: seconds between two rounds. `success`: when the last whole round ended (seconds since 1970)."""

    every: float
    success: float | None = None
    failures: int = 0  # one after another
    error: str = ""
    written: int = 0
    replaced: int = 0

    def succeeded(self, at: float, *, written: int, replaced: int) -> "Told":
        return replace(self, success=at, failures=0, error="", written=written, replaced=replaced)

    def failed(self, error: str) -> "Told":
        return replace(self, failures=self.failures + 1, error=error)
