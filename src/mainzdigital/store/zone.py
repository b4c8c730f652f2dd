"""The city's time zone, kept in the database so that every process cuts hours and days alike."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql

from mainzdigital.store import rollups
from mainzdigital.store.ids import Database, database_of
from mainzdigital.store.observations import EPOCH
from mainzdigital.store.statements import statement

_ZONE = statement("zone.read", "SELECT city_zone()")
_LOCK = statement("zone.lock_writers", "LOCK TABLE datastream IN EXCLUSIVE MODE")
_HOUR = 3_600_000_000
_zones: dict[Database, ZoneInfo] = {}


def city_zone(connection: psycopg.Connection) -> ZoneInfo:
    """The zone of the connection's database; read once per process."""
    database = database_of(connection)
    zone = _zones.get(database)
    if zone is None:
        row = connection.execute(_ZONE.sql).fetchone()
        assert row is not None
        zone = _zones[database] = ZoneInfo(row[0])
    return zone


def configure(connection: psycopg.Connection, zone: ZoneInfo) -> bool:
    """Make `zone` the city's; True if it was another before. To be called once at start, before anything writes.

    All rollups are then built anew, in the same transaction.
    """
    with connection.transaction():
        row = connection.execute(_ZONE.sql).fetchone()
        assert row is not None
        _zones[database_of(connection)] = zone
        if row[0] == zone.key:
            return False
        connection.execute(_LOCK.sql)
        connection.execute(
            sql.SQL(
                "CREATE OR REPLACE FUNCTION city_zone() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {}"
            ).format(sql.Literal(zone.key))
        )
        rollups.rebuild(connection)
    return True


class HourGrid:
    """Starts of local hours, in microseconds since 2000, as `date_trunc('hour', time, city_zone())` has them."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._even: dict[int, bool] = {}

    def start(self, micros: int) -> int:
        hour = micros - micros % _HOUR
        even = self._even.get(hour)
        if even is None:
            if len(self._even) > 100_000:
                self._even.clear()
            even = self._even[hour] = not (self._offset(hour) % _HOUR or self._offset(hour + _HOUR - 1) % _HOUR)
        if even:
            return hour
        offset = self._offset(micros)
        return (micros + offset) // _HOUR * _HOUR - offset

    def _offset(self, micros: int) -> int:
        """Microseconds that the local clock is ahead of UTC."""
        local = (EPOCH + timedelta(microseconds=micros)).astimezone(self._zone)
        offset = local.utcoffset()
        assert offset is not None
        return round(offset.total_seconds() * 1_000_000)
