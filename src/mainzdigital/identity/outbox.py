"""Mail leaves in two steps: written in the transaction that causes it, sent by the work process.

`Outbox` is Django's mail backend, so everything that sends mail, allauth too, takes this way.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.utils import timezone

from mainzdigital.identity.models import OutboxMail

# Waits between attempts; the last failure of the row gives up. Together about two days.
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))


class Outbox(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        now = timezone.now()
        rows = [
            OutboxMail(
                recipients=message.recipients(),
                sender=message.from_email,
                subject=str(message.subject)[:500],
                message=message.message().as_bytes(),
                due=now,
            )
            for message in email_messages
            if message.recipients()
        ]
        OutboxMail.objects.bulk_create(rows)
        return len(rows)


def deliver(*, limit: int = 100) -> int:
    """Send what is due, each mail in its own transaction; returns how many went out.

    Several processes may call it at once: a row in work is skipped by the others.
    """
    sent = 0
    for _ in range(limit):
        with transaction.atomic():
            now = timezone.now()
            due = OutboxMail.objects.select_for_update(skip_locked=True).filter(due__lte=now).order_by("due")
            mail = due.first()
            if mail is None:
                break
            sent += _send(mail)
    return sent


def _send(mail: OutboxMail) -> bool:
    mail.attempts += 1
    try:
        with get_connection(settings.MAIL_BACKEND) as connection:
            connection.send_messages([_Kept(mail)])
    except OSError as error:  # smtplib's errors are OSErrors
        more = mail.attempts <= len(BACK_OFF)
        mail.due = timezone.now() + BACK_OFF[mail.attempts - 1] if more else None
        mail.error = f"{type(error).__name__}: {error}"[:300]
        mail.save(update_fields=["attempts", "due", "error"])
        return False
    mail.sent, mail.due, mail.error, mail.message = timezone.now(), None, "", b""
    mail.save(update_fields=["attempts", "sent", "due", "error", "message"])
    return True


class _Kept(EmailMessage):
    """A stored MIME message, in the form Django's backends take."""

    def __init__(self, mail: OutboxMail) -> None:
        super().__init__(subject=mail.subject, from_email=mail.sender, to=mail.recipients)
        self._bytes = bytes(mail.message)

    def message(self, *, policy: Any = None) -> Any:
        return _Mime(self._bytes)


class _Mime:
    """The part of a MIME message that the backends use; the bytes go out as they were written."""

    def __init__(self, content: bytes) -> None:
        self._lines = content.splitlines()

    def as_bytes(self, unixfrom: bool = False, linesep: str = "\n") -> bytes:
        return linesep.encode().join(self._lines) + linesep.encode()

    def get_charset(self) -> None:
        return None
