"""J03 (citizen with a phone), J04 (citizen who sees badly), J05 (data engineer): walked by pointer and by keyboard."""

import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from playwright.sync_api import Page, expect

from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from tests.browser.checks import axe_violations, overflow, walk
from tests.browser.conftest import Opener, Portal

WIDTHS = (360, 1440)


@pytest.mark.parametrize("width", WIDTHS)
def test_j03_how_is_the_air_here(portal: Portal, visit: Opener, width: int) -> None:
    page = visit(portal.url, width=width, height=780)
    expect(page.get_by_role("heading", level=1)).to_have_text("Wie ist die Luft in Mainz?")
    answer = page.locator(".answer")
    expect(answer).to_contain_text("Luftmessstation Parcusstraße")
    expect(answer).to_contain_text(re.compile(r"Das sind \d+\s%\sdes Grenzwerts"))
    expect(answer).to_contain_text("Vor einer Woche um diese Zeit war es")

    page.get_by_role("link", name="Luftmessstation Parcusstraße ansehen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Luftmessstation Parcusstraße")
    expect(page.locator("[data-chart-frame] canvas")).to_be_visible()
    expect(page.locator("#reihe")).to_contain_text("Stundengrenzwert")

    page.get_by_role("link", name="30 Tage").click()
    expect(page.get_by_role("link", name="30 Tage")).to_have_attribute("aria-current", "true")
    assert "zeitraum=30t" in page.url
    page.get_by_text(re.compile(r"^Tabelle mit")).click()
    expect(page.get_by_role("columnheader", name=re.compile("Zeit"))).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name="Als CSV herunterladen").click()
    content = download.value.path().read_text("utf-8")
    assert len(content.splitlines()) > 300
    assert overflow(page) == 0


def press_until(page: Page, name: str) -> None:
    """Tab to the link or button of this name and press Enter."""
    for _ in range(120):
        page.keyboard.press("Tab")
        found = page.evaluate("(document.activeElement.innerText || '').trim()")
        if name in found:
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"'{name}' is not reached by Tab")


