"""Rows of this module, for the reusable module test case."""

from collections.abc import Mapping

from mainzdigital.apps.about.models import Feedback
from mainzdigital.identity.models import Account


def make(count: int, account: Account) -> None:
    for number in range(count):
        Feedback.objects.create(message=f"Hürde {number}", page="/karte/", name="E", email=account.email)


def arguments(name: str) -> Mapping[str, object]:
    return {"feedback_id": Feedback.objects.latest("id").pk} if name == "feedback_answered" else {}
