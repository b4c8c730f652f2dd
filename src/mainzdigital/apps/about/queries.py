"""Reads of this module."""

from dataclasses import dataclass

from django.db.models import QuerySet

from mainzdigital.apps.about.models import Feedback
from mainzdigital.kernel import registry
from mainzdigital.kernel.modules import PersonalData


@dataclass(frozen=True, slots=True)
class Processing:
    """What one module does with personal data, for the privacy notice."""

    module: str
    entries: tuple[PersonalData, ...]


def processings() -> list[Processing]:
    """The record of processing, from the declarations of all modules that hold personal data."""
    return [Processing(module.title, module.personal_data) for module in registry.modules() if module.personal_data]


def feedback() -> QuerySet[Feedback]:
    """All feedback, the newest first."""
    return Feedback.objects.order_by("-id")
