"""The reusable test case of modules: what every module must hold, checked over all that are registered.

A module with models, or with addresses that take arguments, says in `tests/apps/<slug>/samples.py` how to make rows
(`make(count, account)`) and which arguments its URL names take (`arguments(name)`), see Samples. Everything else comes
from its declaration.
"""

import importlib
import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, cast

from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, reverse
from django.utils import translation
from tools.messages import packages, problems

from mainzdigital.config import registry
from mainzdigital.identity import personal, services
from mainzdigital.identity.models import Account
from mainzdigital.kernel.modules import Module

SOURCE = Path(registry.__file__).resolve().parents[2]


class Samples(Protocol):
    """How to fill a module with rows for these tests."""

    def make(self, count: int, account: Account) -> None:
        """Make `count` rows of every kind the module lists; personal ones are about `account`."""

    def arguments(self, name: str) -> Mapping[str, object]:
        """Arguments of the address of this URL name, for a row that `make` made."""


class _NoSamples:
    def make(self, count: int, account: Account) -> None:
        del count, account

    def arguments(self, name: str) -> Mapping[str, object]:
        del name
        return {}


def samples(module: Module) -> Samples:
    name = f"tests.apps.{module.slug}.samples"
    if importlib.util.find_spec(f"tests.apps.{module.slug}") and importlib.util.find_spec(name):
        return cast("Samples", importlib.import_module(name))
    return _NoSamples()


def patterns(module: Module) -> list[URLPattern]:
    urls = importlib.import_module(f"{registry.PACKAGE}.{module.slug}.urls")
    return list(urls.urlpatterns)


def address(module: Module, name: str) -> str:
    return reverse(f"{module.slug}:{name}", kwargs=dict(samples(module).arguments(name)))


def account_with(*roles: str, name: str = "somebody") -> Account:
    return services.create_account(username=name, password=None, email=f"{name}@stadt.example", roles=roles)


def permitted(module: Module, name: str = "permitted") -> Account:
    """An account with every permission of the module, by a group made for the purpose."""
    from django.contrib.auth.models import Permission

    account = account_with("clerk", name=name)
    group = Group.objects.get_or_create(name=f"all of {module.slug}")[0]  # groups outlive a test
    group.permissions.set(Permission.objects.filter(content_type__app_label=module.slug))
    account.groups.add(group)
    return account


def signed_in(account: Account) -> Client:
    """A client whose account has just given its password."""
    from allauth.account.internal.flows.login import record_authentication
    from django.http import HttpRequest

    client = Client()
    client.force_login(account)
    request = HttpRequest()
    request.session, request.user = client.session, account
    record_authentication(request, account, method="password", reauthenticated=True)
    request.session.save()
    return client


def pages(module: Module) -> Iterator[str]:
    """URL names of the module."""
    for pattern in patterns(module):
        assert pattern.name, f"an address of {module.slug} has no name"
        yield pattern.name


def navigation_resolves(module: Module) -> None:
    for link in module.navigation:
        assert reverse(link.url_name).startswith("/")
    names = set(pages(module))
    assert set(module.public_pages) <= names, "a public page has no address"
    assert set(module.signed_in_pages) <= names, "a page for signed-in accounts has no address"
    assert not set(module.public_pages) & set(module.signed_in_pages)


def denied_by_default(module: Module) -> None:
    """Anonymous and an account without a role: 302 to sign-in or 403, by GET and POST, on all that is not public."""
    samples(module).make(1, account_with(name="owner"))
    nobody = signed_in(account_with(name="nobody"))
    anonymous = Client()
    for name in pages(module):
        if name in module.public_pages:
            assert anonymous.get(address(module, name)).status_code == 200
            continue
        url = address(module, name)
        for method in ("get", "post"):
            answer = getattr(anonymous, method)(url)
            assert answer.status_code in (302, 403), f"{method} {url} is open to everybody: {answer.status_code}"
            if answer.status_code == 302:
                assert answer["Location"].startswith(reverse("account_login")), f"{url} leads to {answer['Location']}"
            if name not in module.signed_in_pages:
                status = getattr(nobody, method)(url).status_code
                assert status in (302, 403), f"{method} {url} is open to every account: {status}"


