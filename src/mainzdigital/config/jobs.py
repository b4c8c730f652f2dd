"""Background jobs: procrastinate's queue in the city's own database, its tables made by Django's migrations.

Modules bring theirs in `tasks.py`; the platform's own are the periodic ones here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import procrastinate
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Status

from mainzdigital.config import log

_DRAIN = 3.0  # seconds for jobs in progress; what is cut off is taken up again by the next worker
_KEEP_HOURS = 7 * 24


@dataclass(frozen=True, slots=True)
class Periodic:
    """A job on a clock. `function` is "package.module:name" of a function that takes a connection, or nothing."""

    name: str
    cron: str
    function: str
    takes_connection: bool = True


PERIODIC: tuple[Periodic, ...] = (
    Periodic("repair_rollups", "* * * * *", "mainzdigital.store.maintenance:repair_rollups"),
    Periodic("summarise", "*/10 * * * *", "mainzdigital.store.maintenance:summarise"),
    Periodic("make_ahead", "5 * * * *", "mainzdigital.store.maintenance:make_ahead"),
    Periodic("purge", "35 * * * *", "mainzdigital.store.maintenance:purge"),
    Periodic("merge_old_months", "40 2 * * *", "mainzdigital.store.maintenance:merge_old_months"),
    Periodic("deliver", "* * * * *", "mainzdigital.identity.outbox:deliver", takes_connection=False),
    Periodic("forget_people", "20 3 * * *", "mainzdigital.identity.personal:purge", takes_connection=False),
)


def add_periodic(app: procrastinate.App) -> None:
    """Called by procrastinate's Django app when it is ready (PROCRASTINATE_ON_APP_READY)."""
    for job in PERIODIC:
        # The queueing lock keeps a slow database from piling up the same job.
        task = app.task(name=f"city.{job.name}", queue="city", queueing_lock=job.name, lock=job.name)(_runner(job))
        app.periodic(cron=job.cron)(task)
    app.periodic(cron="*/2 * * * *")(
        app.task(name="city.take_up", queue="city", queueing_lock="take_up", pass_context=True)(_take_up)
    )
    app.periodic(cron="17 3 * * *")(
        app.task(name="city.forget_old_jobs", queue="city", queueing_lock="forget", pass_context=True)(_forget_old)
    )


def _runner(job: Periodic) -> Callable[..., None]:
    def run(timestamp: int) -> None:
        del timestamp
        module, _, name = job.function.partition(":")
        function: Callable[..., object] = getattr(import_module(module), name)
        if not job.takes_connection:
            from django.db import close_old_connections

            close_old_connections()
            function()
            close_old_connections()
            return
        from mainzdigital.config.settings import settings
        from mainzdigital.store.connect import connect

        with connect(settings().dsn, name=f"work {job.name}", statement_seconds=None) as connection:
            function(connection)

    return run


async def _take_up(context: procrastinate.JobContext, timestamp: int) -> None:
    """Give back the jobs of workers that were killed."""
    del timestamp
    manager = context.app.job_manager
    for job in await manager.get_stalled_jobs():
        try:
            await manager.retry_job(job)
        except UniqueViolation:
            # The same job waits already; left "doing", the dead one would hold its lock against it for ever.
            await manager.finish_job(job, status=Status.FAILED, delete_job=True)


async def _forget_old(context: procrastinate.JobContext, timestamp: int) -> None:
    del timestamp
    await context.app.job_manager.delete_old_jobs(nb_hours=_KEEP_HOURS, include_cancelled=True, include_aborted=True)


async def work(*, concurrency: int) -> None:
    """Work until SIGTERM or SIGINT."""
    import django

    django.setup()
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.django_connector import DjangoConnector

    connector = app.connector
    assert isinstance(connector, DjangoConnector)
    with app.replace_connector(connector.get_worker_connector()) as worker_app:
        async with worker_app.open_async():
            asyncio.get_running_loop().call_soon(log.tell_ready)
            await worker_app.run_worker_async(
                concurrency=concurrency, shutdown_graceful_timeout=_DRAIN, fetch_job_polling_interval=5.0
            )
