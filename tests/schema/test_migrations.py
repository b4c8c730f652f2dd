import psycopg
import pytest
from django.core.management import call_command


def test_models_and_migrations_agree(db: psycopg.Connection) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_unknown_access_class_is_refused(conn: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="thing_access_known"):
        conn.execute("INSERT INTO thing (name, description, access) VALUES ('t', '', 'secret')")
