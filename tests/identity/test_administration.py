"""The administration: for its role, with a second factor, every change in the audit log."""

from datetime import timedelta

import psycopg
import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.test import Client
from django.utils import timezone

from mainzdigital.identity import services
from mainzdigital.identity.models import Account, AuditEvent
from mainzdigital.kernel.access import Scope
from tests.modules.case import account_with, signed_in

PAGES = ("account", "organisation", "delegation", "apikey", "auditevent", "outboxmail")


@pytest.fixture
def admin(db: psycopg.Connection) -> Account:
    account = account_with("administration", name="chefin")
    TOTP.activate(account, generate_totp_secret())
    return account


def test_only_the_role_comes_in(db: psycopg.Connection) -> None:
    assert Client().get("/verwaltung/")["Location"].startswith("/verwaltung/login/")
    leads_to = Client().get("/verwaltung/login/?next=/verwaltung/identity/account/")
    assert leads_to["Location"] == "/konto/login/?next=%2Fverwaltung%2Fidentity%2Faccount%2F"
    for role in ("citizen", "clerk", "data_steward", "leadership"):
        client = signed_in(account_with(role, name=role))
        for page in ("", *(f"identity/{name}/" for name in PAGES)):
            assert client.get(f"/verwaltung/{page}", follow=True).status_code == 403


def test_a_second_factor_is_asked_for(db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(account_with("administration", name="chefin"))
    answer = client.get("/verwaltung/", follow=True)
    assert answer.request["PATH_INFO"] == "/konto/2fa/"
    monkeypatch.setattr(settings, "STAFF_TWO_FACTOR", False)
    assert client.get("/verwaltung/").status_code == 200


def test_every_page_answers_in_german(admin: Account) -> None:
    services.create_key(name="k", scope=Scope.READ, owner=account_with("clerk", name="clerk"))
    client = signed_in(admin)
    assert "Konten, Rollen, Schlüssel" in client.get("/verwaltung/").content.decode()
    for name in PAGES:
        assert client.get(f"/verwaltung/identity/{name}/").status_code == 200
    log = client.get("/verwaltung/identity/auditevent/").content.decode()
    assert "API-Schlüssel erstellt" in log
    page = client.get(f"/verwaltung/identity/account/{admin.pk}/change/").content.decode()
    assert "Sachbearbeitung" in page


def test_changes_stand_in_the_log(admin: Account) -> None:
    clerk = account_with("clerk", name="clerk")
    client = signed_in(admin)
    groups = [group.pk for group in clerk.groups.all()]
    data = {"username": "clerk", "display_name": "Neu", "email": "clerk@stadt.example", "groups": groups}
    assert client.post(f"/verwaltung/identity/account/{clerk.pk}/change/", data).status_code == 302
    clerk.refresh_from_db()
    assert (clerk.display_name, clerk.is_active) == ("Neu", False)
    event = AuditEvent.objects.filter(kind="administration").latest("id")
    assert (event.actor, event.object, event.origin) == (admin.pseudonym.hex, clerk.subject, "127.0.0.0")
    assert event.details["action"] == "change"
    assert "Neu" not in str(event.details)


def test_granting_and_withdrawing_roles_stands_in_the_log_with_its_author(admin: Account) -> None:
    from django.contrib.auth.models import Group

    clerk = account_with("clerk", name="clerk")
    lead = Group.objects.get(name="leadership")
    data = {"username": "clerk", "email": "clerk@stadt.example", "is_active": "on", "groups": [lead.pk]}
    assert signed_in(admin).post(f"/verwaltung/identity/account/{clerk.pk}/change/", data).status_code == 302
    events = AuditEvent.objects.filter(actor=admin.pseudonym.hex, object=clerk.subject).order_by("id")
    found = {(event.kind, event.details.get("role")) for event in events}
    assert {("role_granted", "leadership"), ("role_withdrawn", "clerk")} <= found


def test_the_log_cannot_be_changed_here(admin: Account) -> None:
    client = signed_in(admin)
    event = AuditEvent.objects.latest("id")
    assert client.post("/verwaltung/identity/auditevent/add/").status_code == 403
    assert client.post(f"/verwaltung/identity/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"/verwaltung/identity/auditevent/{event.pk}/change/", {"kind": "x"}).status_code == 403
    assert client.post(f"/verwaltung/identity/account/{admin.pk}/delete/", {"post": "yes"}).status_code == 403


def test_keys_and_delegations_are_ended_here(admin: Account) -> None:
    clerk = account_with("clerk", name="clerk")
    _plain, key = services.create_key(name="k", scope=Scope.READ, owner=clerk)
    now = timezone.now()
    lent = services.delegate(
        lender=clerk, borrower=admin, role="clerk", starts=now, ends=now + timedelta(days=1), reason="r"
    )
    client = signed_in(admin)
    client.post("/verwaltung/identity/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    client.post("/verwaltung/identity/delegation/", {"action": "end", "_selected_action": [lent.pk]})
    key.refresh_from_db()
    lent.refresh_from_db()
    assert key.revoked is not None
    assert lent.revoked is not None
