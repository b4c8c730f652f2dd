"""The city's database for one command: the running one, or the embedded one started for the moment."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from mainzdigital.config import embedded, home, mortal
from mainzdigital.config.exits import AlreadyRunning, Misplaced
from mainzdigital.config.settings import Settings

RUN, MOMENT = "run", "moment"
NEEDED_VERSION = 15


def cluster_of(settings: Settings) -> embedded.Cluster:
    return embedded.Cluster(settings.home / "postgres", settings.socket_folder)


@contextmanager
def database_at_hand(settings: Settings, *, seconds: float = 60) -> Iterator[str]:
    """The connection string of a database that answers; an embedded one that is down runs while the block does.

    Raises Misplaced when it cannot be reached or started.
    """
    if not settings.embedded:
        require(settings.dsn)
        yield settings.dsn
        return
    home.prepare(settings.home)
    cluster = cluster_of(settings)
    lock = home.Lock(settings.home, "database", MOMENT)
    deadline = time.monotonic() + seconds
    while True:
        try:
            lock.acquire()
            break
        except AlreadyRunning:
            # One that another command started for the moment goes away with it, so wait for our turn instead.
            if lock.holder().get("purpose") == RUN and _answers(cluster):
                yield settings.dsn
                return
            if time.monotonic() > deadline:
                raise Misplaced(f"the database of {settings.home} did not answer in {seconds:.0f} s") from None
            time.sleep(0.1)
    try:
        if mortal.postmaster(cluster.data) is not None and _answers(cluster):
            yield settings.dsn
            return
        home.check_room(settings.home)
        stop_left_over(cluster)
        embedded.initialise(cluster)
        with served(cluster, settings, seconds=seconds) as dsn:
            yield dsn
    finally:
        lock.release()


@contextmanager
def served(cluster: embedded.Cluster, settings: Settings, *, seconds: float = 60) -> Iterator[str]:
    """Run the server of a cluster while the block does; its connection string. The caller holds the lock."""
    process = embedded.start(cluster, log=settings.home / "log" / "postgres.log")
    try:
        embedded.wait_ready(cluster, process, seconds=seconds)
        yield cluster.dsn
    finally:
        _stop(process)


def _answers(cluster: embedded.Cluster) -> bool:
    with suppress(psycopg.OperationalError):
        return embedded.answers(cluster)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    import signal

    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)


def stop_left_over(cluster: embedded.Cluster) -> None:
    """Stop a server that outlived its supervisor: its log has no reader any more."""
    import signal

    if (process := mortal.postmaster(cluster.data)) is not None:
        mortal.stop([process], by=signal.SIGINT, seconds=20)


def require(dsn: str) -> None:
    """Refuse a server that does not answer or is too old; raises Misplaced."""
    try:
        with psycopg.connect(dsn, connect_timeout=10, autocommit=True) as connection:
            version = connection.info.server_version // 10_000
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise Misplaced(
            f"the database does not answer: {reason}", remedy="check MAINZDIGITAL_DATABASE_URL and the server"
        ) from None
    except psycopg.ProgrammingError as error:
        raise Misplaced(
            f"MAINZDIGITAL_DATABASE_URL is not a connection string: {str(error).strip()}",
            remedy="write it like postgresql://user@host/database",
        ) from None
    if version < NEEDED_VERSION:
        raise Misplaced(
            f"the database server is PostgreSQL {version}, {NEEDED_VERSION} or newer is needed",
            remedy="upgrade the server",
        )
