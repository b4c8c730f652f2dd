"""The verbs of identity. Each is one transaction and leaves its mark in the audit log."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mainzdigital.identity import audit, rights, tokens
from mainzdigital.identity.audit import Kind
from mainzdigital.identity.models import Account, ApiKey, Delegation, Organisation
from mainzdigital.identity.roles import CITIZEN, ROLES, scope_of, within
from mainzdigital.kernel.access import Scope
from mainzdigital.kernel.errors import Conflict, Forbidden, InvalidInput


@transaction.atomic
def create_account(
    *,
    username: str,
    password: str | None,
    email: str = "",
    display_name: str = "",
    language: str = "",
    organisation: Organisation | None = None,
    roles: Iterable[str] = (CITIZEN,),
) -> Account:
    """A new account, its address taken as verified; `password=None`: it can only be set by reset. Raises Conflict."""
    account = Account(
        username=username.lower(),
        email=Account.objects.normalize_email(email),
        display_name=display_name,
        language=language,
        organisation=organisation,
    )
    account.set_password(password)
    try:
        account.full_clean()
    except ValidationError as error:
        raise Conflict("; ".join(error.messages), where="account") from None
    account.save()
    if email:
        from allauth.account.models import EmailAddress

        EmailAddress.objects.create(user=account, email=account.email, verified=True, primary=True)
    for role in roles:
        grant_role(account=account, role=role)
    return account


@transaction.atomic
def grant_role(*, account: Account, role: str) -> None:
    """Give a role of the catalogue (roles.ROLES) for good; nothing happens if it is held already."""
    account.groups.add(_group(role))  # receivers.py writes the audit log, also for changes made in the administration


@transaction.atomic
def withdraw_role(*, account: Account, role: str) -> None:
    """Take a role away: what was lent from it ends, and keys that reach further than what is left are revoked."""
    account.groups.remove(_group(role))


def _group(role: str) -> Group:
    if role not in ROLES:
        raise InvalidInput(f"'{role}' is not a role", where="role", remedy=f"the roles are {', '.join(ROLES)}")
    return Group.objects.get_or_create(name=role)[0]


@transaction.atomic
def delegate(
    *, lender: Account, borrower: Account, role: str, starts: datetime, ends: datetime, reason: str
) -> Delegation:
    """Lend a role from `starts` to `ends` (aware). Only what the lender holds can be lent; raises Forbidden."""
    group = _group(role)
    if not ROLES[role].staff or role not in rights.own_roles(lender):
        raise Forbidden(_("You can only delegate a role that you hold yourself."), where="role")
    if lender.pk == borrower.pk or not borrower.is_active:
        raise InvalidInput(_("Choose another, active account."), where="borrower")
    if ends <= starts or ends <= timezone.now():
        raise InvalidInput(_("The end must lie after the beginning and in the future."), where="ends")
    if not reason.strip():
        raise InvalidInput(_("Say why, so that others can follow it."), where="reason")
    delegation = Delegation.objects.create(
        lender=lender, borrower=borrower, role=group, starts=starts, ends=ends, reason=reason.strip()
    )
    audit.record(
        kind=Kind.DELEGATED, object=f"delegation:{delegation.pk}",
        role=role, to=borrower.pseudonym.hex, starts=starts.isoformat(), ends=ends.isoformat(),
    )  # fmt: skip
    return delegation


@transaction.atomic
def revoke_delegation(*, delegation: Delegation) -> None:
    """End a delegation at once; nothing happens if it was revoked before."""
    if Delegation.objects.filter(pk=delegation.pk, revoked__isnull=True).update(revoked=timezone.now()):
        audit.record(kind=Kind.DELEGATION_REVOKED, object=f"delegation:{delegation.pk}")


@transaction.atomic
def create_key(
    *, name: str, scope: Scope, owner: Account | None = None, expires: datetime | None = None
) -> tuple[str, ApiKey]:
    """A new API key: (plain text, to be shown once and never kept; the stored key).

    A person's key reaches no further than the roles they hold themself: lent roles end, keys do not. Raises Forbidden.
    """
    if not name.strip():
        raise InvalidInput(_("Name the key, so that you know later what it is for."), where="name")
    if expires is not None and expires <= timezone.now():
        raise InvalidInput(_("The end must lie in the future."), where="expires")
    if owner is not None and not within(scope, scope_of(rights.own_roles(owner))):
        raise Forbidden(_("Your roles do not reach as far as this key would."), where="scope")
    plain, digest = tokens.new_key()
    key = ApiKey.objects.create(
        name=name.strip(), digest=digest, prefix=tokens.shown(plain), scope=scope.value, owner=owner, expires=expires
    )
    audit.record(kind=Kind.KEY_CREATED, object=f"key:{key.pk}", scope=scope.value)
    return plain, key


@transaction.atomic
def revoke_key(*, key: ApiKey) -> None:
    """End a key at once, in all processes; nothing happens if it was revoked before."""
    if ApiKey.objects.filter(pk=key.pk, revoked__isnull=True).update(revoked=timezone.now()):
        audit.record(kind=Kind.KEY_REVOKED, object=f"key:{key.pk}")


def revoke_keys_beyond(*, account: Account) -> None:
    """Revoke the account's keys that reach further than its own roles do now."""
    limit = scope_of(rights.own_roles(account))
    for key in ApiKey.objects.filter(owner=account, revoked__isnull=True):
        if not within(Scope(key.scope), limit):
            revoke_key(key=key)
