"""The platform's periodic jobs: they exist, they run, and two workers do not run one twice."""

import asyncio
import time
from collections.abc import Iterator

import psycopg
import pytest

from mainzdigital.config.jobs import PERIODIC


def test_all_are_registered_with_the_queue() -> None:
    from procrastinate.contrib.django import app

    names = {f"city.{job.name}" for job in PERIODIC} | {"city.take_up", "city.forget_old_jobs"}
    assert names <= set(app.tasks)
    assert {task.task.name for task in app.periodic_registry.periodic_tasks.values()} >= names


@pytest.mark.parametrize("job", PERIODIC, ids=lambda job: job.name)
def test_each_runs_on_an_empty_city(db: psycopg.Connection, job: object) -> None:
    from procrastinate.contrib.django import app

    from mainzdigital.config.jobs import Periodic

    assert isinstance(job, Periodic)
    app.tasks[f"city.{job.name}"].func(timestamp=int(time.time()))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A task `test.noted` that may run once at a time and wait once; the numbers of its runs."""
    from django.db import connections
    from procrastinate.contrib.django import app

    numbers: list[int] = []

    def noted(number: int) -> None:
        numbers.append(number)

    # The worker's threads end with the test, and so must their connections.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    app.task(name="test.noted", queue="city", lock="noted", queueing_lock="noted")(noted)
    yield numbers
    del app.tasks["test.noted"]


def _begun_by_a_killed_worker(db: psycopg.Connection, number: int) -> int:
    """A job that a worker had begun when it was killed an hour ago; its id."""
    from procrastinate.contrib.django import app

    job = app.tasks["test.noted"].defer(number=number)
    db.execute(
        "WITH dead AS"
        " (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour') RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead) WHERE id = %s",
        (job,),
    )
    return job


def _work() -> None:
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    connector = app.connector
    assert isinstance(connector, DjangoConnector)

    async def work() -> None:
        with app.replace_connector(connector.get_worker_connector()) as worker_app:
            async with worker_app.open_async():
                for _ in range(2):  # what was taken up is done in the second round
                    await worker_app.run_worker_async(wait=False, install_signal_handlers=False)

    asyncio.run(work())


def _states(db: psycopg.Connection) -> dict[int, str]:
    """Id → status of the jobs that the test put off; the clock may add others."""
    rows = db.execute("SELECT id, status::text FROM procrastinate_jobs WHERE task_name = 'test.noted'").fetchall()
    return dict(rows)


def test_what_a_killed_worker_left_is_done(db: psycopg.Connection, ran: list[int]) -> None:
    from procrastinate.contrib.django import app

    left = _begun_by_a_killed_worker(db, 1)
    app.tasks["city.take_up"].defer(timestamp=0)
    _work()
    assert (ran, _states(db)) == ([1], {left: "succeeded"})


def test_what_a_killed_worker_left_does_not_block_the_same_job_for_ever(db: psycopg.Connection, ran: list[int]) -> None:
    from procrastinate.contrib.django import app

    _begun_by_a_killed_worker(db, 1)
    waiting = app.tasks["test.noted"].defer(number=2)
    app.tasks["city.take_up"].defer(timestamp=0)
    _work()
    assert (ran, _states(db)) == ([2], {waiting: "succeeded"})
