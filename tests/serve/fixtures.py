"""Fixtures of everything that talks to a real server process."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from mainzdigital.kernel.access import Scope
from tests.serve.servers import Keys, Running, add_key, client, running


@pytest.fixture(scope="session")
def process(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(dsn, tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def open_process(dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(dsn, tmp_path_factory.mktemp("open"), "--open-write") as server:
        yield server


@pytest.fixture
def keys(conn: psycopg.Connection) -> Keys:
    return Keys(*(add_key(conn, scope) for scope in (Scope.READ, Scope.WRITE, Scope.MANAGE)))


@pytest.fixture
def server(process: Running, conn: psycopg.Connection) -> Running:
    """The server; what is written through it is emptied after the test."""
    return process


@pytest.fixture
def manager(server: Running, keys: Keys) -> Iterator[httpx.Client]:
    with client(server, keys.manage) as found:
        yield found


@pytest.fixture
def writer(server: Running, keys: Keys) -> Iterator[httpx.Client]:
    with client(server, keys.write) as found:
        yield found


@pytest.fixture
def anonymous(server: Running) -> Iterator[httpx.Client]:
    with client(server) as found:
        yield found
