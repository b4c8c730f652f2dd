"""Sign-in, second factor, the portal's read cookie, rate limits and what the audit log says of them."""

import re
from datetime import UTC, datetime
from http import HTTPStatus

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from mainzdigital.identity import services, tokens
from mainzdigital.identity.models import Account, AuditEvent
from mainzdigital.kernel.access import Scope

PASSWORD = "ein langes Geheimnis"


@pytest.fixture
def account(db: psycopg.Connection) -> Account:
    return services.create_account(
        username="erika", password=PASSWORD, email="erika@stadt.example", roles=["clerk"], display_name="Erika Muster"
    )


def sign_in(client: Client, name: str = "erika", password: str = PASSWORD, **more: str) -> int:
    return client.post("/konto/login/", {"login": name, "password": password}, **more).status_code  # type: ignore[arg-type]


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("kind", flat=True))


def reads(client: Client) -> tuple[str, Scope | None] | None:
    cookie = client.cookies.get(tokens.PORTAL_COOKIE)
    return tokens.read_portal(settings.SECRET_KEY, cookie.value, now=datetime.now(UTC)) if cookie else None


@pytest.mark.parametrize("name", ["erika", "ERIKA", "erika@stadt.example", "Erika@Stadt.example"])
def test_name_or_address_and_password_sign_in(account: Account, name: str) -> None:
    client = Client()
    assert sign_in(client, name) == 302
    assert client.get("/konto/").status_code == 200
    assert kinds()[-1] == "sign_in"
    event = AuditEvent.objects.latest("id")
    assert (event.actor, event.object, event.origin) == (account.pseudonym.hex, account.subject, "127.0.0.0")


