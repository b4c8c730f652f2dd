"""Backup and restore as an operator exercises them: under load, from damage, in place of another city."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.fault.load import database, load, stored
from tests.house.city import City, city, environment, mainzdigital, wait_for


def result(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    assert done.returncode == 0, done.stderr + done.stdout
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])["result"]
    return found


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A stopped city with a key, a thing, a file and a city.toml; its home and the key."""
    folder = tmp_path_factory.mktemp("furnished")
    home = folder / "home"
    key = mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()
    shipped = Path(__file__).resolve().parents[2] / "src" / "mainzdigital" / "config" / "mainz.toml"
    text = shipped.read_text("utf-8").replace('name = "Mainz"', 'name = "Anderswo"', 1)
    (home / "city.toml").write_text(text, "utf-8")
    (home / "media" / "plans").mkdir()
    (home / "media" / "plans" / "plan.pdf").write_bytes(b"%PDF-1.4 plan")
    (folder / "disk").mkdir()
    (folder / "disk" / "photo.jpg").write_bytes(b"photo")
    (home / "media" / "photos").symlink_to(folder / "disk")
    (folder / "disk" / "round").symlink_to(home / "media")
    (home / "programs").mkdir()
    (home / "programs" / "large").write_bytes(b"x")
    with city(home) as found:
        post_thing(found, key)
        assert found.stop() == 0
    return home, key


@pytest.fixture(scope="module")
def taken(furnished: tuple[Path, str]) -> Path:
    """A backup of the furnished city."""
    home, _ = furnished
    file = home.parent / "city.zip"
    assert result(mainzdigital(home, "backup", str(file), "--json"))["city"] == "Anderswo"
    return file


def post_thing(found: City, key: str) -> None:
    made = httpx.post(
        f"{found.url}/sensorthings/v1.1/Things", json={"name": "Brunnen", "description": "d"},
        headers={"Authorization": f"Bearer {key}"}, timeout=60,
    )  # fmt: skip
    assert made.status_code == 201, made.text


def things(found: City, key: str) -> list[str]:
    headers = {"Authorization": f"Bearer {key}"}
    page = httpx.get(f"{found.url}/sensorthings/v1.1/Things", headers=headers, timeout=60).json()
    return [thing["name"] for thing in page["value"]]


def test_what_was_acknowledged_before_a_backup_is_there_after_it_is_restored(tmp_path: Path) -> None:
    home, other, file = tmp_path / "home", tmp_path / "other", tmp_path / "city.zip"
    key = mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()
    with city(home) as found, load(found, key) as working:
        before = {writer.stream: dict(writer.acknowledged) for writer in working.writers}
        done = mainzdigital(home, "backup", str(file), "--json")
        told = result(done)
        working.progress(found)  # writers were not stopped by it
        assert told["bytes"] == file.stat().st_size
    assert all(len(numbers) >= 20 for numbers in before.values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert result(mainzdigital(home, "backup", str(file), "--verify", "--json"))["rows"] == told["rows"]
    back = result(mainzdigital(other, "restore", str(file), "--json"))
    assert back["rows"] == told["rows"]
    with city(other) as restored:
        for writer in working.writers:
            kept = dict(stored(restored.url, key, writer.stream))
            lost = {n for n, identifier in before[writer.stream].items() if kept.get(n) != identifier}
            assert lost == set()
            assert set(kept) <= set(writer.acknowledged) | writer.unanswered
        # Ids go on where the backup ended: nothing new collides with what is there.
        with load(restored, key):
            pass
        with database(restored) as connection:
            doubled = connection.execute("SELECT id FROM observation GROUP BY id HAVING count(*) > 1").fetchall()
            assert doubled == []


def test_a_restored_city_is_the_same(tmp_path: Path, furnished: tuple[Path, str], taken: Path) -> None:
    home, key = furnished
    done = mainzdigital(tmp_path / "home", "restore", str(taken))
    assert done.returncode == 0, done.stderr
    assert "Anderswo" in done.stdout
    assert "checksums equal" in done.stdout
    for name in ("city.toml", "secret_key", "media/plans/plan.pdf"):
        assert (tmp_path / "home" / name).read_bytes() == (home / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "home" / name).stat().st_mode) == 0o600
    assert (tmp_path / "home" / "media" / "photos" / "photo.jpg").read_bytes() == b"photo"
    assert not (tmp_path / "home" / "programs").exists()
    assert not list((tmp_path / "home").rglob("round"))
    with city(tmp_path / "home") as found:
        assert things(found, key) == ["Brunnen"]

    again = mainzdigital(tmp_path / "home", "restore", str(taken))
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "not empty" in again.stderr
    assert "--replace" in again.stderr


