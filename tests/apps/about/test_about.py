"""Imprint, statement, privacy notice, feedback."""

from email import message_from_bytes, policy

import psycopg
import pytest
from django.core import mail
from django.test import Client

from mainzdigital.apps.about.forms import TRAP
from mainzdigital.apps.about.models import Feedback
from mainzdigital.config.settings import settings
from mainzdigital.identity import outbox, personal, services
from mainzdigital.identity.models import OutboxMail
from tests.modules.case import account_with, signed_in

URL = "/barrierefreiheit/rueckmeldung/"


def text(path: str) -> str:
    answer = Client().get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_statement_names_what_the_directive_asks_for(db: psycopg.Connection) -> None:
    page, contact = text("/barrierefreiheit/"), settings().city.contact
    for part in ("teilweise vereinbar", "2016/2102", "22. November 2026", contact.email, URL):
        assert part in page
    assert contact.accessibility_enforcement in page


def test_the_imprint_says_who_answers(db: psycopg.Connection) -> None:
    page, contact = text("/impressum/"), settings().city.contact
    assert contact.organisation in page
    assert contact.address in page


def test_the_privacy_notice_is_what_modules_declare(db: psycopg.Connection) -> None:
    page = text("/datenschutz/")
    for part in ("Beantwortung von Rückmeldungen", "Art. 6 Abs. 1 Buchst. c DSGVO", "180 Tage", "API-Schlüssel"):
        assert part in page


def test_feedback_is_kept_and_mailed_in_one_transaction(db: psycopg.Connection) -> None:
    answer = Client().post(URL, {"message": "Die Karte geht nicht", "page": "/karte/", "email": "e@stadt.example"})
    assert (answer.status_code, answer["Location"]) == (302, "/barrierefreiheit/danke/")
    assert "Vielen Dank" in text("/barrierefreiheit/danke/")
    feedback = Feedback.objects.get()
    assert (feedback.message, feedback.page, feedback.email) == ("Die Karte geht nicht", "/karte/", "e@stadt.example")
    row = OutboxMail.objects.get()
    assert row.recipients == [settings().city.contact.email]
    message = message_from_bytes(bytes(row.message), policy=policy.default)
    assert message["Reply-To"] == "e@stadt.example"
    body = message.get_body()
    assert body is not None
    assert "Die Karte geht nicht" in body.get_content()


def test_an_empty_message_is_asked_for_again(db: psycopg.Connection) -> None:
    answer = Client().post(URL, {"message": " ", "email": "keine Adresse"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#id_message"' in page
    assert 'href="#id_email"' in page
    assert 'value="keine Adresse"' in page  # nothing entered is lost
    assert not Feedback.objects.exists()


def test_machines_are_thanked_and_forgotten(db: psycopg.Connection) -> None:
    answer = Client().post(URL, {"message": "buy", TRAP: "https://spam.example"})
    assert answer["Location"] == "/barrierefreiheit/danke/"
    assert not Feedback.objects.exists()
    assert not OutboxMail.objects.exists()


def test_many_messages_from_one_network_wait_and_nothing_is_lost(db: psycopg.Connection) -> None:
    client = Client()
    answers = [client.post(URL, {"message": f"Hürde {number}"}) for number in range(6)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429]
    assert "Hürde 5" in answers[-1].content.decode()
    assert Feedback.objects.count() == 5
    assert Client(REMOTE_ADDR="198.51.100.7").post(URL, {"message": "andere"}).status_code == 302


def test_the_form_needs_its_token(db: psycopg.Connection) -> None:
    assert Client(enforce_csrf_checks=True).post(URL, {"message": "x"}).status_code == 403
    assert not Feedback.objects.exists()


def test_a_script_stays_text(db: psycopg.Connection) -> None:
    script = "<script>alert(1)</script>"
    services.create_account(username="x", password=None, display_name=script)
    Client().post(URL, {"message": script, "name": script, "page": script})
    page = signed_in(account_with("clerk")).get("/barrierefreiheit/eingang/").content.decode()
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    assert script not in page


@pytest.mark.parametrize("field", ["email", "name", "page"])
def test_no_header_is_smuggled_into_mail(db: psycopg.Connection, field: str) -> None:
    Client().post(URL, {"message": "x", field: "a@stadt.example\r\nBcc: victim@stadt.example"})
    for row in OutboxMail.objects.all():
        assert message_from_bytes(bytes(row.message))["Bcc"] is None
        assert row.recipients == [settings().city.contact.email]


def test_answered_is_noted(db: psycopg.Connection) -> None:
    feedback = Feedback.objects.create(message="x")
    client = signed_in(account_with("clerk"))
    client.post(f"/barrierefreiheit/eingang/{feedback.pk}/beantwortet/")
    feedback.refresh_from_db()
    assert feedback.answered is not None
    assert client.post("/barrierefreiheit/eingang/999999/beantwortet/").status_code == 404


def test_feedback_goes_after_its_time(db: psycopg.Connection) -> None:
    for days in (179, 181):
        feedback = Feedback.objects.create(message=str(days))
        db.execute(
            "UPDATE about_feedback SET created = now() - make_interval(days => %s) WHERE id = %s", (days, feedback.pk)
        )
    personal.purge()
    assert list(Feedback.objects.values_list("message", flat=True)) == ["179"]


def test_mail_goes_out_once(db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings as django_settings

    monkeypatch.setattr(django_settings, "MAIL_BACKEND", "django.core.mail.backends.locmem.EmailBackend")
    mail.outbox = []
    Client().post(URL, {"message": "Grüße"})
    assert (outbox.deliver(), outbox.deliver()) == (1, 0)
    assert len(mail.outbox) == 1
    row = OutboxMail.objects.get()
    assert row.sent is not None
    assert bytes(row.message) == b""
