"""Backup and restore of a city: its database as of one snapshot and the files of its home."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg

from mainzdigital.config import archive, database, home, migrations, pgtools
from mainzdigital.config.exits import Misplaced
from mainzdigital.config.report import Report
from mainzdigital.config.settings import Settings
from mainzdigital.kernel.errors import Conflict
from mainzdigital.store import backup as store
from mainzdigital.store.connect import connect

# Of the home everything is kept but these, with whatever follows a dot: database, sockets, logs, earlier programs.
_LEFT_OUT = ("postgres", "run", "log", "restore", "programs")
_CITY_FILE, _SECRET_KEY = "city.toml", "secret_key"
_TRIES = 3


def files_of(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Path below the home → file, of everything that belongs to a city beside its database."""
    found: dict[str, Path] = {}
    for path in _walk(settings.home):
        name = path.relative_to(settings.home).as_posix()
        if "/" in name or not (name.endswith((".lock", ".part", ".zip")) or name.startswith(".")):
            found[name] = path
    shipped = Path(__file__).with_name("mainz.toml")
    if settings.city_file != shipped and settings.city_file.parent != settings.home:
        # The city's file may stand elsewhere (MAINZDIGITAL_CITY); what it names stands beside it.
        found[_CITY_FILE] = settings.city_file
        for name in (settings.city.logo, settings.city.map.boundary):
            beside = settings.city_file.parent / name
            if name and ".." not in Path(name).parts and not Path(name).is_absolute() and beside.is_file():
                found[name] = beside
    if os.environ.get("MAINZDIGITAL_SECRET_KEY"):
        found.pop(_SECRET_KEY, None)  # not the one in use
    yield from found.items()


def _walk(folder: Path) -> Iterator[Path]:
    """Files of the home in order; through links too, since uploads may lie on another disk, but each folder once."""
    seen = {folder.resolve()}
    for place, folders, names in os.walk(folder, followlinks=True):
        if Path(place) == folder:
            folders[:] = [name for name in folders if name.split(".")[0] not in _LEFT_OUT]
        real = {name: (Path(place) / name).resolve() for name in sorted(folders)}
        folders[:] = [name for name, path in real.items() if path not in seen]
        seen |= set(real.values())
        yield from (path for name in sorted(names) if (path := Path(place) / name).is_file())


def fingerprint(secret_key: str) -> str:
    """Tells whether two signing keys are the same, and nothing else."""
    return hashlib.sha256(f"mainzdigital backup {secret_key}".encode()).hexdigest()[:16]


