"""Who holds which role now. Own roles, and roles lent by somebody who holds them themself at this moment."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth.models import Permission
from django.db.models import Exists, F, OuterRef, QuerySet

if TYPE_CHECKING:
    from mainzdigital.identity.models import Account, Delegation


def own_roles(account: "Account") -> frozenset[str]:
    return frozenset(account.groups.values_list("name", flat=True))


def delegations_in_force(*, now: datetime) -> "QuerySet[Delegation]":
    """Delegations that count at `now`: begun, not ended, not revoked, lent by an active holder of the role itself."""
    from mainzdigital.identity.models import Account, Delegation

    holds = Account.groups.through.objects.filter(account_id=OuterRef("lender_id"), group_id=OuterRef("role_id"))
    return Delegation.objects.filter(
        Exists(holds), starts__lte=now, ends__gt=now, revoked__isnull=True, lender__is_active=True
    )


def effective_roles(account: "Account", *, now: datetime) -> frozenset[str]:
    """Names of the roles the account has at `now`, in one query."""
    own = account.groups.order_by().values_list("name")
    lent = delegations_in_force(now=now).filter(borrower=account).order_by().values_list(F("role__name"))
    return frozenset(name for (name,) in own.union(lent))


def permissions(roles: Iterable[str]) -> frozenset[str]:
    """Permissions of these roles, as `app.codename`."""
    rows = Permission.objects.filter(group__name__in=list(roles)).order_by()
    return frozenset(f"{app}.{name}" for app, name in rows.values_list("content_type__app_label", "codename"))
