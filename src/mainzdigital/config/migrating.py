"""Migrations: applied by one process at a time, refused where the database is newer than the program."""

from mainzdigital.config import migrations
from mainzdigital.config.exits import Misplaced
from mainzdigital.config.report import Report
from mainzdigital.config.settings import settings
from mainzdigital.store.connect import connect
from mainzdigital.store.zone import configure

_LOCK = 0x6D61696E7A  # advisory lock of the database: hosts that start together migrate one after the other


def migrate(report: Report) -> int:
    """Apply what is missing; number of migrations applied. Raises Misplaced."""
    if migrations.is_current(settings()):
        return 0
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor
    from django.db.utils import Error

    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # a migration takes as long as the data asks for
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            try:
                executor = MigrationExecutor(connection)
                refuse_newer(executor)
                plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
                if plan:
                    report.say(f"{len(plan)} migrations to apply", migrations=len(plan))
                # Without any, too: after it permissions and roles are brought to what the modules declare.
                call_command("migrate", verbosity=0, interactive=False)
                _keep_zone(report)
                migrations.note_current(settings())
                return len(plan)
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    except Error as error:
        raise Misplaced(f"the migration failed: {str(error).strip().splitlines()[0]}") from error


def _keep_zone(report: Report) -> None:
    """Hours and days are cut in the city's time zone, by every process alike: it stands in the database."""
    city = settings()
    with connect(city.dsn, name="zone", statement_seconds=None) as connection:
        if configure(connection, city.city.zone):
            report.say(f"days are those of {city.city.time_zone}", time_zone=city.city.time_zone)


def refuse_newer(executor: "object") -> None:
    """Raise Misplaced when the database has migrations of ours that this version does not know."""
    from django.db.migrations.executor import MigrationExecutor

    assert isinstance(executor, MigrationExecutor)
    loader = executor.loader
    replaced = {key for migration in loader.disk_migrations.values() for key in migration.replaces}
    unknown = sorted(
        f"{app}.{name}"
        for app, name in loader.applied_migrations
        if app in loader.migrated_apps and (app, name) not in loader.disk_migrations and (app, name) not in replaced
    )
    if unknown:
        raise Misplaced(
            f"the database is of a newer version of the program ({unknown[-1]})", remedy="install that version"
        )
