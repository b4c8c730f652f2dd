"""Token buckets: a burst, then a steady rate, by client, and never more memory than planned."""

import pytest

from mainzdigital.kernel.errors import TooManyRequests
from mainzdigital.serve import limits
from mainzdigital.serve.limits import Limiter, Rate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_a_steady_rate() -> None:
    clock = Clock()
    limiter = Limiter(Rate(0.5, 3), clock=clock)
    for _ in range(3):
        limiter.spend("a")
    with pytest.raises(TooManyRequests) as refusal:
        limiter.spend("a")
    assert refusal.value.retry_after == 2
    limiter.spend("b")
    clock.now = 2
    limiter.spend("a")
    assert limiter.wait("a") == 2
    clock.now = 1000
    assert limiter.wait("a") is None


def test_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_KEPT", 10)
    limiter = Limiter(Rate(1, 1), clock=Clock())
    for client in range(100):
        limiter.spend(str(client))
    assert len(limiter._buckets) == 10
    with pytest.raises(TooManyRequests):
        limiter.spend("99")
