"""Debian's PostgreSQL as a server of its own, for tests of what is moved to it or comes from it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from mainzdigital.config import embedded, pgtools


def programs() -> Path:
    """Folder of Debian's server, of a major version before that of the wheel; skips where there is none."""
    found = [
        folder
        for folder in sorted(pgtools.DEBIAN.glob("*/bin"))
        if (folder / "postgres").exists() and 15 <= embedded.version(folder) < embedded.version()
    ]
    if not found:
        pytest.skip("Debian's PostgreSQL is absent (apt install postgresql)")
    return found[-1]


def initialise(data: Path, sockets: Path) -> embedded.Cluster:
    """A cluster made by Debian's server as ours are made."""
    cluster = embedded.Cluster(data, sockets, programs())
    user = embedded.service_user(cluster)
    data.mkdir(mode=0o700, parents=True)
    if user is not None:
        shutil.chown(data, user.pw_uid, user.pw_gid)
    arguments = ("-D", str(data), "-U", "mainzdigital", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
    subprocess.run(embedded.program(cluster, "initdb", *arguments), check=True, capture_output=True, cwd="/")
    embedded.own_sockets(cluster)
    return cluster


@contextmanager
def serving(cluster: embedded.Cluster) -> Iterator[str]:
    """Connection string of a running cluster."""
    with tempfile.NamedTemporaryFile() as log:
        process = embedded.start(cluster, options=("fsync=off", "listen_addresses="), log=Path(log.name))
        try:
            embedded.wait_ready(cluster, process)
            yield cluster.dsn
        finally:
            process.send_signal(2)
            process.wait(60)


@contextmanager
def server() -> Iterator[str]:
    """URL of an ordinary role's own, empty database on Debian's server."""
    folder = Path(tempfile.mkdtemp(prefix="md-pg-"))
    folder.chmod(0o711)
    try:
        cluster = initialise(folder / "data", folder / "run")
        with serving(cluster) as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("CREATE ROLE city LOGIN PASSWORD 'geheim'")
                connection.execute("CREATE DATABASE city OWNER city")
            yield f"postgresql://city:geheim@/city?host={cluster.sockets}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
