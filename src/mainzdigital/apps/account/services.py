"""Writes of this module; keys, delegations, export and erasure are identity's verbs."""

from django.db import transaction

from mainzdigital.identity import audit
from mainzdigital.identity.audit import Kind
from mainzdigital.identity.models import Account


@transaction.atomic
def change_my_data(*, account: Account, display_name: str, language: str) -> None:
    account.display_name, account.language = display_name.strip(), language
    account.save(update_fields=["display_name", "language"])
    audit.record(kind=Kind.ACCOUNT, object=account.subject, actor=account, field="display_name, language")
