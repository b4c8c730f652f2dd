"""What a copy of the database must agree with: its tables with row counts and checksums, as of one snapshot.

A checksum is the sum over the rows of the first 64 bits of SHA-256 of the row's text. It depends on neither the order
of the rows nor the version of the server, so a backup, a moved database and an upgraded one are compared by it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import psycopg
from psycopg import sql

from mainzdigital.store.connect import connect
from mainzdigital.store.statements import statement

_TABLES = statement(
    "backup.tables",
    """
    SELECT n.nspname, c.relname, greatest(c.reltuples, 0)::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.deptype = 'e')
    ORDER BY n.nspname, c.relname
    """,
)
_SEQUENCES = statement(
    "backup.sequences",
    """
    SELECT schemaname, sequencename, coalesce(last_value, start_value)::bigint FROM pg_sequences
    WHERE schemaname <> 'information_schema' AND schemaname !~ '^pg_' ORDER BY schemaname, sequencename
    """,
)
_PARTITIONS = statement(
    "backup.partitions",
    """
    SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass('observation') ORDER BY c.relname
    """,
)
_EXPORT = statement("backup.snapshot", "SELECT pg_export_snapshot()")
_SIZE = statement("backup.size", "SELECT pg_database_size(current_database())")
_OTHERS = statement(
    "backup.sessions",
    """
    SELECT coalesce(nullif(application_name, ''), usename::text, '') FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    """,
)
# The text of a row depends on these.
_TEXT_FORM = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres';"
    " SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL search_path = pg_catalog, public;"
    " SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0;"
    " SET LOCAL lock_timeout = '120s';"
)
_CHECKSUM = """
SELECT count(*), coalesce(sum(
  ('x' || encode(substr(sha256(convert_to(CAST(ROW(each.*) AS text), 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint::numeric
), 0) FROM ONLY {table} each
"""
_COMPARE = """
DO $mainzdigital$ DECLARE is_rows bigint; is_sum numeric; BEGIN
  SELECT * INTO is_rows, is_sum FROM ({checksum}) found(is_rows, is_sum);
  IF is_rows <> {rows} OR is_sum <> {sum} THEN
    RAISE EXCEPTION 'the table % differs from its original (% rows of %)', {name}, is_rows, {rows};
  END IF;
END $mainzdigital$;
"""
_COMPARE_SEQUENCE = """
DO $mainzdigital$ BEGIN IF (SELECT last_value FROM {sequence}) < {least} THEN
  RAISE EXCEPTION 'the sequence % is behind its original', {name};
END IF; END $mainzdigital$;
"""


class TableState(msgspec.Struct, frozen=True):
    """A table as copied: number of rows and the checksum of them all, a whole number written in decimals."""

    schema: str
    name: str
    rows: int
    checksum: str

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


class SequenceState(msgspec.Struct, frozen=True):
    """A sequence, which a copy may have passed but is never behind of."""

    schema: str
    name: str
    value: int


class DatabaseContent(msgspec.Struct, frozen=True):
    """Everything in a database at one moment. `partitions`: name → bounds; `migrations`: (app, name)."""

    server: int
    bytes: int
    migrations: tuple[tuple[str, str], ...]
    tables: tuple[TableState, ...]
    sequences: tuple[SequenceState, ...]
    partitions: dict[str, str]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


@contextmanager
def snapshot(dsn: str) -> Iterator[tuple[psycopg.Connection, str]]:
    """A connection in a read-only transaction, and the name under which others join its snapshot.

    All tables are held (ACCESS SHARE), so that none goes away before it was copied; writers are not hindered.
    """
    with connect(dsn, name="backup", statement_seconds=None) as connection:
        connection.autocommit = False
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        with connection.transaction():
            connection.execute(_TEXT_FORM)
            named = connection.execute(_EXPORT.sql).fetchone()
            assert named is not None
            if found := tables(connection):
                names = sql.SQL(", ").join(sql.Identifier(schema, name) for schema, name, _ in found)
                connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
            yield connection, str(named[0])


def tables(connection: psycopg.Connection) -> list[tuple[str, str, int]]:
    """(schema, name, estimated rows) of all tables that are not the server's own, partitions one by one."""
    return list(connection.execute(_TABLES.sql).fetchall())


def others(connection: psycopg.Connection) -> list[str]:
    """Who else is connected to this database, by the name of the application."""
    return [str(row[0]) for row in connection.execute(_OTHERS.sql).fetchall()]


def checksum(connection: psycopg.Connection, schema: str, name: str) -> TableState:
    """Count and sum up one table, inside the transaction of `snapshot`."""
    row = connection.execute(sql.SQL(_CHECKSUM).format(table=sql.Identifier(schema, name))).fetchone()
    assert row is not None
    return TableState(schema, name, int(row[0]), str(row[1]))


def content(connection: psycopg.Connection, states: Sequence[TableState]) -> DatabaseContent:
    """The content of the database whose tables are `states`, inside the transaction of `snapshot`."""
    from mainzdigital.store.connect_state import applied_migrations

    size = connection.execute(_SIZE.sql).fetchone()
    assert size is not None
    named = {table.name for table in states}
    return DatabaseContent(
        server=connection.info.server_version // 10_000,
        bytes=int(size[0]),
        migrations=tuple(sorted(applied_migrations(connection))) if "django_migrations" in named else (),
        tables=tuple(states),
        sequences=tuple(SequenceState(*row) for row in connection.execute(_SEQUENCES.sql).fetchall()),
        partitions=dict(connection.execute(_PARTITIONS.sql).fetchall()),
    )


def comparison(expected: DatabaseContent) -> str:
    """A script that raises where the database it runs in differs from `expected`; for the transaction that copied."""
    parts: list[sql.Composable] = [sql.SQL(_TEXT_FORM)]
    for table in expected.tables:
        summed = sql.SQL(_CHECKSUM).format(table=sql.Identifier(table.schema, table.name))
        parts.append(
            sql.SQL(_COMPARE).format(
                checksum=summed, rows=sql.Literal(table.rows), sum=sql.SQL(str(int(table.checksum))),
                name=sql.Literal(table.full_name),
            )
        )  # fmt: skip
    parts += [
        sql.SQL(_COMPARE_SEQUENCE).format(
            sequence=sql.Identifier(sequence.schema, sequence.name), least=sql.Literal(sequence.value),
            name=sql.Literal(f"{sequence.schema}.{sequence.name}"),
        )
        for sequence in expected.sequences
    ]  # fmt: skip
    return "\n".join(part.as_string() for part in parts) + "\n"


# What stands before a copy that takes the place of what is there, in the same transaction.
REPLACE = "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;\n"


def analyse(connection: psycopg.Connection) -> None:
    """Statistics for the planner, which no copy brings along."""
    connection.execute("ANALYZE")
