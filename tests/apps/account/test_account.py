"""One's own account, and that nobody reaches another's."""

import io
import json
import zipfile
from datetime import date, timedelta

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from mainzdigital.identity import audit, services, tokens
from mainzdigital.identity.models import Account, ApiKey, AuditEvent, Delegation
from mainzdigital.kernel.access import Scope
from mainzdigital.store.keys import find_key_sync
from tests.modules.case import account_with, signed_in

TODAY = timezone.localdate()


def new_key(client: Client, **fields: str) -> str:
    answer = client.post("/konto/schluessel/neu/", {"name": "Brücke", "scope": "read"} | fields)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return str(answer.context["plain"])


def test_a_key_is_shown_once_and_works_until_revoked(db: psycopg.Connection) -> None:
    client = signed_in(account_with("clerk"))
    plain = new_key(client, expires=(TODAY + timedelta(days=3)).isoformat())
    found = find_key_sync(db, tokens.digest(plain))
    assert found is not None
    assert found.scope is Scope.READ
    page = client.get("/konto/schluessel/").content.decode()
    assert tokens.shown(plain) in page
    assert plain not in page
    client.post(f"/konto/schluessel/{found.id}/widerrufen/")
    assert find_key_sync(db, tokens.digest(plain)) is None


def test_a_key_never_reaches_further_than_its_owner(db: psycopg.Connection) -> None:
    client = signed_in(account_with("clerk"))
    answer = client.post("/konto/schluessel/neu/", {"name": "x", "scope": "manage"})
    assert answer.status_code == 422
    citizen = signed_in(account_with("citizen", name="citizen"))
    assert citizen.post("/konto/schluessel/neu/", {"name": "x", "scope": "read"}).status_code == 422
    assert not ApiKey.objects.exists()


def test_new_keys_export_and_erasure_ask_for_a_fresh_proof(db: psycopg.Connection) -> None:
    client = Client()
    client.force_login(services.create_account(username="a", password="ein langes Geheimnis", roles=["clerk"]))
    for path in ("/konto/schluessel/neu/", "/konto/daten/herunterladen/", "/konto/daten/loeschen/"):
        answer = client.post(path, {"name": "x", "scope": "read", "username": "a"})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/konto/reauthenticate/")
    assert not ApiKey.objects.exists()
    assert Account.objects.get().is_active


def test_others_keys_and_delegations_are_not_there(db: psycopg.Connection) -> None:
    owner, other = account_with("clerk", name="owner"), account_with("clerk", name="other")
    _plain, key = services.create_key(name="k", scope=Scope.READ, owner=owner)
    third = account_with(name="third")
    now = timezone.now()
    lent = services.delegate(
        lender=owner, borrower=third, role="clerk", starts=now, ends=now + timedelta(days=1), reason="r"
    )
    client = signed_in(other)
    assert client.post(f"/konto/schluessel/{key.pk}/widerrufen/").status_code == 404
    assert client.post(f"/konto/vertretungen/{lent.pk}/beenden/").status_code == 404
    key.refresh_from_db()
    lent.refresh_from_db()
    assert (key.revoked, lent.revoked) == (None, None)
    assert key.prefix not in client.get("/konto/schluessel/").content.decode()
    assert signed_in(third).post(f"/konto/vertretungen/{lent.pk}/beenden/").status_code == 302
    lent.refresh_from_db()
    assert lent.revoked is not None


def test_a_role_is_delegated_by_its_page(db: psycopg.Connection) -> None:
    lender, borrower = account_with("clerk", name="lender"), account_with(name="borrower")
    data = {"role": "clerk", "borrower": "Borrower", "starts": TODAY, "ends": TODAY, "reason": "Urlaub"}
    client = signed_in(lender)
    assert client.post("/konto/vertretungen/neu/", data).status_code == 302
    assert Account.objects.get(pk=borrower.pk).roles == {"clerk"}
    assert "Sachbearbeitung" in client.get("/konto/vertretungen/").content.decode()
    for wrong in ({"role": "administration"}, {"borrower": "niemand"}, {"ends": date(2020, 1, 1)}, {"reason": ""}):
        assert client.post("/konto/vertretungen/neu/", data | wrong).status_code == 422
    assert Delegation.objects.count() == 1
    lent_on = signed_in(borrower).post("/konto/vertretungen/neu/", data | {"borrower": "lender"})
    assert lent_on.status_code == 422


