"""Writes of this module."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from mainzdigital.apps.about.models import Feedback


@transaction.atomic
def give_feedback(*, message: str, page: str = "", name: str = "", email: str = "") -> Feedback:
    """Keep a message about accessibility and tell the city's contact by mail, in one transaction."""
    feedback = Feedback.objects.create(message=message, page=page, name=name, email=email)
    contact = settings.CITY.contact
    with translation.override(settings.LANGUAGE_CODE):
        mail = EmailMessage(
            subject=_("Feedback on accessibility no. %(number)d") % {"number": feedback.pk},
            body="\n".join(
                (
                    f"{_('Page')}: {page or '–'}",
                    f"{_('Name')}: {name or '–'}",
                    f"{_('Email address')}: {email or '–'}",
                    "",
                    message,
                )
            ),
            to=[contact.email],
            reply_to=[email] if email else None,
        )
    mail.send()
    return feedback


def mark_answered(*, feedback: Feedback) -> None:
    """Note that a message has been answered; the first time counts."""
    Feedback.objects.filter(pk=feedback.pk, answered__isnull=True).update(answered=timezone.now())
