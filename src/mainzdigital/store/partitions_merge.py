"""Months older than 24 become years, beside running writers.

Rows are copied first, without a lock that anybody waits for, while triggers note what changes meanwhile. Then, under
a short exclusive lock, the noted instants are copied again and the year takes the place of its months.
"""

import logging
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from mainzdigital.store import partitions
from mainzdigital.store.ids import month_index
from mainzdigital.store.partitions import Partition, year_of
from mainzdigital.store.statements import statement

_log = logging.getLogger(__name__)
_MERGING = 7_301_601  # advisory: one merge at a time
_TRIES = 5

_TRY_LOCK = statement("partitions_merge.try_lock", "SELECT pg_try_advisory_lock(%(lock)s::bigint)")
_KEEP_MAKERS_OUT = statement("partitions_merge.lock", "SELECT pg_advisory_xact_lock(%(lock)s::bigint)")


def merge_old_months(connection: psycopg.Connection, *, now: datetime | None = None) -> int:
    """Merge the months of every year that lies before the recent 24 months wholly; how many years were made.

    Works on a connection of its own. A year that is too busy is left for the next time.
    """
    current = month_index(now or datetime.now(UTC))
    done = 0
    with partitions.own_connection(connection) as own:
        own.execute("SET lock_timeout = '2s'")
        taken = own.execute(_TRY_LOCK.sql, {"lock": _MERGING}).fetchone()
        if taken is None or not taken[0]:
            return 0
        for year, months in _old_months(own, current).items():
            try:
                _merge(own, year, months)
                done += 1
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, _Changed) as error:
                _log.info("%s is merged later: %s", year.name, error)
            finally:
                _clean(own, year, months)
    return done


class _Changed(Exception):
    """Another month of the year was made while its months were copied."""


def _old_months(own: psycopg.Connection, current: int) -> dict[Partition, list[Partition]]:
    years: dict[Partition, list[Partition]] = {}
    for item in partitions.existing(own):
        year = year_of(item.first)
        if item.first == item.last and year.last <= current - partitions.RECENT_MONTHS:
            years.setdefault(year, []).append(item)
    return years


def _new(year: Partition) -> sql.Identifier:
    return sql.Identifier(f"{year.name}_new")


def _noted(year: Partition) -> sql.Identifier:
    return sql.Identifier(f"{year.name}_noted")


def _merge(own: psycopg.Connection, year: Partition, months: list[Partition]) -> None:
    _clean(own, year, months)  # what a merge that was killed left
    start, end = (sql.Literal(bound.isoformat()) for bound in year.bounds)
    own.execute(sql.SQL("CREATE TABLE {} (datastream_id int, phenomenon_time timestamptz)").format(_noted(year)))
    own.execute(sql.SQL("CREATE TABLE {} (LIKE observation INCLUDING ALL)").format(_new(year)))
    # Tells ATTACH what it would else scan the table for.
    own.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT within CHECK (phenomenon_time >= {} AND phenomenon_time < {})").format(
            _new(year), start, end
        )
    )
    for month in months:
        own.execute(
            sql.SQL(
                "CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW "
                "EXECUTE FUNCTION note_observation_change({})"
            ).format(sql.Identifier(month.name), sql.Literal(f"{year.name}_noted"))
        )
    for month in months:
        own.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(_new(year), sql.Identifier(month.name)))
    own.execute(sql.SQL("ANALYZE {}").format(_new(year)))
    for left in reversed(range(_TRIES)):
        try:
            with own.transaction():
                _switch(own, year, months)
            return
        except psycopg.errors.LockNotAvailable:
            if not left:
                raise


def _switch(own: psycopg.Connection, year: Partition, months: list[Partition]) -> None:
    own.execute(_KEEP_MAKERS_OUT.sql, {"lock": partitions.LOCK})
    own.execute("LOCK TABLE observation IN ACCESS EXCLUSIVE MODE")
    if [item for item in partitions.existing(own) if year_of(item.first) == year] != months:
        raise _Changed("another of its months was made")
    new, noted = _new(year), _noted(year)
    own.execute(
        sql.SQL(
            "DELETE FROM {new} n USING {noted} c "
            "WHERE n.datastream_id = c.datastream_id AND n.phenomenon_time = c.phenomenon_time"
        ).format(new=new, noted=noted)
    )
    for month in months:
        table = sql.Identifier(month.name)
        own.execute(
            sql.SQL(
                "INSERT INTO {new} SELECT o.* FROM {old} o JOIN (SELECT DISTINCT * FROM {noted}) c "
                "ON o.datastream_id = c.datastream_id AND o.phenomenon_time = c.phenomenon_time"
            ).format(new=new, old=table, noted=noted)
        )
        own.execute(sql.SQL("ALTER TABLE observation DETACH PARTITION {}").format(table))
        own.execute(sql.SQL("DROP TABLE {}").format(table))
    name = sql.Identifier(year.name)
    own.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(new, name))
    partitions.attach(own, year, year.name)
    own.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT within").format(name))


def _clean(own: psycopg.Connection, year: Partition, months: list[Partition]) -> None:
    """Drop what a merge needs on its way. Where somebody keeps a month locked, the next merge does it."""
    with suppress(psycopg.errors.LockNotAvailable):
        for month in months:
            # Says a notice, no error, where the month is gone; but then nothing else is asked of it either.
            own.execute(sql.SQL("DROP TRIGGER IF EXISTS note_change ON {}").format(sql.Identifier(month.name)))
        own.execute(sql.SQL("DROP TABLE IF EXISTS {}, {}").format(_new(year), _noted(year)))
