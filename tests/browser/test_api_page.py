"""The page that tries the data APIs: accessible, by keyboard, on a phone; what it shows is what was sent."""

import json
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import axe_violations, overflow, walk
from tests.browser.conftest import Opener, Portal, Problems


def ready(page: Page) -> Page:
    expect(page.locator("[data-form]")).to_be_visible()
    return page


def test_the_document_lists_what_the_whole_city_mounts(portal: Portal) -> None:
    document = httpx.get(f"{portal.url}/api/openapi.json", timeout=60).json()
    for path in ("/health", "/ready", "/metrics", "/series/v1?datastreams=1", "/events/v1", "/api/openapi.json"):
        assert path.partition("?")[0] in document["paths"]
        assert httpx.head(portal.url + path, timeout=60).status_code == 200, path


@pytest.mark.parametrize(
    ("width", "dark", "language"), [(1440, False, "de-DE"), (320, False, "en-GB"), (768, True, "de-DE")]
)
def test_it_is_accessible(portal: Portal, visit: Opener, width: int, dark: bool, language: str) -> None:
    page = ready(visit(f"{portal.url}/api/", width=width, dark=dark, language=language))
    assert axe_violations(page) == []
    assert overflow(page) == 0
    page.get_by_role("button", name=re.compile("Anfrage senden|Send request")).click()
    expect(page.locator("[data-answer]")).to_be_visible()
    assert axe_violations(page) == []
    assert overflow(page) == 0


def test_a_request_by_keyboard(portal: Portal, visit: Opener) -> None:
    page = ready(visit(f"{portal.url}/api/#getThings"))
    page.get_by_label("$top").focus()
    page.keyboard.type("1")
    page.get_by_label("$select").focus()
    page.keyboard.type("name,Datastreams")
    expect(page.get_by_text("Dieser Aufruf ändert Daten")).to_be_hidden()
    expect(page.locator("[data-text]")).to_be_hidden()
    line = page.locator("[data-curl]")
    expect(line).to_have_text(f"curl '{portal.url}/sensorthings/v1.1/Things?$top=1&$select=name,Datastreams'")
    page.keyboard.press("Enter")
    expect(page.locator("[data-status]")).to_have_text(re.compile("^200"))
    shown = page.locator("[data-content]").inner_text()
    asked = httpx.get(f"{portal.url}/sensorthings/v1.1/Things?$top=1&$select=name,Datastreams", timeout=60)
    assert json.loads(shown) == asked.json()
    assert "\n  " in shown
    page.get_by_text("Kopfzeilen").click()
    expect(page.locator("[data-headers]")).to_contain_text("content-type: application/json")
    expect(page.get_by_role("status").first).to_contain_text("Antwort: Status 200")
    stops = walk(page)
    assert stops


def test_a_write_is_announced_refused_without_key_and_done_with_one(
    portal: Portal, visit: Opener, problems: Problems
) -> None:
    problems.expected = {401}
    page = ready(visit(f"{portal.url}/api/#postSensors"))
    expect(page.get_by_text("Dieser Aufruf ändert Daten")).to_be_visible()
    expect(page.locator("[data-text]")).to_have_value(re.compile('"encodingType"'))
    expect(page.locator("[data-curl]")).to_contain_text("Authorization: Bearer <Ihr Schlüssel>")
    page.get_by_role("button", name="Anfrage senden").click()
    expect(page.locator("[data-status]")).to_have_text(re.compile("^401"))
    expect(page.locator("[data-content]")).to_contain_text('"remedy"')


def test_a_key_stays_in_memory(portal: Portal, visit: Opener, problems: Problems) -> None:
    problems.expected = {401}
    page = ready(visit(f"{portal.url}/api/#getThings"))
    sent: list[str | None] = []
    page.on("request", lambda request: sent.append(request.headers.get("authorization")))
    page.get_by_label("API-Schlüssel").fill("mzd_nobody_knows_this")
    expect(page.locator("[data-curl]")).to_contain_text("Bearer <Ihr Schlüssel>")
    expect(page.locator("[data-curl]")).not_to_contain_text("mzd_nobody")
    page.get_by_role("button", name="Anfrage senden").click()
    expect(page.locator("[data-status]")).to_have_text(re.compile("^401"))
    assert "Bearer mzd_nobody_knows_this" in sent
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])")
    assert "mzd_nobody" not in kept
    page.reload()
    expect(ready(page).get_by_label("API-Schlüssel")).to_have_value("")


def test_required_parameters_are_asked_for(portal: Portal, visit: Opener) -> None:
    page = ready(visit(f"{portal.url}/api/#getSeries", language="en-GB"))
    ids = page.get_by_label("datastreams")
    expect(ids).to_have_value("1,2")
    ids.fill("")
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_role("alert")).to_have_text("Please fill in: datastreams")
    expect(ids).to_be_focused()
    ids.fill("1")
    page.get_by_role("button", name="Send request").click()
    expect(page.locator("[data-content]")).to_contain_text('"timeZone": "Europe/Berlin"')


def test_a_stream_without_end_is_left_after_a_while(portal: Portal, visit: Opener, problems: Problems) -> None:
    page = ready(visit(f"{portal.url}/api/#getEvents"))
    page.get_by_role("button", name="Anfrage senden").click()
    expect(page.get_by_role("status").first).to_contain_text("Angehalten")
    expect(page.locator("[data-content]")).to_contain_text("retry: 3000")


def test_without_script_it_says_what_to_do(portal: Portal, visit: Opener) -> None:
    page = visit(f"{portal.url}/api/", script=False)
    expect(page.get_by_text("braucht JavaScript")).to_be_visible()
    expect(page.locator("[data-form]")).to_be_hidden()
    expect(page.locator("#call")).to_contain_text("/sensorthings/v1.1/Things?$top=1")


def test_pages_lead_to_it(portal: Portal, visit: Opener) -> None:
    page = visit(portal.station("Luftmessstation Parcusstraße"))
    page.get_by_text("Adressen der Schnittstelle").click()
    page.get_by_role("link", name="Schnittstellen ausprobieren").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Schnittstellen")
