"""What the work process does to the store from time to time; every function commits for itself."""

from datetime import UTC, datetime, timedelta

import psycopg

from mainzdigital.store import changes, idempotency, observations, rollups
from mainzdigital.store.partitions import make_ahead, summarise
from mainzdigital.store.partitions_merge import merge_old_months

__all__ = ["make_ahead", "merge_old_months", "purge", "repair_rollups", "summarise"]

_BATCH = 500
KEYS_KEPT = timedelta(days=7)
CHANGES_KEPT = timedelta(days=30)


def repair_rollups(connection: psycopg.Connection, *, limit: int = 10_000) -> int:
    """Recompute hours that writers left stale; how many. Locks few datastreams at a time and waits for writers."""
    done = 0
    while done < limit:
        hours = rollups.stale(connection, limit=min(_BATCH, limit - done))
        if not hours:
            break
        with connection.transaction():
            observations.lock_datastreams(connection, [datastream for datastream, _ in hours])
            rollups.recompute(connection, hours, emptied=True)
            rollups.repaired(connection, hours)
        done += len(hours)
    return done


def purge(connection: psycopg.Connection, *, now: datetime | None = None) -> None:
    """Forget idempotency keys after 7 days and entries of the change log after 30."""
    now = now or datetime.now(UTC)
    with connection.transaction():
        idempotency.purge(connection, now - KEYS_KEPT)
        changes.purge(connection, now - CHANGES_KEPT)
