import asyncio
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from mainzdigital.identity import services, tokens
from mainzdigital.identity.models import Account, ApiKey, AuditEvent
from mainzdigital.kernel.access import AccessClass, Scope
from mainzdigital.kernel.errors import Forbidden, InvalidInput
from mainzdigital.store import keys


def test_a_key_is_found_by_its_digest_until_revoked(db: psycopg.Connection) -> None:
    plain, key = services.create_key(name="bridge", scope=Scope.WRITE)
    found = keys.find_key_sync(db, tokens.digest(plain))
    assert found is not None
    assert (found.id, found.scope, found.expires) == (key.pk, Scope.WRITE, None)
    assert found.reader.subject == f"key:{key.pk}"
    assert found.reader.classes == {AccessClass.OPEN, AccessClass.INTERNAL}
    assert keys.find_key_sync(db, tokens.digest(plain + "x")) is None

    services.revoke_key(key=key)
    assert keys.find_key_sync(db, tokens.digest(plain)) is None


def test_async_finds_the_same(db: psycopg.Connection, dsn: str) -> None:
    plain, _key = services.create_key(name="bridge", scope=Scope.READ)

    async def find() -> keys.FoundKey | None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await keys.find_key(connection, tokens.digest(plain))

    assert asyncio.run(find()) == keys.find_key_sync(db, tokens.digest(plain))


def test_an_ended_key_and_a_closed_account_open_nothing(db: psycopg.Connection) -> None:
    owner = services.create_account(username="clerk", password=None, roles=["clerk"])
    plain, key = services.create_key(
        name="k", scope=Scope.READ, owner=owner, expires=timezone.now() + timedelta(days=1)
    )
    assert keys.find_key_sync(db, tokens.digest(plain)) is not None
    ApiKey.objects.filter(pk=key.pk).update(expires=timezone.now() - timedelta(seconds=1))
    assert keys.find_key_sync(db, tokens.digest(plain)) is None
    ApiKey.objects.filter(pk=key.pk).update(expires=None)
    assert keys.find_key_sync(db, tokens.digest(plain)) is not None
    Account.objects.update(is_active=False)
    assert keys.find_key_sync(db, tokens.digest(plain)) is None


def test_use_is_noted_by_the_day_and_announces_nothing(db: psycopg.Connection) -> None:
    plain, key = services.create_key(name="k", scope=Scope.READ)
    db.execute("LISTEN city_keys")
    keys.find_key_sync(db, tokens.digest(plain))
    key.refresh_from_db()
    assert key.last_used == db.execute("SELECT CURRENT_DATE").fetchone()[0]  # type: ignore[index]
    assert list(db.notifies(timeout=0.1)) == []


def test_revocation_is_announced(db: psycopg.Connection) -> None:
    owner = services.create_account(username="clerk", password=None, roles=["clerk"])
    plain, key = services.create_key(name="k", scope=Scope.READ, owner=owner)
    db.execute("LISTEN city_keys")
    services.revoke_key(key=key)
    assert [note.payload for note in db.notifies(timeout=5, stop_after=1)] == [tokens.digest(plain)]
    Account.objects.filter(pk=owner.pk).update(is_active=False)
    assert [note.payload for note in db.notifies(timeout=5, stop_after=1)] == [""]


def test_a_key_reaches_no_further_than_its_owner(db: psycopg.Connection) -> None:
    owner = services.create_account(username="clerk", password=None, roles=["clerk"])
    with pytest.raises(Forbidden):
        services.create_key(name="k", scope=Scope.MANAGE, owner=owner)
    plain, key = services.create_key(name="k", scope=Scope.WRITE, owner=owner)
    services.grant_role(account=owner, role="leadership")
    services.withdraw_role(account=owner, role="clerk")
    key.refresh_from_db()
    assert key.revoked is not None
    assert keys.find_key_sync(db, tokens.digest(plain)) is None


def test_a_key_needs_a_name_and_a_future(db: psycopg.Connection) -> None:
    with pytest.raises(InvalidInput):
        services.create_key(name=" ", scope=Scope.READ)
    with pytest.raises(InvalidInput):
        services.create_key(name="k", scope=Scope.READ, expires=timezone.now())


def test_neither_log_nor_table_holds_the_key(db: psycopg.Connection) -> None:
    plain, key = services.create_key(name="k", scope=Scope.READ)
    services.revoke_key(key=key)
    secret = plain[tokens.SHOWN :]
    assert [event.kind for event in AuditEvent.objects.order_by("id")] == ["key_created", "key_revoked"]
    for table in ("audit_event", "api_key"):
        rows = db.execute(f"SELECT to_jsonb(t)::text FROM {table} t").fetchall()
        assert rows
        assert not any(secret in text for (text,) in rows)
