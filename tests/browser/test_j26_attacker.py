"""J26 (attacker), as far as there is something to attack: learns nothing, breaks nothing, stands in the audit log."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import psycopg
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Opener, Portal, Problems

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def database(portal: Portal) -> Iterator[psycopg.Connection]:
    with psycopg.connect(portal.dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def secret(database: psycopg.Connection) -> Iterator[int]:
    """An internal thing of that name."""
    row = database.execute(
        "INSERT INTO thing (name, description, access) VALUES ('Geheime Messstelle', 'd', 'internal') RETURNING id"
    ).fetchone()
    assert row is not None
    yield row[0]
    database.execute("DELETE FROM thing WHERE id = %s", [row[0]])


def test_a_closed_thing_is_not_there_by_any_way(
    portal: Portal, visit: Opener, problems: Problems, secret: int, database: psycopg.Connection
) -> None:
    assert database.execute("SELECT count(*) FROM thing WHERE name = 'Geheime Messstelle'").fetchone() == (1,)
    api = f"{portal.url}/sensorthings/v1.1"
    asked = quote("name eq 'Geheime Messstelle'")
    found = httpx.get(f"{api}/Things?$filter={asked}&$count=true", timeout=60).json()
    assert (found["@iot.count"], found["value"]) == (0, [])
    hidden, missing = (httpx.get(f"{api}/Things({number})", timeout=60) for number in (secret, 999_999))
    assert hidden.status_code == missing.status_code == 404
    assert hidden.text.replace(str(secret), "N") == missing.text.replace("999999", "N")
    assert httpx.delete(f"{api}/Things({secret})", timeout=60).status_code == 401

    problems.expected = {404}
    page = visit(f"{portal.url}/messstellen/{secret}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("gibt es nicht")
    page.goto(f"{portal.url}/messstellen/?q=Geheime")
    expect(page.get_by_text("Geheime Messstelle")).to_have_count(0)


def test_a_script_stays_text(portal: Portal, visit: Opener, database: psycopg.Connection) -> None:
    page = visit(f"{portal.url}/messstellen/?q={quote(SCRIPT)}")
    expect(page.get_by_role("searchbox").or_(page.locator("input[name=q]")).first).to_have_value(SCRIPT)
    assert page.title() != "owned"

    row = database.execute(
        "INSERT INTO thing (name, description, access, properties) VALUES (%s, %s, 'open', %s) RETURNING id",
        [SCRIPT, SCRIPT, '{"district": "</script><script>document.title=1</script>"}'],
    ).fetchone()
    assert row is not None
    try:
        page.goto(f"{portal.url}/messstellen/{row[0]}/")
        expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPT)
        page.goto(f"{portal.url}/karte/")
        assert page.title() != "owned"
    finally:
        database.execute("DELETE FROM thing WHERE id = %s", row)


def test_many_sign_ins_are_slowed_and_stand_in_the_audit_log(portal: Portal, database: psycopg.Connection) -> None:
    with httpx.Client(base_url=portal.url, timeout=60, headers={"Origin": portal.url}) as client:
        client.get("/konto/login/")
        codes = []
        for number in range(40):
            form = {
                "login": "admin", "password": f"guess {number}", "csrfmiddlewaretoken": client.cookies["csrftoken"],
            }  # fmt: skip
            codes.append(client.post("/konto/login/", data=form).status_code)
    assert 429 in codes
    assert not {302, 500} & set(codes)
    row = database.execute("SELECT count(*) FROM audit_event").fetchone()
    assert row is not None
    assert 1 <= row[0] < len(codes)
