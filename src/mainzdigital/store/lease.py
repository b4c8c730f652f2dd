"""Leases: advisory locks of the database that end with the connection, so that one process of many does a thing."""

import psycopg


def take(connection: psycopg.Connection, number: int) -> bool:
    """Take the lease `number` (signed 64 bit) for as long as the connection lives; False if another has it."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (number,)).fetchone()
    return bool(row and row[0])


def release_all(connection: psycopg.Connection) -> None:
    connection.execute("SELECT pg_advisory_unlock_all()")
