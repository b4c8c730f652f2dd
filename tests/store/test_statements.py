import importlib
import pkgutil

import psycopg

import mainzdigital.store
from mainzdigital.store.statements import STATEMENTS


def test_every_statement_is_accepted_by_the_migrated_database(conn: psycopg.Connection) -> None:
    for module in pkgutil.iter_modules(mainzdigital.store.__path__):
        importlib.import_module(f"mainzdigital.store.{module.name}")
    utility = ("TRUNCATE", "LOCK")  # PREPARE takes no utility statements
    prepared = 0
    for one in STATEMENTS.values():
        text = one.preparable()
        if text.split()[0] not in utility:
            conn.execute(f'PREPARE "{one.name}" AS {text}'.encode())
            prepared += 1
    conn.execute("DEALLOCATE ALL")
    assert prepared > 30
