"""Personal data of one account: export and erasure, over what all modules declare (kernel.modules.PersonalData).

A declaration's `subject_field` is a foreign key to the account, a path of them, `pk` of the account itself, an email
field or a JSON list of addresses (matched by the account's verified addresses), or a text that holds its pseudonym.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mainzdigital.identity import audit, roles
from mainzdigital.identity.audit import Kind
from mainzdigital.identity.models import Account, Attempts
from mainzdigital.kernel import registry
from mainzdigital.kernel.errors import Conflict
from mainzdigital.kernel.modules import PersonalData

# What proves identity is left out of an export: it is no information about the person, and a leak of it is a break-in.
SECRETS: dict[str, frozenset[str]] = {
    "identity.Account": frozenset({"password"}),
    "identity.ApiKey": frozenset({"digest"}),
    "identity.OutboxMail": frozenset({"message"}),
    "mfa.Authenticator": frozenset({"data"}),
    "usersessions.UserSession": frozenset({"session_key", "data"}),
}


def declarations() -> Iterator[tuple[str, PersonalData]]:
    """(slug of the module, declaration), in the modules' order."""
    for module in registry.modules():
        for entry in module.personal_data:
            yield module.slug, entry


def rows(entry: PersonalData, *, account: Account) -> QuerySet[Any]:
    """The rows of a declared model that are about this account."""
    model = apps.get_model(entry.model)
    found: QuerySet[Any] = model._default_manager.filter(_condition(model, entry.subject_field, account))
    return found.order_by("pk")


def _condition(model: type[models.Model], name: str, account: Account) -> Q:
    if model is Account:
        return Q(pk=account.pk)
    field = model._meta.get_field(name.split("__", maxsplit=1)[0])
    if field.is_relation:
        return Q(**{name: account})
    addresses = list(EmailAddress.objects.filter(user=account, verified=True).values_list("email", flat=True))
    if isinstance(field, models.EmailField):
        return Q(**{f"{name}__in": addresses})
    if isinstance(field, models.JSONField):
        condition = Q(pk__in=[])
        for address in addresses:
            condition |= Q(**{f"{name}__contains": [address]})
        return condition
    return Q(**{name: account.pseudonym.hex})


@transaction.atomic
def export(*, account: Account) -> bytes:
    """A ZIP with one JSON file per kind of data, and an index that says what each is for."""
    index, out = [], io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for slug, entry in declarations():
            name = f"{slug}/{entry.model.split('.')[1].lower()}-{entry.subject_field}.json"
            content = [_plain(row, entry.model) for row in rows(entry, account=account)]
            archive.writestr(name, _json(content))
            index.append(
                {
                    "file": name, "rows": len(content), "purpose": entry.purpose,
                    "legal_basis": entry.legal_basis, "retention_days": entry.retention_days,
                }
            )  # fmt: skip
        archive.writestr("index.json", _json({"account": account.username, "at": timezone.now(), "files": index}))
    audit.record(kind=Kind.EXPORT, object=account.subject, actor=account)
    return out.getvalue()


def _plain(row: models.Model, label: str) -> dict[str, object]:
    left_out = SECRETS.get(label, frozenset())
    values: dict[str, object] = {}
    for field in row._meta.concrete_fields:
        if field.name not in left_out and not isinstance(field, models.BinaryField):
            values[field.name] = field.value_from_object(row)
    if isinstance(row, Account):
        values["roles"] = sorted(row.groups.values_list("name", flat=True))
    return values


def _json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)


@transaction.atomic
def erase(*, account: Account) -> None:
    """Erase an account: what it lives for goes now, what a law keeps for a time goes when that time is over.

    The row stays as an empty shell, so that what others own keeps its reference, to nobody. Its pseudonym goes, so the
    audit log speaks of nobody. Raises Conflict for the last administrator.
    """
    account = Account.objects.select_for_update().get(pk=account.pk)
    others = Account.objects.filter(groups__name=roles.ADMINISTRATION, is_active=True).exclude(pk=account.pk)
    if account.groups.filter(name=roles.ADMINISTRATION).exists() and not others.exists():
        raise Conflict(_("This is the last account of the administration. Give the role to another account first."))
    audit.record(kind=Kind.ERASURE, object=account.subject, actor=account)
    with audit.acting(account):
        account.groups.clear()
    _end_sessions(account)
    for _slug, entry in declarations():
        if entry.retention_days is None and entry.model != "identity.Account":
            rows(entry, account=account).delete()
    Account.objects.filter(pk=account.pk).update(**_shell(account.pk))


def _shell(key: int) -> dict[str, Any]:
    import uuid

    from django.contrib.auth.hashers import make_password

    return {
        "username": f"erased-{key}", "email": "", "display_name": "", "language": "", "organisation": None,
        "trust_level": "", "is_active": False, "last_login": None, "password": make_password(None),
        "pseudonym": uuid.uuid4(), "erased": timezone.now(),
    }  # fmt: skip


def _end_sessions(account: Account) -> None:
    from allauth.usersessions.models import UserSession

    for key in UserSession.objects.filter(user=account).values_list("session_key", flat=True):
        SessionStore(key).delete()


def purge() -> int:
    """Delete ended sessions and what was kept as long as its module declared; returns the rows. A daily job."""
    count = Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]
    count += Attempts.objects.filter(since__lt=timezone.now() - timedelta(days=1)).delete()[0]
    for _slug, entry in declarations():
        if entry.retention_days is not None:
            model = apps.get_model(entry.model)
            limit = timezone.now() - timedelta(days=entry.retention_days)
            count += model._default_manager.filter(**{f"{clock(model)}__lt": limit}).delete()[0]
    return count


def clock(model: type[models.Model]) -> str:
    """The column that says since when a row is kept."""
    names = {field.name for field in model._meta.concrete_fields}
    return next(name for name in ("created", "at", "since") if name in names)
