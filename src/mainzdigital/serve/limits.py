"""How much one client may ask: token buckets in the memory of the process, bounded in number."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mainzdigital.exchange.sensorthings import STANDARD as STANDARD_READ
from mainzdigital.exchange.sensorthings import ReadLimits
from mainzdigital.exchange.sensorthings.validate_json import DEPTH_LIMIT
from mainzdigital.kernel.errors import TooManyRequests
from mainzdigital.query.limits import STANDARD, QueryLimits


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` requests at once, refilled by `per_second`; `setting` is where the operator sets it."""

    per_second: float
    burst: float
    setting: str = ""


KEYED = Rate(20_000, 40_000, "MAINZDIGITAL_KEY_RATE")  # a key is known by name; this only stops a loop gone wild
ANONYMOUS = Rate(300, 1_500, "MAINZDIGITAL_RATE")  # a page with maps and charts asks some thirty times
FAILED = Rate(1 / 6, 10)  # wrong keys

_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost, as the operator sets it.

    `body` in bytes, decoded; `url` in bytes, as sent; `json_depth` levels of a body; what one read may show and one
    query may say; seconds that a statement of a read or a write may take; `rows` of a data array; `requests` in a
    batch, `answer` bytes of its answers together; the rates of readers without and with a key.
    """

    body: int = 20 * 1024 * 1024
    url: int = 16_000
    json_depth: int = DEPTH_LIMIT
    read: ReadLimits = STANDARD_READ
    query: QueryLimits = STANDARD
    read_seconds: int = 15
    write_seconds: int = 60
    rows: int = 100_000
    requests: int = 1_000
    answer: int = 100 * 1024 * 1024
    anonymous: Rate = ANONYMOUS
    keyed: Rate = KEYED


class Limiter:
    """Token buckets by client. `clock` counts seconds."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def _tokens(self, client: str) -> float:
        entry = self._buckets.get(client)
        if entry is None:
            return self.rate.burst
        tokens, at = entry
        return min(self.rate.burst, tokens + (self._clock() - at) * self.rate.per_second)

    def wait(self, client: str) -> int | None:
        """Seconds until one more is allowed, or None where it is allowed now."""
        tokens = self._tokens(client)
        return None if tokens >= 1 else max(1, -int(-(1 - tokens) // self.rate.per_second))

    def spend(self, client: str) -> None:
        """Count one; raises TooManyRequests."""
        tokens = self._tokens(client)
        if tokens < 1:
            limit = f" (limit {self.rate.setting})" if self.rate.setting else ""
            raise TooManyRequests(
                f"too many requests from this client{limit}", remedy="wait and ask less often",
                retry_after=self.wait(client),
            )  # fmt: skip
        self._buckets[client] = (tokens - 1, self._clock())
        self._buckets.move_to_end(client)
        # The one untouched longest has refilled most.
        if len(self._buckets) > _KEPT:
            self._buckets.popitem(last=False)
