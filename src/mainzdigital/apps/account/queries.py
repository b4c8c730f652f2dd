"""Reads of this module: always of one account, so that nobody reaches another's."""

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from mainzdigital.identity import rights
from mainzdigital.identity.models import Account, ApiKey, Delegation
from mainzdigital.identity.roles import ROLES, Role, scope_of, within
from mainzdigital.kernel.access import Scope
from mainzdigital.kernel.errors import NotFound


def keys_of(account: Account) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(owner=account)


def scopes_for(account: Account) -> list[Scope]:
    """Scopes a new key of this account may have."""
    limit = scope_of(rights.own_roles(account))
    return [scope for scope in Scope if within(scope, limit)]


def delegations_of(account: Account) -> QuerySet[Delegation]:
    """Lent and borrowed, the newest first."""
    both = Delegation.objects.filter(Q(lender=account) | Q(borrower=account))
    return both.select_related("lender", "borrower", "role")


def in_force(account: Account) -> set[int]:
    """Ids of the delegations that count now."""
    found = rights.delegations_in_force(now=timezone.now())
    return set(found.filter(Q(lender=account) | Q(borrower=account)).values_list("pk", flat=True))


def lendable_roles(account: Account) -> list[Role]:
    """Roles the account holds itself and that can be lent: those of staff."""
    held = rights.own_roles(account)
    return [role for role in ROLES.values() if role.name in held and role.staff]


def effective_roles(account: Account) -> list[tuple[Role, bool]]:
    """Roles in force now, each with whether it is lent."""
    own = rights.own_roles(account)
    return [(role, role.name not in own) for role in ROLES.values() if role.name in account.roles]


def account_named(username: str) -> Account:
    """An active account by its user name; raises NotFound."""
    try:
        return Account.objects.get(username=username.strip().lower(), is_active=True)
    except Account.DoesNotExist:
        raise NotFound(gettext("There is no account with this user name."), where="borrower") from None