def test_my_data_are_changed_and_a_script_stays_text(db: psycopg.Connection) -> None:
    account = account_with("citizen")
    client = signed_in(account)
    script = "<script>alert(1)</script>"
    answer = client.post("/konto/", {"display_name": script, "language": "en"}, follow=True)
    page = answer.content.decode()
    assert '<html lang="en"' in page
    assert script not in page
    assert "&lt;script&gt;" in page
    account.refresh_from_db()
    assert (account.display_name, account.language) == (script, "en")
    assert client.post("/konto/", {"display_name": "x", "language": "xx"}).status_code == 422


def test_the_export_holds_the_data_and_no_secret(db: psycopg.Connection) -> None:
    account = services.create_account(
        username="erika", password="ein langes Geheimnis", email="erika@stadt.example", roles=["clerk"]
    )
    other = account_with("clerk", name="other")
    services.create_key(name="fremd", scope=Scope.READ, owner=other)
    plain, _key = services.create_key(name="eigen", scope=Scope.READ, owner=account)
    client = signed_in(account)
    answer = client.post("/konto/daten/herunterladen/")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    everything = "".join(archive.read(name).decode() for name in archive.namelist())
    mine = json.loads(archive.read("account/account-pk.json"))
    assert [(row["username"], row["email"], row["roles"]) for row in mine] == [
        ("erika", "erika@stadt.example", ["clerk"])
    ]
    assert "eigen" in everything
    for secret in (plain, tokens.digest(plain), account.password, "fremd", str(client.session.session_key)):
        assert secret not in everything
    assert AuditEvent.objects.filter(kind="export", actor=account.pseudonym.hex).count() == 1


def test_erasing_leaves_nothing_of_the_person(db: psycopg.Connection) -> None:
    account = services.create_account(
        username="erika", password="x", email="erika@stadt.example", display_name="Erika Muster", roles=["clerk"]
    )
    pseudonym = account.pseudonym.hex
    plain, _key = services.create_key(name="k", scope=Scope.READ, owner=account)
    elsewhere = signed_in(account)
    client = signed_in(account)
    assert client.post("/konto/daten/loeschen/", {"username": "falsch"}).status_code == 422
    assert Account.objects.get().is_active
    assert client.post("/konto/daten/loeschen/", {"username": "Erika"}).status_code == 200
    assert client.get("/konto/").status_code == 302
    assert elsewhere.get("/konto/").status_code == 302
    assert find_key_sync(db, tokens.digest(plain)) is None
    tables = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    for (table,) in tables:
        rows = db.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t').fetchall()
        for (row,) in rows:
            assert "erika" not in row.lower(), f"{table} still knows: {row}"
    assert AuditEvent.objects.filter(actor=pseudonym, kind="erasure").count() == 1
    assert not Account.objects.filter(pseudonym=pseudonym).exists()


def test_the_last_administrator_stays(db: psycopg.Connection) -> None:
    account = account_with("administration", name="admin")
    assert signed_in(account).post("/konto/daten/loeschen/", {"username": "admin"}).status_code == 422
    assert Account.objects.get().is_active
    account_with("administration", name="second")
    assert signed_in(account).post("/konto/daten/loeschen/", {"username": "admin"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/konto/", "/konto/schluessel/neu/", "/konto/vertretungen/neu/", "/konto/daten/loeschen/"]
)
def test_forms_need_their_token(db: psycopg.Connection, path: str) -> None:
    client = signed_in(account_with("clerk"))
    client.handler.enforce_csrf_checks = True
    assert client.post(path, {"display_name": "x", "username": "somebody"}).status_code == 403
    assert audit.Kind.ERASURE not in set(AuditEvent.objects.values_list("kind", flat=True))


@pytest.mark.parametrize(
    "path",
    [
        "/konto/login/", "/konto/signup/", "/konto/password/reset/", "/konto/password/change/", "/konto/email/",
        "/konto/2fa/", "/konto/2fa/totp/activate/", "/konto/sessions/", "/konto/3rdparty/", "/konto/logout/",
    ],
)  # fmt: skip
def test_pages_of_sign_in_are_german_and_in_the_portals_frame(db: psycopg.Connection, path: str) -> None:
    anonymous = path in ("/konto/login/", "/konto/signup/", "/konto/password/reset/")
    account = services.create_account(username="erika", password="x", email="erika@stadt.example")
    client = Client() if anonymous else signed_in(account)
    answer = client.get(path)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert '<main id="main"' in page
    for english in ("Sign In", "Password", "Email address", "Authenticator App", "Sessions", "Are you sure"):
        assert f">{english}" not in page