def test_the_read_cookie_comes_with_sign_in_and_goes_with_sign_out(account: Account) -> None:
    client = Client()
    sign_in(client)
    client.get("/ueber/")
    assert reads(client) == (account.subject, Scope.WRITE)
    cookie = client.cookies[tokens.PORTAL_COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Strict", 900)
    client.post("/konto/logout/")
    assert client.cookies[tokens.PORTAL_COOKIE].value == ""
    assert kinds()[-1] == "sign_out"


def test_the_read_cookie_is_renewed_in_its_second_half_and_when_rights_change(account: Account) -> None:
    client = Client()
    sign_in(client)
    client.get("/ueber/")
    assert tokens.PORTAL_COOKIE not in client.get("/ueber/").cookies
    old = tokens.sign_portal(
        settings.SECRET_KEY, account.subject, Scope.WRITE, now=datetime.now(UTC) - tokens.PORTAL_LIFE * 0.6
    )
    client.cookies[tokens.PORTAL_COOKIE] = old
    assert tokens.PORTAL_COOKIE in client.get("/ueber/").cookies
    services.withdraw_role(account=account, role="clerk")
    assert tokens.PORTAL_COOKIE in client.get("/ueber/").cookies
    assert reads(client) == (account.subject, None)


def test_a_forged_read_cookie_is_replaced_or_taken_away(account: Account) -> None:
    forged = tokens.sign_portal("another secret" * 4, "user:1", Scope.MANAGE, now=datetime.now(UTC))
    client = Client()
    client.cookies[tokens.PORTAL_COOKIE] = forged
    client.get("/ueber/")
    assert client.cookies[tokens.PORTAL_COOKIE].value == ""
    sign_in(client)
    client.cookies[tokens.PORTAL_COOKIE] = forged
    client.get("/ueber/")
    assert reads(client) == (account.subject, Scope.WRITE)


def test_wrong_passwords_tell_nothing_and_end_in_429(account: Account) -> None:
    client = Client()
    answers = [client.post("/konto/login/", {"login": "erika", "password": "falsch"}) for _ in range(40)]
    assert answers[-1].status_code == HTTPStatus.TOO_MANY_REQUESTS
    unknown = Client(REMOTE_ADDR="198.51.100.7").post("/konto/login/", {"login": "niemand", "password": "falsch"})
    known = Client(REMOTE_ADDR="198.51.100.8").post("/konto/login/", {"login": "erika2", "password": "falsch"})
    assert unknown.status_code == known.status_code == 200
    failed = AuditEvent.objects.filter(kind="sign_in_failed")
    assert 0 < failed.filter(origin="127.0.0.0").count() <= 2
    text = str(list(failed.values()))
    assert "erika" not in text
    assert "niemand" not in text
    assert "falsch" not in text


def test_a_flood_of_failures_is_no_flood_of_entries(db: psycopg.Connection) -> None:
    from mainzdigital.identity import audit

    for _ in range(120):
        audit.record_failed_sign_in(name="erika")
    assert list(AuditEvent.objects.order_by("id").values_list("details__count", flat=True)) == [1, 10, 100]


def test_a_limited_address_does_not_lock_others_out(account: Account) -> None:
    attacker = Client(REMOTE_ADDR="203.0.113.9")
    for _ in range(40):
        attacker.post("/konto/login/", {"login": "someone", "password": "falsch"})
    assert attacker.post("/konto/login/", {"login": "erika", "password": PASSWORD}).status_code == 429
    assert sign_in(Client(REMOTE_ADDR="203.0.113.10")) == 302


def test_signing_in_makes_a_new_session(account: Account) -> None:
    client = Client()
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert sign_in(client) == 302
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = before
    assert thief.get("/konto/").status_code == 302


@pytest.mark.parametrize(
    "target", ["https://boese.example/", "//boese.example/", "/\\boese.example", "javascript:alert(1)", "http:///x"]
)
def test_next_leads_nowhere_else(account: Account, target: str) -> None:
    answer = Client().post("/konto/login/", {"login": "erika", "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"
    inside = Client(REMOTE_ADDR="198.51.100.7").post(
        "/konto/login/", {"login": "erika", "password": PASSWORD, "next": "/ueber/"}
    )
    assert inside["Location"] == "/ueber/"


def test_forms_ask_for_their_token(account: Account) -> None:
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client) == 403
    page = client.get("/konto/login/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    answer = client.post("/konto/login/", {"login": "erika", "password": PASSWORD, "csrfmiddlewaretoken": token[1]})
    assert answer.status_code == 302


def test_an_inactive_account_cannot_sign_in(account: Account) -> None:
    Account.objects.update(is_active=False)
    client = Client()
    sign_in(client)
    assert client.get("/konto/").status_code == 302


def code(secret: str) -> str:
    import time

    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def give_code(client: Client, url: str, secret: str) -> str:
    """Give the code of now, and the next one if the half minute ended on the way; the code that was taken."""
    for given in (code(secret), ""):
        last = given or code(secret)
        if client.post(url, {"code": last}).status_code == 302:
            return last
    raise AssertionError("neither code was taken")


def test_the_second_factor_is_asked_for_and_its_seed_encrypted(account: Account) -> None:
    secret = generate_totp_secret()
    TOTP.activate(account, secret)
    assert secret not in str(Authenticator.objects.values_list("data", flat=True).get())
    client = Client()
    assert sign_in(client) == 302
    assert client.get("/konto/").status_code == 302  # half signed in is not signed in
    assert reads(client) is None
    assert client.post("/konto/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client.get("/konto/").status_code == 302
    once = give_code(client, "/konto/2fa/authenticate/", secret)
    assert client.get("/konto/").status_code == 200
    again = Client()
    sign_in(again)
    assert again.post("/konto/2fa/authenticate/", {"code": once}).status_code == 200  # a code works once


def test_setting_up_a_second_factor_by_its_pages(account: Account) -> None:
    client = Client()
    sign_in(client)
    page = client.get("/konto/2fa/totp/activate/").content.decode()
    secret = re.search(r'value="([A-Z2-7]{32})"', page)
    assert secret, page
    give_code(client, "/konto/2fa/totp/activate/", secret[1])
    assert "second_factor" in kinds()
    assert client.get("/konto/2fa/recovery-codes/").status_code == 200


def test_signing_up_makes_a_citizen(db: psycopg.Connection) -> None:
    client = Client()
    data = {"username": "Neu", "email": "", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/konto/signup/", data).status_code == 302
    new = Account.objects.get(username="neu")
    assert new.roles == {"citizen"}
    assert new.scope is None
    assert {"sign_up", "role_granted", "sign_in"} <= set(kinds())


def test_sign_up_can_be_closed(db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ACCOUNT_SIGN_UP_OPEN", False)
    data = {"username": "neu", "email": "", "password1": PASSWORD, "password2": PASSWORD}
    Client().post("/konto/signup/", data)
    assert not Account.objects.exists()


def test_a_forgotten_password_is_reset_by_mail(account: Account) -> None:
    from email import message_from_bytes

    from mainzdigital.identity.models import OutboxMail

    client = Client()
    assert client.post("/konto/password/reset/", {"email": "erika@stadt.example"}).status_code == 302
    mail = message_from_bytes(bytes(OutboxMail.objects.get().message))
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    link = re.search(r"https?://[^/]+(/konto/password/reset/key/\S+)", body.decode())
    assert link
    page = client.get(link[1], follow=True)
    form = page.request["PATH_INFO"]
    new = "ein neues Geheimnis"
    assert client.post(form, {"password1": new, "password2": new}).status_code == 302
    assert sign_in(Client(), password=PASSWORD) == 200
    assert sign_in(Client(REMOTE_ADDR="198.51.100.7"), password=new) == 302
    assert "password_changed" in kinds()


def test_an_unknown_address_is_answered_alike(account: Account) -> None:
    known = Client().post("/konto/password/reset/", {"email": "erika@stadt.example"})
    unknown = Client().post("/konto/password/reset/", {"email": "niemand@stadt.example"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])


def test_the_account_language_is_spoken(account: Account) -> None:
    client = Client()
    sign_in(client)
    assert "Impressum" in client.get("/impressum/").content.decode()
    Account.objects.update(language="en")
    assert "Imprint" in client.get("/impressum/").content.decode()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    assert "Impressum" in client.get("/impressum/").content.decode()


def test_the_cache_is_shared_by_all_processes(db: psycopg.Connection) -> None:
    cache.set("k", 1)
    assert db.execute("SELECT count(*) FROM cache_entry").fetchone() == (1,)


def test_allauth_says_sie(db: psycopg.Connection) -> None:
    """Its German says Du; identity/borrowed.py puts what we show into the formal address."""
    from pathlib import Path

    import allauth
    from babel.messages.pofile import read_po
    from django.utils import translation

    catalogue = Path(allauth.__file__).parent / "locale" / "de" / "LC_MESSAGES" / "django.po"
    with catalogue.open("rb") as file:
        messages = [m for m in read_po(file) if m.id and not any("idp/" in place for place, _line in m.locations)]
    assert len(messages) > 200
    with translation.override("de"):
        shown = {str(m.id): translation.gettext(m.id) for m in messages if isinstance(m.id, str)}
    informal = re.compile(r"\b(du|dein\w*|dich|dir)\b", re.IGNORECASE)
    assert {text for text in shown.values() if informal.search(text)} == set()
