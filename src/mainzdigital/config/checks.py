"""What `mainzdigital check` looks at: each check yields findings that say what is wrong and what to do."""

import json
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Literal

import psycopg

from mainzdigital.config import database, embedded, home, migrations, port
from mainzdigital.config.exits import AlreadyRunning, explain
from mainzdigital.config.settings import Settings, is_loopback
from mainzdigital.kernel.errors import CityError

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    subject: str
    message: str
    remedy: str = ""


Check = Callable[[Settings], Iterator[Finding]]


def findings(settings: Settings) -> Iterator[Finding]:
    """All findings, in the order in which an operator should look at them."""
    for check in CHECKS:
        try:
            yield from check(settings)
        except CityError as error:
            yield Finding("error", check.__name__, error.message, error.remedy)
        except OSError as error:
            known = explain(error)
            yield Finding("error", check.__name__, str(known or error), known.remedy if known else "")


def installation(settings: Settings) -> Iterator[Finding]:
    if settings.embedded:
        yield Finding("ok", "database programs", f"embedded PostgreSQL {embedded.version()}")
        embedded.check(database.cluster_of(settings))
    manifest = Path(__file__).resolve().parent.parent / "web" / "static" / "built" / ".vite" / "manifest.json"
    if manifest.exists() or manifest.parent.parent.joinpath("manifest.json").exists():
        yield Finding("ok", "front end", "built")
    else:
        yield Finding(
            "error", "front end", "maps and charts are not built", "run in frontend/: npm ci && npm run build"
        )


def folder(settings: Settings) -> Iterator[Finding]:
    home.prepare(settings.home)
    mode = stat.S_IMODE(settings.home.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "warning", "home folder", f"{settings.home} is open to other users", f"run: chmod 700 {settings.home}"
        )
    else:
        yield Finding("ok", "home folder", str(settings.home))
    if os.geteuid() == 0:
        yield Finding("warning", "user", "runs as root", "run it as a user of its own; deploy/ has a systemd unit")


def disk(settings: Settings) -> Iterator[Finding]:
    free = home.free_bytes(settings.home)
    text = f"{free / 1e9:.1f} GB free at {settings.home}"
    if free < home.NEEDED_BYTES:
        yield Finding("error", "disk", text, "make room: below 0.3 GB the city does not start")
    elif free < 10 * home.NEEDED_BYTES:
        yield Finding("warning", "disk", text, "make room soon")
    else:
        yield Finding("ok", "disk", text)


def city(settings: Settings) -> Iterator[Finding]:
    from mainzdigital.config.portal import boundary

    yield Finding("ok", "city", f"{settings.city.name}, from {settings.city_file}")
    boundary(settings.city, settings.city_file.parent)
    if settings.city.contact.email.endswith(".example"):
        yield Finding("warning", "city", "the contact is the demo's", "write your own city.toml into the home folder")
    if settings.city.logo and not (settings.city_file.parent / settings.city.logo).is_file():
        yield Finding("error", "city", f"there is no file {settings.city.logo}", "correct `logo` in city.toml")
    import_module("django").setup()  # the modules' declarations are checked against roles, which Django holds
    from mainzdigital.config import registry

    yield Finding("ok", "modules", ", ".join(module.slug for module in registry.modules()) or "none")


def secrets(settings: Settings) -> Iterator[Finding]:
    if len(set(settings.secret_key)) < 12:
        yield Finding("error", "secret key", "it is easily guessed", "remove MAINZDIGITAL_SECRET_KEY: one is made")
    file = settings.home / "secret_key"
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding("error", "secret key", f"others can read {file}", f"run: chmod 600 {file}")
    if settings.debug:
        yield Finding("error", "debug", "MAINZDIGITAL_DEBUG is on", "unset it: it shows the program's inside")
    if settings.open_write:
        yield Finding("warning", "open write", "anyone on this machine may write", "for suites and classrooms only")
    if not is_loopback(settings.host) and not settings.origin.startswith("https://"):
        yield Finding(
            "warning", "address", f"{settings.origin} is not encrypted",
            "put a proxy with TLS before it and name the public address in MAINZDIGITAL_ORIGIN",
        )  # fmt: skip


def running(settings: Settings) -> Iterator[Finding]:
    lock = home.Lock(settings.home, "city", "check")
    try:
        lock.acquire()
    except AlreadyRunning:
        yield from _ready(settings, lock.holder())
        return
    lock.release()
    port.require_free(settings.host, settings.port)
    yield Finding("ok", "processes", f"not running; port {settings.port} is free")


