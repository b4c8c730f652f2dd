"""Keys, check and the open city on the command line."""

import json
import os
import stat
from pathlib import Path

import httpx
import pytest

from tests.house.city import city, free_port, mainzdigital

THING = {"name": "A thing", "description": "for a test"}


def post(url: str, key: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{url}/sensorthings/v1.1/Things", json=THING, headers=headers, timeout=60)


def findings(home: Path, **more: str) -> tuple[int, dict[str, tuple[str, str]]]:
    done = mainzdigital(home, "check", "--json", prefix=(), **more)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == ""
    assert "errors" in lines[-1]["result"]
    return done.returncode, {line["subject"]: (line["level"], line["message"]) for line in lines[:-1]}


def test_keys_and_check_while_the_city_runs_and_while_it_does_not(tmp_path: Path) -> None:
    home, port = tmp_path / "home", str(free_port())
    made = mainzdigital(home, "key", "create", "--scope", "manage")
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""
    first = made.stdout.strip()
    assert made.stdout == first + "\n"
    assert len(first) > 30
    assert not (home / "postgres" / "postmaster.pid").exists(), "the database ran for the moment only"

    assert findings(home, MAINZDIGITAL_PORT=port)[1]["processes"] == ("ok", f"not running; port {port} is free")
    with city(home, MAINZDIGITAL_PORT=port) as found:
        second = mainzdigital(home, "key", "create", "--scope", "read", "--name", "reader").stdout.strip()
        assert post(found.url).status_code == 401
        assert post(found.url, "wrong").status_code == 401
        assert post(found.url, second).status_code == 403
        assert post(found.url, first).status_code == 201

        listed = mainzdigital(home, "key", "list", "--json").stdout
        assert first not in listed
        assert second not in listed
        keys = {key["result"]["name"]: key["result"] for key in map(json.loads, listed.splitlines())}
        assert (keys["reader"]["scope"], keys["reader"]["state"]) == ("read", "good")
        number = keys["command line"]["id"]
        assert mainzdigital(home, "key", "revoke", str(number)).returncode == 0
        from tests.house.city import wait_for

        wait_for(lambda: post(found.url, first).status_code == 401, message="the key is dropped in the running city")
        assert mainzdigital(home, "key", "revoke", "4711").returncode == 1

        _, told = findings(home, MAINZDIGITAL_PORT=port)
        assert told["processes"][0] == "ok"
        assert "running and ready" in told["processes"][1]
        assert told["database"][0] == "ok"
        assert "tables" not in told

        ready = httpx.get(f"{found.url}/ready", timeout=30)
        assert (ready.status_code, ready.json()["parts"]) == (200, {"database": "ok", "pages": "ok"})
        numbers = httpx.get(f"{found.url}/metrics", timeout=30).text
        assert 'mainzdigital_requests_total{method="POST",route="sensorthings",status="201"} 1.0' in numbers
        assert "mainzdigital_observations_inserted 0.0" in numbers
        # What comes through a proxy on this machine does not come from this machine.
        through = httpx.get(f"{found.url}/metrics", headers={"X-Forwarded-For": "203.0.113.5"}, timeout=30)
        assert through.status_code == 403
        assert "mainzdigital_" not in through.text
        asked = {"X-Forwarded-For": "203.0.113.5", "Authorization": f"Bearer {second}"}
        assert httpx.get(f"{found.url}/metrics", headers=asked, timeout=30).status_code == 200
        assert httpx.post(f"{found.url}/health", timeout=30).status_code == 405
        assert found.stop() == 0


def test_check_says_what_is_wrong(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, told = findings(home, MAINZDIGITAL_PORT="http")
    assert (code, told["MAINZDIGITAL_PORT"][0]) == (1, "error")

    nowhere = "postgresql://127.0.0.1:1/none"
    code, told = findings(home, MAINZDIGITAL_DATABASE_URL=nowhere, MAINZDIGITAL_SECRET_KEY="a" * 40)
    assert code == 1
    assert told["secret key"] == ("error", "it is easily guessed")
    assert any("does not answer" in message for level, message in told.values() if level == "error")

    (home / "secret_key").write_text("x" * 60)
    (home / "secret_key").chmod(0o644)
    home.chmod(0o755)
    (home / "run" / "feeds.json").write_text(
        json.dumps(
            {
                "at": 0,
                "feeds": [
                    {"name": "bikes", "state": "failing", "failures": 3, "error": "HTTP 500"},
                    {"name": "air", "state": "running", "failures": 0, "error": "", "success": 0.5, "every": 3600.0},
                    {"name": "rain", "state": "failing", "failures": 2, "error": "no", "success": 60.0, "every": 60.0},
                ],
            }
        )
    )
    code, told = findings(home, MAINZDIGITAL_HOST="0.0.0.0")
    assert code == 1
    assert told["secret key"][0] == "error"
    assert told["home folder"][0] == "warning"
    assert told["address"][0] == "warning"
    assert told["feed bikes"] == ("error", "failed 3 times: HTTP 500")
    assert told["feed air"] == ("warning", "last success 1970-01-01 00:00 UTC")
    assert told["feed rain"] == ("error", "failed 2 times: no; last success 1970-01-01 00:01 UTC")


def test_check_for_people_names_the_remedy(tmp_path: Path) -> None:
    done = mainzdigital(tmp_path / "home", "check", MAINZDIGITAL_DEBUG="1")
    assert done.returncode == 1
    assert "✗ debug: MAINZDIGITAL_DEBUG is on\n    → unset it" in done.stdout


def test_secrets_are_private(tmp_path: Path) -> None:
    mainzdigital(tmp_path / "home", "check")
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "home" / "secret_key").stat().st_mode) == 0o600