def back_up(settings: Settings, dsn: str, path: Path, *, report: Report) -> archive.Manifest:
    """Write a backup of a city that may be running; its manifest. Raises InvalidInput, Misplaced."""
    for attempt in range(_TRIES):
        try:
            return _back_up(settings, dsn, path, report=report)
        except (psycopg.errors.UndefinedTable, psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
            # A partition was merged just now; the next snapshot sees it merged.
            if attempt == _TRIES - 1:
                raise Misplaced("the database is being rebuilt", remedy="try again later") from None
            time.sleep(1)
        except psycopg.OperationalError as error:
            raise Misplaced(f"the database does not answer: {str(error).strip().splitlines()[0]}") from None
    raise AssertionError


def _back_up(settings: Settings, dsn: str, path: Path, *, report: Report) -> archive.Manifest:
    with archive.writing(path) as writer, store.snapshot(dsn) as (connection, snapshot):
        taken = datetime.now(UTC)
        content = survey(connection, report=report)
        rows = {table.full_name: table.rows for table in content.tables}
        with report.progress("Copying rows", total=max(content.rows, 1)) as advance, pgtools.dump(
            dsn, server=content.server, snapshot=snapshot, table_done=_counting(rows, advance)
        ) as stream:  # fmt: skip
            writer.add(archive.DATABASE, stream)
        for name, file in files_of(settings):
            try:
                with file.open("rb") as source:
                    writer.add(archive.FILES + name, source)
            except FileNotFoundError:  # a mail that was sent meanwhile
                continue
        manifest = archive.Manifest(
            format=archive.FORMAT, program=version("mainzdigital"), taken=taken.isoformat(timespec="seconds"),
            city=settings.city.name, secret_key=fingerprint(settings.secret_key), database=content,
            members=writer.members,
        )  # fmt: skip
        writer.finish(manifest)
    return manifest


def survey(connection: psycopg.Connection, *, report: Report) -> store.DatabaseContent:
    """Content of the database with a checksum per table, inside `store.snapshot`."""
    found = store.tables(connection)
    states = []
    with report.progress("Summing up rows", total=max(sum(rows for _, _, rows in found), 1)) as advance:
        for schema, name, estimated in found:
            states.append(store.checksum(connection, schema, name))
            advance(estimated)
    return store.content(connection, states)


def _counting(rows: dict[str, int], advance: Callable[[int], None]) -> Callable[[str], None]:
    before = ""

    def begins(table: str) -> None:
        nonlocal before
        advance(rows.get(before, 0))
        before = table

    return begins


def restore(settings: Settings, path: Path, *, replace: bool, report: Report) -> archive.Manifest:
    """Bring a backup into an empty city, or in place of what is there; all of it or nothing.

    Raises AlreadyRunning where the city runs, Conflict where it is not empty or the backup is damaged.
    """
    home.prepare(settings.home)
    with ExitStack() as stack:
        backup = stack.enter_context(archive.reading(path))
        manifest = backup.manifest
        refuse_newer(manifest.database)
        stack.enter_context(home.Lock(settings.home, "city", "restore"))
        if home.free_bytes(settings.home) < (needed := _needed(settings, manifest)):
            raise Misplaced(
                f"the disk of {settings.home} has too little room: {needed // 1_000_000} MB are needed",
                where=str(settings.home), remedy="make room or choose another MAINZDIGITAL_HOME",
            )  # fmt: skip
        dsn = stack.enter_context(database.database_at_hand(settings))
        refuse_content(dsn, replace=replace)
        refuse_sessions(dsn)
        with report.progress("Checking the backup", total=sum(one.bytes for one in manifest.members.values())) as told:
            backup.verify(told)
        staged = stack.enter_context(_staged(settings, backup))
        total = manifest.members[archive.DATABASE].bytes
        with backup.member(archive.DATABASE) as source, report.progress("Restoring", total=total) as advance:
            pgtools.restore(
                source, dsn, before=store.REPLACE if replace else "", after=store.comparison(manifest.database),
                advance=advance,
            )  # fmt: skip
        (settings.home / "run" / "migrated").unlink(missing_ok=True)
        _put_in_place(staged, settings.home)
        with connect(dsn, name="restore", statement_seconds=None) as connection:
            store.analyse(connection)
    return manifest


def _needed(settings: Settings, manifest: archive.Manifest) -> int:
    files = sum(one.bytes for name, one in manifest.members.items() if name != archive.DATABASE)
    return home.NEEDED_BYTES + files + (manifest.database.bytes if settings.embedded else 0)


@contextmanager
def _staged(settings: Settings, backup: archive.Reader) -> Iterator[Path]:
    """The files of the backup on the same disk, ready to be renamed into place."""
    folder = settings.home / "restore.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        for name in backup.manifest.members:
            inside = name.removeprefix(archive.FILES)
            if name == archive.DATABASE or (inside == _SECRET_KEY and os.environ.get("MAINZDIGITAL_SECRET_KEY")):
                continue
            target = folder / inside
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with backup.member(name) as source, os.fdopen(descriptor, "wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(staged: Path, target: Path) -> None:
    for file in sorted(staged.rglob("*")):
        if file.is_file():
            place = target / file.relative_to(staged)
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.move(file, place)  # over links to another disk, too


def refuse_newer(content: store.DatabaseContent) -> None:
    """Raise Conflict where a database has migrations of ours that this version does not know."""
    ours = migrations.shipped()
    unknown = sorted(f"{app}.{name}" for app, name in content.migrations if app in ours and name not in ours[app])
    if unknown:
        raise Conflict(
            f"it is of a newer version of the program ({unknown[-1]})", remedy="install that version or a newer one"
        )


def pending(content: store.DatabaseContent) -> int:
    """Number of our migrations that a database lacks."""
    applied = set(content.migrations)
    return sum((app, name) not in applied for app, names in migrations.shipped().items() for name in names)


def refuse_content(dsn: str, *, replace: bool) -> None:
    """Raise Conflict where a database holds tables and may not be replaced."""
    if replace:
        return
    with connect(dsn, name="restore") as connection:
        found = store.tables(connection)
    if found:
        raise Conflict(
            f"the city is not empty: its database has {len(found)} tables", where="database",
            remedy="name an empty folder in MAINZDIGITAL_HOME or an empty database in MAINZDIGITAL_DATABASE_URL,"
            " or use --replace, which deletes what is there",
        )  # fmt: skip


def refuse_sessions(dsn: str) -> None:
    """Raise Conflict while someone else is connected to the database: nobody writes to what is being copied away."""
    with connect(dsn, name="restore") as connection:
        deadline = time.monotonic() + 5
        while (who := store.others(connection)) and time.monotonic() < deadline:
            time.sleep(0.2)  # what was just closed may still be on its way out
    if who:
        raise Conflict(
            f"the database is in use: {len(who)} connections, such as '{who[0]}'", where="database",
            remedy="stop the city's processes",
        )  # fmt: skip