def answers_who_may(module: Module) -> None:
    """With every permission all pages answer; those that only act (POST) refuse GET with 405, or lead elsewhere."""
    account = permitted(module)
    samples(module).make(1, account)
    client = signed_in(account)
    for name in pages(module):
        url = address(module, name)
        assert client.get(url).status_code in (200, 302, 405), f"{url} answers {client.get(url).status_code}"
        assert client.head(url).status_code in (200, 302, 405)
        assert client.delete(url).status_code == 405, f"{url} takes DELETE"


def queries_constant(module: Module) -> None:
    """As many queries for 3 rows as for 1."""
    first, second = permitted(module, "first"), permitted(module, "second")
    counts: dict[tuple[str, int], int] = {}
    for rows, account in ((1, first), (3, second)):
        samples(module).make(rows, account)
        client = signed_in(account)
        client.get("/")  # what a session does once is not counted
        for name in pages(module):
            with CaptureQueriesContext(connection) as seen:
                client.get(address(module, name))
            counts[name, rows] = len(seen)
    for name in pages(module):
        assert counts[name, 1] == counts[name, 3], f"{name}: {counts[name, 1]} queries at 1 row, {counts[name, 3]} at 3"


def german_complete(module: Module) -> None:
    """Every text has its German, and no page that is shown in German holds an English one."""
    package = SOURCE / "mainzdigital" / "apps" / module.slug
    assert package in packages(SOURCE)
    assert problems(package, SOURCE) == []
    account = permitted(module)
    samples(module).make(1, account)
    client = signed_in(account)
    english = _untranslated_ids()
    for name in pages(module):
        answer = client.get(address(module, name), headers={"Accept-Language": "de"})
        if answer.status_code == 200 and answer["Content-Type"].startswith("text/html"):
            assert '<html lang="de"' in answer.content.decode()
            found = {text for text in _texts(answer.content) if text in english}
            assert not found, f"{name} shows English: {sorted(found)}"


def _untranslated_ids() -> set[str]:
    """Message ids of all own packages that read differently in German."""
    from tools.messages import collect

    ids = {str(message.id) for package in packages(SOURCE) for message in collect(package, SOURCE) if message.id}
    with translation.override("de"):
        return {text for text in ids if translation.gettext(text) != text and " " in text}


def _texts(content: bytes) -> set[str]:
    import html

    page = re.sub(r"<(script|style)\b.*?</\1>", "", content.decode(), flags=re.DOTALL)
    return {" ".join(html.unescape(text).split()) for text in re.split(r"<[^>]*>", page)}


def personal_data_leaves(module: Module) -> None:
    """What the module declares as personal is exported, and erased with the account or when its time is over."""
    account = permitted(module)
    samples(module).make(2, account)
    archive = zipfile.ZipFile(io.BytesIO(personal.export(account=account)))
    index = archive.read("index.json").decode()
    for entry in module.personal_data:
        model = apps.get_model(entry.model)
        assert entry.purpose
        assert entry.legal_basis
        assert entry.purpose in index
        if entry.retention_days is not None:
            assert entry.retention_days > 0
            assert personal.clock(model)
    expected = {entry: list(personal.rows(entry, account=account)) for entry in module.personal_data}
    for entry, rows in expected.items():
        if model_is_own(module, entry.model):
            assert rows, f"samples.make makes no {entry.model} about the account"
            name = f"{module.slug}/{entry.model.split('.')[1].lower()}-{entry.subject_field}.json"
            assert archive.read(name).decode().count('"id":') >= len(rows)
    personal.erase(account=account)
    for entry, rows in expected.items():
        kept = apps.get_model(entry.model)._default_manager.filter(pk__in=[row.pk for row in rows])
        if entry.retention_days is None and entry.model != "identity.Account":
            assert not kept.exists(), f"{entry.model} outlives the account"
        elif entry.retention_days is not None:
            assert kept.count() == len(rows)


def model_is_own(module: Module, label: str) -> bool:
    return apps.get_model(label).__module__.startswith(f"{registry.PACKAGE}.{module.slug}.")


CHECKS = (
    navigation_resolves, denied_by_default, answers_who_may, queries_constant, german_complete, personal_data_leaves,
)  # fmt: skip