def test_j04_the_same_by_keyboard_and_screen_reader(portal: Portal, visit: Opener) -> None:
    page = visit(portal.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Zum Inhalt springen"
    page.keyboard.press("Enter")
    press_until(page, "Luftmessstation Parcusstraße ansehen")
    expect(page.get_by_role("heading", level=1)).to_have_text("Luftmessstation Parcusstraße")

    frame = page.get_by_role("group", name=re.compile("^Diagramm: Stickstoffdioxid"))
    expect(frame.locator("canvas")).to_be_visible()
    frame.focus()
    page.keyboard.press("End")
    last = page.locator("[data-chart-reading]")
    expect(last).to_contain_text(re.compile(r"\d+\. \w+ \d{4}.*µg/m³"))
    before = last.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(last).not_to_have_text(before)

    press_until(page, "Tabelle mit")
    expect(page.locator(".long-table")).to_be_visible()
    tree = page.locator("main").aria_snapshot()
    for wanted in ("heading", "table", "Stundengrenzwert", "Diese Daten nutzen"):
        assert wanted in tree


def test_j04_map_has_its_list(portal: Portal, visit: Opener) -> None:
    page = visit(f"{portal.url}/karte/")
    expect(page.locator("[data-map][data-ready]")).to_be_attached()
    entry = page.get_by_role("button", name=re.compile("Parkhaus Am Brand"))
    entry.focus()
    page.keyboard.press("Enter")
    popup = page.locator(".maplibregl-popup")
    expect(popup).to_contain_text("Freie Stellplätze")
    expect(popup.get_by_role("link", name="Zur Messstelle")).to_be_visible()
    page.get_by_role("checkbox", name=re.compile("Parkhaus")).uncheck()
    expect(page.get_by_role("button", name=re.compile("Parkhaus Am Brand"))).to_have_count(0)
    assert "art=weather" in page.url
    assert "art=parking" not in page.url
    assert "Geheime" not in page.content()


def test_j05_bicycle_counters_to_a_year_in_one_call(portal: Portal, visit: Opener) -> None:
    page = visit(f"{portal.url}/messstellen/")
    page.get_by_role("checkbox", name=re.compile("Fahrradzählstelle")).check()
    expect(page.get_by_role("heading", name="2 Messstellen")).to_be_visible()
    assert "art=bicyclecounter" in page.url
    page.get_by_role("link", name="Fahrradzählstelle Kaiserstraße").click()
    line = page.locator("#curl").inner_text()
    found = re.fullmatch(r"curl '(http[^']+)'", line.strip())
    assert found is not None
    answer = httpx.get(found[1].replace("http://127.0.0.1:8000", portal.url), timeout=60)
    assert answer.status_code == 200
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len(rows) >= 15 * 24
    page.get_by_text("Python", exact=True).click()
    lines = page.locator("#python").inner_text().replace("http://127.0.0.1:8000", portal.url)
    told = subprocess.run(
        [sys.executable, "-c", f"{lines}\nprint(len(rows))"], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) == len(rows) - 1


def test_j05_subscribes_to_new_values_and_opens_the_same_in_qgis(portal: Portal, visit: Opener) -> None:
    page = visit(f"{portal.url}/messstellen/?art=bicyclecounter")
    page.get_by_role("link", name="Fahrradzählstelle Kaiserstraße").click()
    page.get_by_text("Adressen der Schnittstelle").click()
    addresses = page.locator("#use ~ details").filter(has_text="Adressen der Schnittstelle")
    events = addresses.locator("a[href*='/events/v1']").get_attribute("href") or ""
    stream = int(events.rpartition("=")[2])
    with (
        httpx.stream("GET", events.replace("http://127.0.0.1:8000", portal.url), timeout=30) as answer,
        psycopg.connect(portal.dsn, autocommit=True) as connection,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        arriving = answer.iter_lines()
        next(arriving)  # subscribed
        write(connection, Batch([NewObservation(stream, datetime.now(UTC), 4321.0)]))
        event = next(line for line in arriving if line.startswith("data:") and "4321" in line)
    assert json.loads(event[5:])["datastream"] == stream
    root = addresses.locator("dd").filter(has_text="SensorThings-Layer").inner_text().split()[0]
    root = root.replace("http://127.0.0.1:8000", portal.url)
    # What QGIS asks for when a layer of Locations is added, and when the map moves.
    area = "geography'POLYGON((8.1 49.9, 8.4 49.9, 8.4 50.1, 8.1 50.1, 8.1 49.9))'"
    for query in ("$top=0&$count=true", f"$top=200&$count=false&$filter=geo.intersects(location, {area})"):
        found = httpx.get(f"{root}/Locations?{query}", timeout=30)
        assert found.status_code == 200
    places = [item["location"]["coordinates"] for item in found.json()["value"]]
    assert places
    assert all(8.1 <= longitude <= 8.4 and 49.9 <= latitude <= 50.1 for longitude, latitude, *_ in places)


def test_live_value_reaches_the_page(portal: Portal, visit: Opener) -> None:
    page = visit(portal.station("Parkhaus Am Brand"))
    place = page.locator("[data-datastream]").first
    stream = int(place.get_attribute("data-datastream") or 0)
    page.wait_for_function(
        "performance.getEntriesByType('resource').some(one => one.name.includes('/events/v1')) || true"
    )
    with psycopg.connect(portal.dsn, autocommit=True) as connection:
        for _ in range(20):
            write(connection, Batch([NewObservation(stream, datetime.now(UTC), 77.0)]))
            page.wait_for_timeout(500)
            if place.locator("[data-value]").inner_text() == "77":
                break
    expect(place.locator("[data-value]")).to_have_text("77")


PAGES = [
    "/",
    "/karte/",
    "/messstellen/",
    "/messstellen/?ansicht=karten",
    "/messstellen/?ansicht=karte&q=luft",
    "/gestaltung/",
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("address", [*PAGES, "station"])
def test_axe_finds_nothing(portal: Portal, visit: Opener, address: str, *, dark: bool) -> None:
    page = visit(
        portal.station("Luftmessstation Parcusstraße") if address == "station" else portal.url + address, dark=dark
    )
    if address == "/karte/":
        expect(page.locator("[data-map][data-ready]")).to_be_attached()
    assert axe_violations(page) == []


@pytest.mark.parametrize("address", [*PAGES, "station"])
def test_nothing_is_wider_than_the_smallest_window(portal: Portal, visit: Opener, address: str) -> None:
    """320 px is also 1280 px at 400 % zoom (WCAG 1.4.10)."""
    page = visit(
        portal.station("Wetterstation Lerchenberg") if address == "station" else portal.url + address, width=320
    )
    assert overflow(page) == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("address", ["/", "/messstellen/", "station"])
def test_keyboard_reaches_everything_and_shows_where_it_is(
    portal: Portal, visit: Opener, address: str, width: int
) -> None:
    page = visit(portal.station("Parkhaus Am Brand") if address == "station" else portal.url + address, width=width)
    stops = walk(page)
    assert stops[0] == "a Zum Inhalt springen"
    assert len(stops) > 10
    assert all(stop.split(" ", 1)[1] or stop.startswith(("input", "select", "div")) for stop in stops)


def test_menu_on_a_phone_opens_and_closes_by_keyboard(portal: Portal, visit: Opener) -> None:
    page = visit(portal.url, width=360)
    button = page.get_by_role("button", name="Menü")
    expect(page.get_by_role("navigation", name="Hauptnavigation")).to_be_hidden()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Karte", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("navigation", name="Hauptnavigation")).to_be_hidden()
    expect(button).to_be_focused()


def test_without_script_everything_is_there(portal: Portal, visit: Opener) -> None:
    page = visit(portal.station("Luftmessstation Zitadelle"), script=False, width=360)
    expect(page.locator(".chart__svg .series")).to_be_attached()
    expect(page.get_by_role("link", name="Karte", exact=True)).to_be_visible()
    page.get_by_role("link", name="24 Stunden").click()
    expect(page.get_by_role("link", name="24 Stunden")).to_have_attribute("aria-current", "true")
    page.goto(f"{portal.url}/karte/")
    expect(page.get_by_role("link", name=re.compile("Parkhaus Am Brand")).first).to_be_visible()
    page.goto(f"{portal.url}/messstellen/?q=wetter")
    expect(page.get_by_role("heading", name="1 Messstelle")).to_be_visible()


def test_dark_display_stays_chosen(portal: Portal, visit: Opener) -> None:
    page = visit(portal.url)
    page.get_by_role("button", name="Dunkle Darstellung").click()
    expect(page.locator("html")).to_have_attribute("data-kern-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-kern-theme", "dark")
    expect(page.get_by_role("button", name="Helle Darstellung")).to_be_visible()


def test_language_is_changed_where_one_is(portal: Portal, visit: Opener) -> None:
    page = visit(f"{portal.url}/messstellen/?art=parking")
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Measuring stations")
    assert page.url.endswith("/messstellen/?art=parking")


def test_light_pages_carry_less_than_200_kb_of_script(portal: Portal, visit: Opener) -> None:
    for address in (f"{portal.url}/messstellen/", portal.station("Luftmessstation Zitadelle")):
        page = visit(address)
        size = page.evaluate(
            "Promise.all([...document.scripts].filter(one => one.src).map(one => fetch(one.src).then(r => r.text())))"
            ".then(texts => texts.reduce((sum, text) => sum + text.length, 0))"
        )
        assert 0 < size < 200_000
