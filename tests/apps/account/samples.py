"""Rows of this module, for the reusable module test case."""

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from mainzdigital.identity import services
from mainzdigital.identity.models import Account, ApiKey, Delegation
from mainzdigital.kernel.access import Scope


def make(count: int, account: Account) -> None:
    services.grant_role(account=account, role="clerk")
    now = timezone.now()
    for number in range(count):
        services.create_key(name=f"Schlüssel {number}", scope=Scope.READ, owner=account)
        for role in ("clerk", "leadership"):
            other = services.create_account(username=f"{account.username}-{role}-{number}", password=None, roles=[role])
            lender, borrower = (account, other) if role == "clerk" else (other, account)
            services.delegate(
                lender=lender, borrower=borrower, role=role, starts=now, ends=now + timedelta(days=1), reason="Urlaub"
            )


def arguments(name: str) -> Mapping[str, object]:
    if name == "key_revoke":
        return {"key_id": ApiKey.objects.latest("id").pk}
    return {"delegation_id": Delegation.objects.latest("id").pk} if name == "delegation_revoke" else {}
