"""A city to measure in: 400 Things with one long datastream each, 9,600 short ones beside; an embedded database."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from rich.progress import Progress

THINGS = 400
DATASTREAMS = 10_000
START = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
BATCH = 10_000


@contextmanager
def database() -> Iterator[tuple[str, Path]]:
    """A new, migrated database in a temporary home, with durable commits; its connection string and the home."""
    home = Path(tempfile.mkdtemp(prefix="mainzdigital-bench-"))
    os.environ |= {
        "MAINZDIGITAL_HOME": str(home), "MAINZDIGITAL_SECRET_KEY": "bench" * 8,
        "DJANGO_SETTINGS_MODULE": "mainzdigital.config.django",
    }  # fmt: skip
    os.environ.pop("MAINZDIGITAL_DATABASE_URL", None)
    import django
    from django.core.management import call_command
    from django.db import connections

    from mainzdigital.config import embedded
    from mainzdigital.config.settings import settings

    cluster = embedded.Cluster(home / "postgres", settings().socket_folder)
    embedded.initialise(cluster)
    process = embedded.start(cluster, log=home / "postgres.log")
    try:
        embedded.wait_ready(cluster, process)
        django.setup()
        call_command("migrate", verbosity=0)
        connections.close_all()
        yield cluster.dsn, home
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        shutil.rmtree(home, ignore_errors=True)


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


def fill(connection: psycopg.Connection, datastreams: list[int], rows: int) -> timedelta:
    """A year of observations in the long datastreams, `rows` in all, and one in each short one; the interval."""
    from mainzdigital.ingest.batch import Batch, NewObservation
    from mainzdigital.ingest.write import write

    each = max(rows // THINGS, 1)
    interval = YEAR / each
    write(connection, Batch([NewObservation(one, START, 1.0) for one in datastreams[THINGS:]]))
    per_batch = max(BATCH // THINGS, 1)
    with Progress() as progress:
        task = progress.add_task("filling", total=each)
        for begin in range(0, each, per_batch):
            steps = range(begin, min(begin + per_batch, each))
            batch = [
                NewObservation(one, START + interval * step, float((one * 7 + step) % 50))
                for one in datastreams[:THINGS]
                for step in steps
            ]
            write(connection, Batch(batch))
            progress.advance(task, len(steps))
    connection.execute("VACUUM ANALYZE")
    return interval
