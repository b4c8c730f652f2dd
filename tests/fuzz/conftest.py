"""A server with one entity of each kind before every sort of nonsense; whether it is unharmed is asked afterwards."""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings

from mainzdigital.serve.limits import Limits
from tests.openapi.test_document import fill
from tests.serve.fixtures import anonymous, keys, manager, open_process, process, server, writer

__all__ = ["anonymous", "keys", "manager", "open_process", "process", "server", "writer"]

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "1"))


def calm(examples: int) -> settings:
    """So many examples, times FUZZ_ROUNDS; the same ones every time unless there are several rounds."""
    return settings(
        max_examples=examples * ROUNDS,
        deadline=None,
        derandomize=ROUNDS == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


class Watch(threading.Thread):
    """Looks five times a second for how long the statements of the server have been running."""

    def __init__(self, dsn: str) -> None:
        super().__init__(daemon=True)
        self._dsn = dsn
        self._over = threading.Event()
        self.longest = 0.0
        self.looks = 0

    def run(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._over.wait(0.2) or not self.looks:
                row = connection.execute(
                    "SELECT COALESCE(EXTRACT(epoch FROM max(clock_timestamp() - query_start)), 0)::float8 "
                    "FROM pg_stat_activity WHERE state = 'active' AND application_name IN "
                    "('mainzdigital read', 'mainzdigital write', 'mainzdigital observations')"
                ).fetchone()
                assert row is not None
                self.longest, self.looks = max(self.longest, row[0]), self.looks + 1

    def end(self) -> float:
        self._over.set()
        self.join(10)
        assert self.looks, "nobody looked"
        return self.longest


@pytest.fixture
def city(manager: httpx.Client, dsn: str, conn: psycopg.Connection) -> Iterator[httpx.Client]:
    """A client that may do everything; at the end no statement ran too long and every connection is free."""
    fill(manager)
    watch = Watch(dsn)
    watch.start()
    yield manager
    longest = watch.end()
    assert longest < Limits().read_seconds, f"a statement ran {longest:.1f} s"
    stuck = conn.execute(
        "SELECT application_name, state, query FROM pg_stat_activity WHERE application_name LIKE 'mainzdigital %' "
        "AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '2 s'"
    ).fetchall()
    assert stuck == [], "a connection was given back in the midst of a transaction"
    # As many at once as would find a pool of which a part is lost.
    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(lambda _: manager.get("Things?$count=true").status_code, range(72))) == {200}
        posted = pool.map(lambda number: manager.post("Sensors", json=_sensor(number)).status_code, range(24))
        assert set(posted) == {201}


def _sensor(number: int) -> dict[str, str]:
    return {"name": str(number), "description": "", "encodingType": "text/plain", "metadata": "x"}


def check(answer: httpx.Response) -> None:
    """Not a fault of the server, and where it refuses, in the standard's words."""
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url} {answer.text[:500]}"
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        content = answer.json()
        assert {"code", "type", "message"} <= set(content) <= {"code", "type", "message", "where", "remedy"}
        assert (content["code"], content["type"]) == (answer.status_code, "error")
        assert content["message"]
        assert len(answer.content) < 4_000, "a refusal does not repeat what was sent"
