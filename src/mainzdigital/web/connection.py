"""The data core over Django's own connection, so that a page is one session at the database."""

from typing import Any, cast

import psycopg
from django.db import connection


def core() -> psycopg.Connection[Any]:
    """The psycopg connection of this thread; raises django.db.OperationalError when the database is away."""
    connection.ensure_connection()
    return cast("psycopg.Connection[Any]", connection.connection)
