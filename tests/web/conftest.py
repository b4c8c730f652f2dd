from datetime import UTC, datetime

import psycopg
import pytest
from django.test import Client
from tools.messages import compile_all

from tests.web import city


@pytest.fixture(scope="session", autouse=True)
def _german() -> None:
    compile_all()


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def stations(db: psycopg.Connection, now: datetime) -> dict[str, int]:
    """The small city in the database; ids by name."""
    return city.fill(db, now=now)


@pytest.fixture
def browser(db: psycopg.Connection) -> Client:
    """A person without account who reads German."""
    return Client(headers={"accept-language": "de"})
