"""Refusals in the standard's JSON; failures of the database with the status that tells what helps."""

import json
import logging

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from mainzdigital.kernel.errors import Conflict, InvalidInput, MethodNotAllowed, NotSignedIn, TooManyRequests
from mainzdigital.serve.errors import answer
from mainzdigital.serve.http import Response


def content(response: Response) -> dict[str, object]:
    assert isinstance(response.body, bytes)
    found = json.loads(response.body)
    assert isinstance(found, dict)
    return found


def test_a_refusal_names_what_where_and_the_way_out() -> None:
    response = answer(
        InvalidInput("'name' must be a text", where="Things[0].name", remedy="put it in quotation marks"),
        method="POST", path="/",
    )  # fmt: skip
    assert response.status == 400
    assert response.content_type == "application/json"
    assert content(response) == {
        "code": 400, "type": "error", "message": "'name' must be a text", "where": "Things[0].name",
        "remedy": "put it in quotation marks",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("error", "status", "header", "value"),
    [
        (NotSignedIn("no"), 401, "WWW-Authenticate", 'Bearer realm="mainzDIGITAL"'),
        (MethodNotAllowed("no", allow=("GET", "HEAD")), 405, "Allow", "GET, HEAD"),
        (TooManyRequests("no", retry_after=7), 429, "Retry-After", "7"),
        (Conflict("no", retry_after=1), 409, "Retry-After", "1"),
        (PoolTimeout("no"), 503, "Retry-After", "1"),
        (psycopg.errors.QueryCanceled("no"), 503, "Retry-After", "5"),
        (psycopg.errors.DeadlockDetected("no"), 409, "Retry-After", "1"),
        (psycopg.errors.LockNotAvailable("no"), 409, "Retry-After", "1"),
        (psycopg.errors.AdminShutdown("no"), 503, "Retry-After", "2"),
        (psycopg.OperationalError("no"), 503, "Retry-After", "2"),
        (psycopg.errors.DiskFull("no"), 503, "Retry-After", "30"),
    ],
)
def test_status_and_header(error: Exception, status: int, header: str, value: str) -> None:
    response = answer(error, method="GET", path="/")
    assert (response.status, response.headers[header]) == (status, value)


def test_a_fault_of_ours_is_logged_under_a_reference_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = answer(RuntimeError("secret detail"), method="GET", path="/x\r\ny")
    assert response.status == 500
    assert b"secret" not in (response.body if isinstance(response.body, bytes) else b"")
    reference = str(content(response)["remedy"]).rsplit(" ", 1)[-1]
    assert reference in caplog.text
    assert "\r" not in caplog.records[0].getMessage()


def test_half_a_character_quoted_from_the_input_breaks_nothing() -> None:
    assert content(answer(InvalidInput("'\ud800' is wrong"), method="GET", path="/"))["message"] == "'?' is wrong"
