"""What the database keeps whatever the code does, and the outbox."""

from datetime import timedelta
from pathlib import Path
from smtplib import SMTPServerDisconnected
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, send_mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.utils import timezone

from mainzdigital.identity import audit, outbox, personal
from mainzdigital.identity.models import AuditEvent, OutboxMail
from mainzdigital.identity.origin import shortened


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET actor = 'somebody'", "DELETE FROM audit_event"])
def test_the_audit_log_only_grows(db: psycopg.Connection, statement: str) -> None:
    audit.record(kind=audit.Kind.EXPORT, object="user:1")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        db.execute(statement)
    assert AuditEvent.objects.count() == 1


def test_audit_entries_go_when_their_time_is_over(db: psycopg.Connection) -> None:
    for days in (0, 390, 410):
        db.execute(
            "INSERT INTO audit_event (at, kind, actor, object, origin, details)"
            " VALUES (now() - make_interval(days => %s), 'export', 'system', %s, '', '{}')",
            (days, str(days)),
        )
    personal.purge()
    assert set(AuditEvent.objects.values_list("object", flat=True)) == {"0", "390"}


def test_an_entry_is_part_of_the_transaction(db: psycopg.Connection) -> None:
    with transaction.atomic():
        audit.record(kind=audit.Kind.EXPORT)
        transaction.set_rollback(True)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1234:5678::1", "2001:db8:1234::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
    ],
)
def test_addresses_are_shortened(address: str, kept: str) -> None:
    assert shortened(address) == kept


class Broken(EmailBackend):
    """A mail server that is down."""

    def send_messages(self, messages: object) -> int:
        raise SMTPServerDisconnected("gone")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "MAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    mail.outbox = []


def test_a_mail_lives_and_dies_with_its_transaction(db: psycopg.Connection, server: None) -> None:
    with transaction.atomic():
        send_mail("S", "B", None, ["a@stadt.example"])
        transaction.set_rollback(True)
    assert outbox.deliver() == 0
    send_mail("Grüße", "Straße", None, ["a@stadt.example", "b@stadt.example"])
    assert outbox.deliver() == 1
    sent = mail.outbox[0]
    assert (sent.subject, sent.to) == ("Grüße", ["a@stadt.example", "b@stadt.example"])
    assert b"\n\nStra\xc3\x9fe\n" in sent.message().as_bytes()


def test_a_mail_waits_for_a_server_longer_each_time_then_gives_up(
    db: psycopg.Connection, server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_mail("S", "B", None, ["a@stadt.example"])
    monkeypatch.setattr(settings, "MAIL_BACKEND", f"{__name__}.Broken")
    waits = []
    for attempt in range(1, 20):
        before = timezone.now()
        assert outbox.deliver() == 0
        row = OutboxMail.objects.get()
        assert (row.attempts, row.sent) == (attempt, None)
        if row.due is None:
            break
        waits.append(row.due - before)
        OutboxMail.objects.update(due=timezone.now())
    assert [round(wait / timedelta(minutes=1)) for wait in waits] == [1, 5, 15, 60, 240, 720, 1440]
    assert "SMTPServerDisconnected" in row.error
    monkeypatch.setattr(settings, "MAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    assert outbox.deliver() == 0


def test_a_failed_mail_does_not_hold_up_others_and_goes_out_later(
    db: psycopg.Connection, server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_mail("first", "B", None, ["a@stadt.example"])
    monkeypatch.setattr(settings, "MAIL_BACKEND", f"{__name__}.Broken")
    outbox.deliver()
    monkeypatch.setattr(settings, "MAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    send_mail("second", "B", None, ["a@stadt.example"])
    assert outbox.deliver() == 1
    OutboxMail.objects.filter(sent=None).update(due=timezone.now())
    assert outbox.deliver() == 1
    assert [found.subject for found in mail.outbox] == ["second", "first"]


def test_a_mail_in_work_is_left_to_its_worker(db: psycopg.Connection, server: None) -> None:
    send_mail("S", "B", None, ["a@stadt.example"])
    with db.transaction():
        db.execute("SELECT 1 FROM outbox_mail FOR UPDATE")
        assert outbox.deliver() == 0
    assert outbox.deliver() == 1


@pytest.mark.parametrize("backend", ["smtp", "console", "filebased"])
def test_stored_mail_fits_every_backend(
    db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str
) -> None:
    import smtplib

    sent: list[tuple[str, list[str], bytes]] = []

    class Server(smtplib.SMTP):
        """The network edge."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            pass

        def sendmail(self, from_addr: Any, to_addrs: Any, msg: Any, *options: Any, **more: Any) -> Any:
            sent.append((from_addr, to_addrs, msg))
            return {}

        def quit(self) -> tuple[int, bytes]:
            return 221, b""

    monkeypatch.setattr(smtplib, "SMTP", Server)
    monkeypatch.setattr(settings, "EMAIL_FILE_PATH", tmp_path)
    monkeypatch.setattr(settings, "MAIL_BACKEND", f"django.core.mail.backends.{backend}.EmailBackend")
    EmailMessage("Grüße", "Straße", None, ["a@stadt.example"], bcc=["b@stadt.example"]).send()
    assert outbox.deliver() == 1
    if backend == "smtp":
        assert sent[0][1] == ["a@stadt.example", "b@stadt.example"]
        assert b"b@stadt.example" not in sent[0][2]
        assert b"\r\n" in sent[0][2]
