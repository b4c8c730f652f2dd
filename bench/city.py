"""A city to measure in: 10,000 datastreams over 30 years, 400 of them long; an embedded database."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
from rich.progress import Progress

THINGS = 400  # with one long datastream each
DATASTREAMS = 10_000
FIRST = datetime(1996, 1, 1, tzinfo=UTC)
LONG_FIRST = datetime(2021, 1, 1, tzinfo=UTC)  # the long ones tell of five years, the others of thirty
END = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = 100_000  # locations without a thing: trees, say
YEAR = timedelta(days=365)
BATCH = 10_000


@contextmanager
def database() -> Iterator[tuple[str, Path]]:
    """A new, migrated database in a temporary home, with durable commits; its connection string and the home."""
    home = Path(tempfile.mkdtemp(prefix="mainzdigital-bench-"))
    os.environ |= {"MAINZDIGITAL_HOME": str(home), "MAINZDIGITAL_SECRET_KEY": "bench" * 8}
    os.environ.pop("MAINZDIGITAL_DATABASE_URL", None)
    from mainzdigital.config import embedded
    from mainzdigital.config.settings import settings

    settings.cache_clear()
    cluster = embedded.Cluster(home / "postgres", settings().socket_folder)
    embedded.initialise(cluster)
    process = _processes[home] = embedded.start(cluster, log=home / "postgres.log")
    try:
        embedded.wait_ready(cluster, process)
        environ = os.environ | {"MAINZDIGITAL_DATABASE_URL": cluster.dsn}
        command = [sys.executable, "-m", "mainzdigital", "migrate"]
        subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)
        yield cluster.dsn, home
    finally:
        stop(home)
        shutil.rmtree(home, ignore_errors=True)


_processes: dict[Path, "subprocess.Popen[bytes]"] = {}


def stop(home: Path) -> None:
    """Stop the database of a home; another may start it."""
    process = _processes.pop(home, None)
    if process is not None:
        process.send_signal(signal.SIGINT)
        process.wait(120)


def make(connection: psycopg.Connection) -> list[int]:
    """Metadata of the city; ids of the datastreams, the long ones first."""
    connection.execute(
        "INSERT INTO thing (name, description, access) "
        "SELECT 'Station ' || n, '', 'open' FROM generate_series(1, 496) n"
    )
    point = '{"type": "Point", "coordinates": [8.27, 50.0]}'
    connection.execute(
        "INSERT INTO location (name, description, access, encoding_type, location) "
        "SELECT name, '', 'open', 'application/geo+json', %s::jsonb FROM thing ORDER BY id",
        (point,),
    )
    connection.execute("INSERT INTO thing_location (thing_id, location_id) SELECT id, id FROM thing")
    connection.execute(_TREES, {"count": PLACES})
    connection.execute(
        "INSERT INTO feature_of_interest (name, description, access, encoding_type, feature) "
        "VALUES ('Mainz', '', 'open', 'application/geo+json', %s::jsonb)",
        (point,),
    )
    connection.execute(
        "INSERT INTO sensor (name, description, access, encoding_type, metadata) "
        "VALUES ('Sensor', '', 'open', 'text/html', '\"\"')"
    )
    connection.execute(
        "INSERT INTO observed_property (name, description, access, definition) VALUES ('PM10', '', 'open', 'urn:pm10')"
    )
    rows = connection.execute(
        "INSERT INTO datastream (name, description, access, observation_type, unit_of_measurement, foi_id, sensor_id, "
        "observed_property_id, thing_id) SELECT 'PM10 ' || n, '', 'open', "
        "'http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement', "
        """'{"name": "microgram per cubic metre", "symbol": "µg/m³", "definition": "ucum:ug/m3"}', 1, 1, 1, """
        "CASE WHEN n <= %(things)s THEN n ELSE %(things)s + 1 + n %% 96 END "
        "FROM generate_series(1, %(datastreams)s) n RETURNING id",
        {"things": THINGS, "datastreams": DATASTREAMS},
    ).fetchall()
    return sorted(row[0] for row in rows)


# Points in and around the city; WKB is a byte order, a type and two doubles.
_TREES: LiteralString = """
  INSERT INTO location (name, description, access, encoding_type, location, geometry, box)
  SELECT 'Tree ' || n, '', 'open', 'application/geo+json',
    jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(x, y)),
    decode('0000000001', 'hex') || float8send(x) || float8send(y), box(point(x, y), point(x, y))
  FROM (SELECT n, 8.15 + (n * 7919::bigint %% 20011) / 100000.0::float8 AS x,
      49.9 + (n * 104729::bigint %% 17011) / 100000.0::float8 AS y
    FROM generate_series(1, %(count)s) n) AS places
"""
# A year of the datastreams [low, high], one row each %(step)s; ids name their month and count on from %(before)s.
_FILL: LiteralString = """
  INSERT INTO observation (id, phenomenon_time, number, datastream_id)
  SELECT ((extract(year FROM t AT TIME ZONE 'UTC') - 1600) * 12 + extract(month FROM t AT TIME ZONE 'UTC') - 1)::bigint
    << 40 | (%(before)s + row_number() OVER ()), t, (d * 7 + extract(epoch FROM t)::bigint / 3600) %% 50, d
  FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 microsecond', %(step)s::interval) t,
    generate_series(%(low)s::int, %(high)s::int) d
"""
_LATEST: LiteralString = """
  INSERT INTO datastream_latest (datastream_id, id, phenomenon_time, number, seq, phenomenon_start, phenomenon_end,
    intervals, features)
  SELECT o.datastream_id, o.id, o.phenomenon_time, o.number, o.seq, f.phenomenon_time, o.phenomenon_time, false, false
  FROM datastream d,
  LATERAL (SELECT * FROM observation WHERE datastream_id = d.id ORDER BY phenomenon_time DESC, seq DESC LIMIT 1) o,
  LATERAL (SELECT * FROM observation WHERE datastream_id = d.id ORDER BY phenomenon_time, seq LIMIT 1) f
"""


def fill(connection: psycopg.Connection, datastreams: list[int], rows: int) -> int:
    """Observations, seven eighths of `rows` in the long datastreams; how many. Rollups and latest follow from them.

    Made inside the database, as 20 million would take long on the way that is measured; the tables are the same.
    """
    from mainzdigital.store import ids, partitions, rollups

    partitions.ensure(connection, range(ids.month_index(FIRST), ids.month_index(END) + 1))
    groups = (
        (LONG_FIRST, (END - LONG_FIRST) / max(rows * 7 // 8 // THINGS, 1), datastreams[0], datastreams[THINGS - 1]),
        (FIRST, (END - FIRST) / max(rows // 8 // (DATASTREAMS - THINGS), 1), datastreams[THINGS], datastreams[-1]),
    )
    done = 0
    with Progress() as progress:
        task = progress.add_task("filling", total=END.year - FIRST.year + 3)
        for year in range(FIRST.year, END.year):
            for first, step, low, high in groups:
                begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
                if begin < first:
                    continue
                start = first + step * -((first - begin) // step)  # the first step that is not before the year
                values = {"before": done, "start": start, "end": end, "step": step, "low": low, "high": high}
                done += connection.execute(_FILL, values).rowcount
            progress.advance(task)
        connection.execute("SELECT setval('observation_sequence', %s)", ((done // ids.BLOCK + 2) * ids.BLOCK + 1,))
        rollups.rebuild(connection)
        progress.advance(task)
        connection.execute(_LATEST)
        progress.advance(task)
        connection.execute("VACUUM ANALYZE")
        partitions.summarise(connection)
        connection.execute("CHECKPOINT")
        progress.advance(task)
    return done