def _ready(settings: Settings, holder: dict[str, object]) -> Iterator[Finding]:
    from http.client import HTTPConnection, HTTPException

    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = HTTPConnection(host, settings.port, timeout=10)
    try:
        connection.request("GET", "/ready")
        answer = json.loads(connection.getresponse().read())
    except (OSError, HTTPException, ValueError) as error:
        yield Finding(
            "error", "processes", f"running (process {holder.get('pid')}), but port {settings.port} does not answer: "
            f"{error}", f"see {settings.home / 'log' / 'city.log'}",
        )  # fmt: skip
        return
    finally:
        connection.close()
    wrong = {name: reason for name, reason in answer.get("parts", {}).items() if reason != "ok"}
    for name, reason in wrong.items():
        yield Finding("error", name, str(reason), f"see {settings.home / 'log' / 'city.log'}")
    if not wrong:
        yield Finding("ok", "processes", f"running and ready (process {holder.get('pid')})")


def tables(settings: Settings) -> Iterator[Finding]:
    from mainzdigital.store.connect import connect
    from mainzdigital.store.connect_state import state

    if settings.embedded and not (settings.home / "postgres" / "postmaster.pid").exists():
        yield Finding("ok", "database", "not running; `mainzdigital run` starts it")
        return
    database.require(settings.dsn)
    try:
        with connect(settings.dsn, name="check") as connection:
            before = datetime.now(UTC)
            found = state(connection, expected=migrations.expected())
            between = before + (datetime.now(UTC) - before) / 2
    except psycopg.Error as error:
        yield Finding("error", "database", str(error).strip(), "see the server's log")
        return
    yield Finding("ok", "database", f"{found.bytes / 1e6:.0f} MB, {found.connections} connections")
    if found.missing_migrations:
        yield Finding(
            "error", "tables", f"migrations are missing: {', '.join(found.missing_migrations)}",
            "run: mainzdigital migrate",
        )  # fmt: skip
    if found.connections > 0.9 * found.most_connections:
        yield Finding(
            "warning", "database", f"{found.connections} of {found.most_connections} connections are taken",
            "raise max_connections",
        )  # fmt: skip
    if abs(found.now - between) > timedelta(seconds=5):
        yield Finding(
            "error", "clock", f"this machine and the database differ by {abs(found.now - between)}",
            "keep both by NTP: times of observations and of sign-in depend on it",
        )  # fmt: skip
    if found.stale_hours > 10_000:
        yield Finding(
            "warning", "rollups", f"{found.stale_hours} hours wait to be recomputed; answers are right, but slower",
            "is `mainzdigital work` running?",
        )  # fmt: skip
    if found.failed_jobs:
        yield Finding("warning", "jobs", f"{found.failed_jobs} failed", "see the log of `work` for the reasons")
    if found.newest is not None and found.now - found.newest > timedelta(days=1):
        yield Finding(
            "warning", "observations", f"the newest is of {found.newest:%Y-%m-%d %H:%M} UTC", "look at the sources"
        )


def feeds(settings: Settings) -> Iterator[Finding]:
    file = settings.home / "run" / "feeds.json"
    try:
        told = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        yield Finding("warning", "feeds", f"{file} cannot be read", "restart `mainzdigital ingest`")
        return
    old = time.time() - told["at"] > 60
    for feed in told["feeds"]:
        success = feed.get("success")
        last = (
            f"last success {datetime.fromtimestamp(success, UTC):%Y-%m-%d %H:%M} UTC" if success else "no success yet"
        )
        if feed["state"] == "failing":
            text = f"failed {feed['failures']} times: {feed['error']}" + (f"; {last}" if "success" in feed else "")
            yield Finding("error", f"feed {feed['name']}", text, "look at the source and its settings")
        elif success and time.time() - success > 3 * feed["every"] + 300:
            yield Finding("warning", f"feed {feed['name']}", last, "is `mainzdigital ingest` running?")
        elif not old:
            text = feed["state"] + (f", {last}" if "success" in feed else "")
            yield Finding("ok", f"feed {feed['name']}", text)


def modules(settings: Settings) -> Iterator[Finding]:
    """What the modules themselves look at; only where the database can be asked."""
    from mainzdigital.config import registry

    wanted = [(module.slug, name, check) for module in registry.modules() for name, check in module.checks.items()]
    if not wanted or (settings.embedded and not (settings.home / "postgres" / "postmaster.pid").exists()):
        return
    for slug, name, check in wanted:
        told = check()
        for message in told:
            yield Finding("error", f"{slug}: {name}", message)
        if not told:
            yield Finding("ok", f"{slug}: {name}", "fine")


CHECKS: tuple[Check, ...] = (
    installation, folder, disk, city, secrets, running, tables, feeds, modules,
)  # fmt: skip
