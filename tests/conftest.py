"""One embedded PostgreSQL per test process, migrated once; tests commit, and the tables are emptied after them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

_HOME = Path(tempfile.mkdtemp(prefix="mainzdigital-test-"))
# Settings are read at import of Django's settings, hence before any test module.
os.environ["MAINZDIGITAL_HOME"] = str(_HOME)
os.environ["MAINZDIGITAL_SECRET_KEY"] = "test-" * 10
os.environ.pop("MAINZDIGITAL_DATABASE_URL", None)
os.environ["DJANGO_SETTINGS_MODULE"] = "mainzdigital.config.django"

import django  # noqa: E402

django.setup()

from django.test.utils import setup_test_environment  # noqa: E402

setup_test_environment()

_skipped: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--allowed-skips", type=Path, help="file of node ids that may skip; any other skip fails the run")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped[report.nodeid] = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped[report.nodeid] = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tests that need a browser, a broker or real data must not vanish from CI unnoticed."""
    file: Path | None = session.config.getoption("--allowed-skips")
    if file is None or hasattr(session.config, "workerinput"):
        return
    lines = (line.split("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    allowed = {line for line in lines if line}
    for nodeid, reason in sorted(_skipped.items()):
        if nodeid not in allowed:
            print(f"\nskipped but not allowed to: {nodeid} ({reason})")  # noqa: T201
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


REALDATA = Path(os.environ.get("MAINZDIGITAL_REALDATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of real files; its tests carry the marker `realdata`."""
    if not REALDATA.is_dir():
        pytest.skip("the real data folder is absent (MAINZDIGITAL_REALDATA)")
    return REALDATA


@pytest.fixture(scope="session")
def dsn() -> Iterator[str]:
    """Connection string of a migrated database that lives as long as the test process."""
    from django.core.management import call_command

    from mainzdigital.config import embedded
    from mainzdigital.config.settings import settings

    cluster = embedded.Cluster(_HOME / "postgres", settings().socket_folder)
    embedded.initialise(cluster)
    process = embedded.start(
        cluster, options=("fsync=off", "synchronous_commit=off", "full_page_writes=off"), log=_HOME / "postgres.log"
    )
    try:
        embedded.wait_ready(cluster, process)
        call_command("migrate", verbosity=0)
        yield cluster.dsn
    finally:
        from django.db import connections

        connections.close_all()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        shutil.rmtree(_HOME, ignore_errors=True)


_KEPT = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


def empty_tables(connection: psycopg.Connection) -> None:
    """Empty every table that a migration did not fill, and start the identities anew.

    Only what holds rows is touched: truncating some hundred empty partitions takes longer than the test itself.
    """
    names = [
        name
        for (name,) in connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind = 'r'"
        )
        if name not in _KEPT
    ]
    filled = connection.execute(
        " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in names)
    ).fetchall()
    with connection.transaction():
        # Neither foreign keys nor the guard of the audit log stand in the way.
        connection.execute("SET LOCAL session_replication_role = replica")
        for (name,) in filled:
            connection.execute(f'DELETE FROM "{name}"')
        connection.execute(
            "SELECT setval(format('%%I.%%I', schemaname, sequencename)::regclass, start_value, false) "
            "FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL AND sequencename <> ALL (%s)",
            # Blocks of observation ids are held by processes, which would give an id twice.
            [["observation_sequence", *(f"{name}_id_seq" for name in _KEPT)]],
        )


@pytest.fixture
def conn(dsn: str) -> Iterator[psycopg.Connection]:
    """An autocommit connection; what the test writes (through it, Django or another process) is emptied afterwards."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection
        empty_tables(connection)


@pytest.fixture
def db(conn: psycopg.Connection) -> psycopg.Connection:
    """For tests that go through Django's ORM or test client; the same database, emptied afterwards."""
    return conn
