"""The audit log: one function writes it. Entries name accounts by pseudonym and hold neither secrets nor contents."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from mainzdigital.identity.models import Attempts, AuditEvent
from mainzdigital.identity.origin import client_address, shortened

if TYPE_CHECKING:
    from mainzdigital.identity.models import Account

SYSTEM = "system"
ANONYMOUS = "anonymous"
REQUEST = "request"  # whoever is signed in to the request
_WINDOW = timedelta(hours=1)

# Who acts while a signal of Django writes an entry: (account or word, request). Set by middleware and by services.
_acting: ContextVar[tuple["Account | str", HttpRequest | None]] = ContextVar("acting", default=(SYSTEM, None))


class Kind(StrEnum):
    SIGN_IN = "sign_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_OUT = "sign_out"
    SIGN_UP = "sign_up"
    PASSWORD = "password_changed"  # noqa: S105  # a kind of event
    SECOND_FACTOR = "second_factor"
    CONNECTION = "connection"
    ACCOUNT = "account_changed"
    KEY_CREATED = "key_created"
    KEY_REVOKED = "key_revoked"
    ROLE_GRANTED = "role_granted"
    ROLE_WITHDRAWN = "role_withdrawn"
    DELEGATED = "delegated"
    DELEGATION_REVOKED = "delegation_revoked"
    ADMINISTRATION = "administration"
    EXPORT = "export"
    ERASURE = "erasure"


TITLES: dict[Kind, str] = {
    Kind.SIGN_IN: _("Signed in"),
    Kind.SIGN_IN_FAILED: _("Sign-in failed"),
    Kind.SIGN_OUT: _("Signed out"),
    Kind.SIGN_UP: _("Signed up"),
    Kind.PASSWORD: _("Password changed"),
    Kind.SECOND_FACTOR: _("Second factor changed"),
    Kind.CONNECTION: _("Connected sign-in changed"),
    Kind.ACCOUNT: _("Account changed"),
    Kind.KEY_CREATED: _("API key created"),
    Kind.KEY_REVOKED: _("API key revoked"),
    Kind.ROLE_GRANTED: _("Role granted"),
    Kind.ROLE_WITHDRAWN: _("Role withdrawn"),
    Kind.DELEGATED: _("Role delegated"),
    Kind.DELEGATION_REVOKED: _("Delegation revoked"),
    Kind.ADMINISTRATION: _("Changed in the administration"),
    Kind.EXPORT: _("Data exported"),
    Kind.ERASURE: _("Account erased"),
}


@contextmanager
def acting(actor: "Account | str", request: HttpRequest | None = None) -> Iterator[None]:
    """Entries written inside name this actor; without `request` the one around it stays."""
    token = _acting.set((actor, request if request is not None else _acting.get()[1]))
    try:
        yield
    finally:
        _acting.reset(token)


def record(*, kind: Kind, object: str = "", actor: "Account | str | None" = None, **details: object) -> AuditEvent:  # noqa: A002
    """Write one entry in the caller's transaction. `details` are few, short, and hold nothing personal or secret."""
    around, request = _acting.get()
    who = around if actor is None else actor
    return AuditEvent.objects.create(
        kind=kind.value,
        actor=_name(who, request),
        object=object,
        origin=shortened(client_address(request)) if request is not None else "",
        details=details,
    )


def _name(who: "Account | str", request: HttpRequest | None) -> str:
    if who == REQUEST:  # resolved late: signing in changes who acts within one request
        user = getattr(request, "user", None)
        return user.pseudonym.hex if user is not None and user.is_authenticated else ANONYMOUS
    return who if isinstance(who, str) else who.pseudonym.hex


def record_failed_sign_in(*, name: str) -> None:
    """Count a failed sign-in; written at the 1st, 10th, 100th … within an hour from one network for one name.

    The name may be anything, even a password typed into the wrong field, so only a keyed digest of it is kept.
    """
    secret = settings.SECRET_KEY.encode()
    mark = hmac.new(secret, f"sign-in\0{name.lower()}".encode("utf-8", "replace"), "sha256").hexdigest()
    request = _acting.get()[1]
    origin = shortened(client_address(request)) if request is not None else ""
    count = _count(hashlib.sha256(f"{origin}|{mark}".encode()).hexdigest())
    if count == 10 ** (len(str(count)) - 1):
        record(kind=Kind.SIGN_IN_FAILED, actor=ANONYMOUS, name=mark[:16], count=count)


def _count(key: str) -> int:
    now = timezone.now()
    with transaction.atomic():
        Attempts.objects.filter(key=key, since__lt=now - _WINDOW).delete()
        Attempts.objects.get_or_create(key=key, defaults={"since": now, "count": 0})
        Attempts.objects.filter(key=key).update(count=F("count") + 1)
        return Attempts.objects.values_list("count", flat=True).get(key=key)
