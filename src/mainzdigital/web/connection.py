"""The data core over Django's own connection, so that a page is one session at the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import connection


def core() -> psycopg.Connection[Any]:
    """The psycopg connection of this thread; raises django.db.OperationalError when the database is away."""
    connection.ensure_connection()
    return cast("psycopg.Connection[Any]", connection.connection)


@contextmanager
def core_with_binary() -> Iterator[psycopg.Connection[Any]]:
    """The same for reads that ask for binary answers, which the client-side cursors Django chose cannot give."""
    found = core()
    chosen = found.cursor_factory
    found.cursor_factory = psycopg.Cursor
    try:
        yield found
    finally:
        found.cursor_factory = chosen