def test_replacing_a_city_asks_and_then_leaves_nothing_of_it(
    tmp_path: Path, furnished: tuple[Path, str], taken: Path
) -> None:
    home = tmp_path / "home"
    former = mainzdigital(home, "key", "create", "--scope", "manage").stdout.strip()
    unasked = subprocess.run(
        [sys.executable, "-m", "mainzdigital", "restore", "--replace", str(taken)],
        env=environment(home), input="n\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert unasked.returncode == 1
    assert "is deleted and replaced" in unasked.stderr
    assert former[:8] in mainzdigital(home, "key", "list").stdout
    assert mainzdigital(home, "restore", "--replace", "--yes", str(taken)).returncode == 0
    with city(home) as found:
        assert things(found, furnished[1]) == ["Brunnen"]
        assert httpx.get(
            f"{found.url}/metrics", headers={"X-Forwarded-For": "203.0.113.5", "Authorization": f"Bearer {former}"}
        ).status_code in {401, 403}  # fmt: skip
        running = mainzdigital(home, "restore", "--replace", "--yes", str(taken))
        assert (running.returncode, running.stderr.count("\n")) == (3, 1)


def test_damage_is_found_and_nothing_is_changed_by_it(tmp_path: Path, taken: Path) -> None:
    size = taken.stat().st_size
    for number, place in enumerate((200, size // 3, size // 2)):
        damaged = tmp_path / f"{number}.zip"
        content = bytearray(taken.read_bytes())
        content[place] ^= 0xFF
        damaged.write_bytes(content)
        done = mainzdigital(tmp_path / "none", "backup", "--verify", str(damaged))
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert "damaged" in done.stderr
    home = tmp_path / "home"
    done = mainzdigital(home, "restore", str(tmp_path / "1.zip"))
    assert done.returncode == 1
    assert not (home / "city.toml").exists()
    assert not (home / "restore.new").exists()
    assert mainzdigital(home, "restore", str(taken)).returncode == 0, "the city is still empty"


def test_what_is_no_backup_is_told(tmp_path: Path, taken: Path) -> None:
    (tmp_path / "half.zip").write_bytes(taken.read_bytes()[:-100])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a.txt", "b")
    for name in ("half.zip", "other.zip", "missing.zip"):
        for arguments in (("backup", "--verify"), ("restore",)):
            done = mainzdigital(tmp_path / "home", *arguments, str(tmp_path / name))
            assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    done = mainzdigital(tmp_path / "home", "backup", str(taken))
    assert done.returncode == 2
    assert "nothing is overwritten" in done.stderr


def _forged(taken: Path, target: Path, *, was: str, becomes: str, member: str = "") -> Path:
    """The backup with another text in its manifest, and perhaps a member more."""
    with zipfile.ZipFile(taken) as source, zipfile.ZipFile(target, "w") as out:
        for name in source.namelist():
            content = source.read(name)
            if name == "manifest.json":
                assert was.encode() in content
                content = content.replace(was.encode(), becomes.encode())
            elif name == was:
                name = becomes  # noqa: PLW2901
            out.writestr(name, content)
        if member:
            out.writestr(member, b"")
    return target


def test_a_backup_does_not_write_outside_of_the_home(tmp_path: Path, taken: Path) -> None:
    forged = _forged(taken, tmp_path / "f.zip", was="files/city.toml", becomes="files/../../evil.toml")
    done = mainzdigital(tmp_path / "a" / "home", "restore", str(forged))
    assert done.returncode == 1
    assert "outside" in done.stderr
    assert list(tmp_path.rglob("evil.toml")) == []


def test_a_table_that_differs_from_its_checksum_undoes_all(tmp_path: Path, taken: Path) -> None:
    with zipfile.ZipFile(taken) as file:
        manifest = json.loads(file.read("manifest.json"))
    thing = next(table for table in manifest["database"]["tables"] if table["name"] == "thing")
    forged = _forged(taken, tmp_path / "f.zip", was=thing["checksum"], becomes="4711")
    home = tmp_path / "home"
    done = mainzdigital(home, "restore", str(forged))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "nothing was changed: the table public.thing differs from its original" in done.stderr
    assert mainzdigital(home, "restore", str(taken)).returncode == 0, "the city is still empty"


def test_a_backup_of_a_newer_version_is_refused(tmp_path: Path, taken: Path) -> None:
    forged = _forged(taken, tmp_path / "f.zip", was='"0003_multi_datastreams"', becomes='"0999_of_tomorrow"')
    done = mainzdigital(tmp_path / "home", "restore", str(forged))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "newer version of the program (schema.0999_of_tomorrow)" in done.stderr


def test_a_backup_that_is_killed_leaves_no_file_of_that_name(tmp_path: Path, furnished: tuple[Path, str]) -> None:
    home, _ = furnished
    file = tmp_path / "city.zip"
    process = subprocess.Popen(
        [sys.executable, "-m", "mainzdigital", "backup", str(file)], env=environment(home), stdout=subprocess.DEVNULL
    )
    wait_for(lambda: list(tmp_path.glob(".*.part")) or file.exists() or process.poll() is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not file.exists() or mainzdigital(home, "backup", "--verify", str(file)).returncode == 0
    time.sleep(0.5)
    assert mainzdigital(home, "backup", str(tmp_path / "next.zip")).returncode == 0


def test_a_restore_that_is_killed_leaves_the_city_as_it_was_or_restored(
    tmp_path: Path, furnished: tuple[Path, str], taken: Path
) -> None:
    home = tmp_path / "home"
    former = mainzdigital(home, "key", "create", "--name", "former").stdout.strip()
    process = subprocess.Popen(
        [sys.executable, "-m", "mainzdigital", "restore", "--replace", "--yes", "--json", str(taken)],
        env=environment(home), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "Restoring" not in (line := process.stdout.readline()):
        assert line, "ended before"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    names = [
        json.loads(line)["result"]["name"] for line in mainzdigital(home, "key", "list", "--json").stdout.splitlines()
    ]
    assert names in (["former"], ["command line"])
    again = mainzdigital(home, "restore", "--replace", "--yes", str(taken))
    assert again.returncode == 0, again.stderr
    assert former[:12] not in mainzdigital(home, "key", "list").stdout


def test_the_checksum_sees_every_change_but_order(conn: psycopg.Connection) -> None:
    from mainzdigital.store import backup

    conn.execute("CREATE TABLE checked (each text, number float8, at timestamptz, more jsonb)")
    try:
        rows = [("a", 0.1 + 0.2, "2026-01-01T00:00Z", '{"b":1}'), (None, float("nan"), "2026-07-01T00:00Z", None)]
        seen = set()
        for changed in (
            rows,
            rows[:1],
            rows + rows[:1],
            [("a", 0.3, *rows[0][2:]), rows[1]],
            [("", *rows[1][1:]), rows[0]],
        ):
            sums = set()
            for ordered in (changed, changed[::-1]):
                conn.execute("TRUNCATE checked")
                for row in ordered:
                    conn.execute("INSERT INTO checked VALUES (%s, %s, %s, %s::jsonb)", row)
                with backup.snapshot(conn.info.dsn) as (connection, _):
                    sums.add(backup.checksum(connection, "public", "checked"))
            assert len(sums) == 1
            seen |= sums
        assert len(seen) == 5
    finally:
        conn.execute("DROP TABLE checked")
