from collections.abc import Callable
from typing import Any

import msgspec
import psycopg
import pytest

from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.exchange.sensorthings.read import read_sync
from mainzdigital.kernel.access import Reader, Scope, reader_for
from mainzdigital.query.odata import QueryOptions, parse_options
from tests.query.city import City, make_partitions
from tests.sensorthings_read.example import example

ROOT = "http://city.example/sensorthings/v1.1"
EVERYTHING = reader_for("key:1", Scope.MANAGE)
Get = Callable[..., Any]


def get_from(conn: psycopg.Connection, address: str, reader: Reader = EVERYTHING) -> Any:
    """The decoded answer to a path with query, or to a whole address."""
    path, _, query = address.removeprefix(ROOT).lstrip("/").partition("?")
    found = parse_path(path)
    options = parse_options(query, found.entity) if found.steps else QueryOptions()
    body = read_sync(conn, reader=reader, path=found, options=options, root=ROOT)
    return body.decode() if found.value else msgspec.json.decode(body) if body else None


@pytest.fixture
def empty_city(conn: psycopg.Connection) -> psycopg.Connection:
    make_partitions(conn)
    return conn


@pytest.fixture
def city(empty_city: psycopg.Connection) -> City:
    found = example()
    found.insert(empty_city)
    return found


@pytest.fixture
def get(conn: psycopg.Connection, city: City) -> Get:
    """Reads the example city as somebody who sees everything."""

    def ask(address: str, reader: Reader = EVERYTHING) -> Any:
        return get_from(conn, address, reader)

    return ask