class TestOpenWrite:
    def test_anyone_writes_and_all_is_open(self, tmp_path: Path) -> None:
        with city(tmp_path / "home", "--open-write") as found:
            made = post(found.url)
            assert made.status_code == 201
            assert httpx.get(made.headers["location"], timeout=60).json()["name"] == THING["name"]
            assert found.stop() == 0
        # The same city again, as it was open from its beginning.
        with city(tmp_path / "home", "--open-write") as found:
            assert len(httpx.get(f"{found.url}/sensorthings/v1.1/Things", timeout=60).json()["value"]) == 1

    @pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.org"])
    def test_refused_on_other_addresses(self, tmp_path: Path, host: str) -> None:
        done = mainzdigital(tmp_path / "home", "run", "--open-write", MAINZDIGITAL_HOST=host)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)
        assert "listens on this machine only" in done.stderr
        assert not (tmp_path / "home").exists()

    def test_refused_by_the_variable_too(self, tmp_path: Path) -> None:
        done = mainzdigital(tmp_path / "home", "api", MAINZDIGITAL_HOST="0.0.0.0", MAINZDIGITAL_OPEN_WRITE="1")
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)

    def test_does_not_open_a_city_that_is_there(self, tmp_path: Path) -> None:
        assert mainzdigital(tmp_path / "home", "migrate").returncode == 0
        done = mainzdigital(tmp_path / "home", "run", "--open-write")
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)
        assert "holds a city that is not open" in done.stderr

    def test_refused_with_a_database_of_others(self, tmp_path: Path) -> None:
        url = "postgresql://127.0.0.1/city"
        done = mainzdigital(tmp_path / "home", "run", "--open-write", MAINZDIGITAL_DATABASE_URL=url)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)

    def test_lives_apart_without_a_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from mainzdigital.config import open_write

        monkeypatch.setattr(open_write, "default_home", lambda: tmp_path / "home")
        environ = dict(os.environ)
        environ.pop("MAINZDIGITAL_HOME", None)
        open_write.enter_open_write(environ)
        assert environ["MAINZDIGITAL_HOME"] == str(tmp_path / "home" / "open-write")
