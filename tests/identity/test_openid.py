"""Sign-in by OpenID Connect: trust levels, and that no account is taken over."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from mainzdigital.config.accounts import account_settings
from mainzdigital.identity import services
from mainzdigital.identity.models import Account
from mainzdigital.kernel.errors import InvalidInput
from tests.identity.provider import Provider, provider

ENVIRONMENT = {
    "MAINZDIGITAL_OIDC": "bundid stadt",
    "MAINZDIGITAL_OIDC_BUNDID_CLIENT": "city",
    "MAINZDIGITAL_OIDC_BUNDID_SECRET": "s",
    "MAINZDIGITAL_OIDC_BUNDID_TITLE": "BundID",
    "MAINZDIGITAL_OIDC_BUNDID_TRUST": "urn:level:hoch=high urn:level:normal=low",
    "MAINZDIGITAL_OIDC_STADT_URL": "https://anmeldung.stadt.example",
    "MAINZDIGITAL_OIDC_STADT_CLIENT": "c",
    "MAINZDIGITAL_OIDC_STADT_SECRET": "s",
}


@pytest.fixture
def bundid(db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with provider() as found:
        chosen = account_settings(ENVIRONMENT | {"MAINZDIGITAL_OIDC_BUNDID_URL": found.url})
        apps = [entry.app() for entry in chosen.providers]
        monkeypatch.setitem(
            settings.SOCIALACCOUNT_PROVIDERS, "openid_connect", {"APPS": apps, "OAUTH_PKCE_ENABLED": True}
        )
        yield found


def sign_in(client: Client, bundid: Provider, **claims: object) -> HttpResponse:
    bundid.claims = {"sub": "77", **claims}
    start = client.post("/konto/oidc/bundid/login/")
    assert start.status_code == 302
    asked = parse_qs(urlsplit(start["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    answer = client.get("/konto/oidc/bundid/login/callback/", {"code": "c", "state": asked["state"][0]})
    assert isinstance(answer, HttpResponse)
    return answer


def test_all_providers_are_offered(bundid: Provider) -> None:
    page = Client().get("/konto/login/").content.decode()
    assert "BundID" in page
    assert "stadt" in page


def test_a_first_sign_in_makes_a_citizen_of_the_claimed_trust(bundid: Provider) -> None:
    client = Client()
    answer = sign_in(client, bundid, preferred_username="erika", name="Erika Muster", acr="urn:level:hoch")
    assert answer.status_code == 302
    account = Account.objects.get()
    assert (account.display_name, account.trust_level) == ("Erika Muster", "high")
    assert account.roles == {"citizen"}
    assert client.session["trust_level"] == "high"
    assert client.get("/konto/").status_code == 200


@pytest.mark.parametrize("acr", [None, "", "urn:level:unknown", "high"])
def test_an_unknown_level_is_no_trust(bundid: Provider, acr: str | None) -> None:
    sign_in(Client(), bundid, preferred_username="erika", **({} if acr is None else {"acr": acr}))
    assert Account.objects.get().trust_level == ""


def test_the_session_has_the_trust_of_its_sign_in_the_account_the_highest(bundid: Provider) -> None:
    sign_in(Client(), bundid, preferred_username="erika", acr="urn:level:normal")
    assert Account.objects.get().trust_level == "low"
    sign_in(Client(), bundid, acr="urn:level:hoch")
    weak = Client()
    sign_in(weak, bundid, acr="urn:level:normal")
    assert Account.objects.get().trust_level == "high"
    assert weak.session["trust_level"] == "low"


@pytest.mark.parametrize("verified", [True, False])
def test_an_equal_address_or_name_takes_no_account_over(bundid: Provider, verified: bool) -> None:
    owner = services.create_account(
        username="erika", password="x", email="erika@stadt.example", roles=["administration"]
    )
    client = Client()
    sign_in(client, bundid, preferred_username="erika", email="erika@stadt.example", email_verified=verified)
    assert not SocialAccount.objects.filter(user=owner).exists()
    page = client.get("/konto/")
    assert page.status_code == 302 or page.context["user"].pk != owner.pk


def test_an_account_is_connected_by_its_owner_and_disconnected(bundid: Provider) -> None:
    from tests.modules.case import signed_in

    services.create_account(username="erika", password="x", email="erika@stadt.example")
    client = signed_in(Account.objects.get())
    bundid.claims = {"sub": "77", "email": "andere@stadt.example"}
    start = client.post("/konto/oidc/bundid/login/?process=connect")
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    client.get("/konto/oidc/bundid/login/callback/", {"code": "c", "state": state})
    connected = SocialAccount.objects.get()
    assert connected.user == Account.objects.get()
    elsewhere = Client()
    sign_in(elsewhere, bundid)
    assert elsewhere.get("/konto/").context["user"] == Account.objects.get()
    client.post("/konto/3rdparty/", {"account": connected.pk})
    assert not SocialAccount.objects.exists()


def test_a_foreign_state_signs_nobody_in(bundid: Provider) -> None:
    bundid.claims = {"sub": "77", "preferred_username": "erika"}
    client = Client()
    client.get("/konto/oidc/bundid/login/callback/", {"code": "c", "state": "made-up"})
    assert not Account.objects.exists()
    assert "/token" not in bundid.requests


def test_a_sign_in_is_not_begun_by_a_link(bundid: Provider) -> None:
    assert Client().get("/konto/oidc/bundid/login/").status_code == 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"MAINZDIGITAL_OIDC_BUNDID_SECRET": ""}, "MAINZDIGITAL_OIDC_BUNDID_SECRET is missing"),
        ({"MAINZDIGITAL_OIDC": "Bund-ID"}, "no name of a provider"),
        ({"MAINZDIGITAL_OIDC_BUNDID_TRUST": "hoch"}, "maps no acr"),
        ({"MAINZDIGITAL_OIDC_BUNDID_TRUST": "x=very-high"}, "maps no acr"),
        ({"MAINZDIGITAL_SIGN_UP": "yes"}, "MAINZDIGITAL_SIGN_UP is 'yes'"),
        ({"MAINZDIGITAL_MAIL": "http://mail.example"}, "no address of a mail server"),
        ({"MAINZDIGITAL_MAIL": "smtp://mail.example:x"}, "no address of a mail server"),
    ],
)
def test_wrong_settings_name_their_variable(change: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        account_settings(ENVIRONMENT | {"MAINZDIGITAL_OIDC_BUNDID_URL": "https://id.example"} | change)


def test_mail_settings() -> None:
    found = account_settings({"MAINZDIGITAL_MAIL": "smtp://me%40stadt.example:p%2Fw@mail.example"}).mail
    assert (found.host, found.port, found.user, found.password) == ("mail.example", 587, "me@stadt.example", "p/w")
    assert (found.starttls, found.tls) == (True, False)
    assert account_settings({"MAINZDIGITAL_MAIL": "smtps://mail.example"}).mail.tls
    assert "console" in account_settings({}).mail.backend
    assert "p/w" not in repr(found)
