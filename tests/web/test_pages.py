"""Pages as a person without account gets them: content, headers, refusals."""

import csv
import io
import json
import re

import pytest
from django.test import Client

from tests.web.city import HIDDEN, STATIONS

PAGES = ["/", "/karte/", "/messstellen/", "/messstellen/?ansicht=karten", "/messstellen/?ansicht=karte", "/gestaltung/",
         "/api/"]  # fmt: skip


def text(response: object) -> str:
    content: bytes = response.content  # type: ignore[attr-defined]
    return content.decode()


@pytest.mark.parametrize("address", PAGES)
def test_pages_of_an_empty_city(browser: Client, address: str) -> None:
    assert browser.get(address).status_code == 200


@pytest.mark.usefixtures("stations")
@pytest.mark.parametrize("address", PAGES)
def test_pages_carry_a_strict_policy_and_nothing_inline(browser: Client, address: str) -> None:
    response = browser.get(address)
    assert response.status_code == 200
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    page = text(response)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script or 'type="application/json"' in script
    for address_of in re.findall(r'(?:src|href)="(https?:[^"]+)"', page):
        assert address_of.startswith("http://127.0.0.1"), "a page may ask for nothing elsewhere"


@pytest.mark.usefixtures("stations")
def test_start_says_how_the_air_is(browser: Client) -> None:
    page = text(browser.get("/"))
    assert "Wie ist die Luft in Mainz?" in page
    assert "Am meisten Stickstoffdioxid meldet gerade Luftmessstation Parcusstraße" in page
    assert "Stundengrenzwert" in page
    assert "Vor einer Woche um diese Zeit war es" in page
    assert HIDDEN not in page


@pytest.mark.usefixtures("stations")
def test_english_by_choice_and_by_browser(browser: Client) -> None:
    assert "What you can do" in text(Client(headers={"accept-language": "en"}).get("/"))
    assert "Was Sie tun können" in text(browser.get("/"))
    answer = browser.post("/sprache/", {"language": "en", "next": "/karte/"})
    assert answer["Location"] == "/karte/"
    assert "The city on the map" in text(browser.get("/karte/"))


def test_theme_is_remembered_and_leads_nowhere_else(browser: Client) -> None:
    answer = browser.post("/darstellung/", {"theme": "dark", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"
    assert 'data-kern-theme="dark"' in text(browser.get("/"))
    browser.post("/darstellung/", {"theme": "auto"})
    assert "data-kern-theme" not in text(browser.get("/"))


@pytest.mark.usefixtures("stations")
def test_names_are_text_never_markup(browser: Client) -> None:
    for address in ("/", "/messstellen/", "/messstellen/?ansicht=karte", "/karte/"):
        page = text(browser.get(address))
        assert "Bretzenheim &lt;b&gt;1&lt;/b&gt;" in page or "Altkleidercontainer" not in page
        assert "<b>1</b>" not in page


@pytest.mark.usefixtures("stations")
def test_csv_holds_exactly_what_is_seen(browser: Client) -> None:
    response = browser.get("/messstellen.csv?art=airquality&ordnung=name")
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))
    assert [(row["name"], row["observed_property"]) for row in rows] == [
        ("Luftmessstation Parcusstraße", "Stickstoffdioxid (NO₂)"),
        ("Luftmessstation Parcusstraße", "Feinstaub (PM₁₀)"),
        ("Luftmessstation Zitadelle", "Stickstoffdioxid (NO₂)"),
    ]


@pytest.mark.usefixtures("stations")
@pytest.mark.parametrize(
    "query", ["?seite=9999999999999", "?seite=x", "?art=%00", "?q=%00%FF", "?zustand=x&ordnung=x", "?art=" + "x" * 3000]
)
def test_any_address_of_the_list_is_answered(browser: Client, query: str) -> None:
    assert browser.get("/messstellen/" + query).status_code == 200
    assert browser.get("/messstellen.csv" + query).status_code == 200


@pytest.mark.usefixtures("stations")
def test_list_answers_htmx_with_the_result_only(browser: Client) -> None:
    page = text(browser.get("/messstellen/?q=parkhaus", headers={"HX-Request": "true", "HX-Target": "result"}))
    assert page.lstrip().startswith('<p id="found"')
    assert "Parkhaus Am Brand" in page
    assert "<html" not in page


@pytest.mark.usefixtures("stations")
def test_search_offers_the_word_meant(browser: Client) -> None:
    page = text(browser.get("/messstellen/?q=Lerchenbreg"))
    assert "Nichts gefunden" in page
    assert 'href="?q=Lerchenberg"' in page


def test_station_has_values_chart_table_and_lines_to_copy(browser: Client, stations: dict[str, int]) -> None:
    page = text(browser.get(f"/messstellen/{stations['Luftmessstation Parcusstraße']}/"))
    assert "Stickstoffdioxid (NO₂)" in page
    assert 'class="series"' in page
    assert re.search("Tabelle mit 16[89] Zeilen", page), "an hour of each of seven days"
    assert "curl &#x27;" in page
    assert "dl-de/zero-2-0" in page
    assert "simuliert" not in page


def test_gap_stays_a_gap(browser: Client, stations: dict[str, int]) -> None:
    page = text(browser.get(f"/messstellen/{stations['Luftmessstation Zitadelle']}/"))
    assert "diese Lücken bleiben leer" in page
    line = re.search(r'class="series" d="([^"]+)"', page)
    assert line is not None
    assert line[1].count("M") == 2


def test_simulated_station_says_so(browser: Client, stations: dict[str, int]) -> None:
    page = text(browser.get(f"/messstellen/{stations['Fahrradzählstelle Rheinufer']}/"))
    assert "Diese Werte sind simuliert" in page
    assert 'class="bars"' in page


@pytest.mark.parametrize(
    "query",
    ["?zeitraum=24h", "?zeitraum=30t", "?zeitraum=1j", "?zeitraum=x", "?reihe=999999", "?reihe=x",
     "?zeitraum=frei&von=2026-01-01&bis=2026-11-22", "?zeitraum=frei&von=1900-01-01&bis=2200-01-01"],
)  # fmt: skip
def test_any_period_is_answered(browser: Client, stations: dict[str, int], query: str) -> None:
    assert browser.get(f"/messstellen/{stations['Wetterstation Lerchenberg']}/{query}").status_code == 200


@pytest.mark.parametrize(
    ("query", "message"),
    [("von=x&bis=", "Bitte geben Sie beide Tage"), ("von=2026-02-02&bis=2026-01-01", "endet, bevor er beginnt")],
)
def test_impossible_period_is_explained(browser: Client, stations: dict[str, int], query: str, message: str) -> None:
    page = text(browser.get(f"/messstellen/{stations['Parkhaus Am Brand']}/?zeitraum=frei&{query}"))
    assert message in page
    assert 'role="alert"' in page


def test_hidden_and_absent_stations_have_the_same_page(browser: Client, stations: dict[str, int]) -> None:
    hidden, absent = browser.get(f"/messstellen/{stations[HIDDEN]}/"), browser.get("/messstellen/987654/")
    assert hidden.status_code == absent.status_code == 404

    def without_address(page: str) -> str:
        return re.sub(
            r'(csrfmiddlewaretoken|name="next")" value="[^"]*"|next=[^"]*|name="csrf[^>]*>|value="/mess[^"]*"', "", page
        )

    assert without_address(text(hidden)) == without_address(text(absent))


def test_number_too_large_for_an_id_is_not_found(browser: Client) -> None:
    assert browser.get("/messstellen/99999999999999999999/").status_code == 404


def test_map_data_is_what_the_reader_may_see(browser: Client, stations: dict[str, int]) -> None:
    data = json.loads(browser.get("/karte/daten.json").content)
    assert {item["name"] for item in data["things"]} == {row[0] for row in STATIONS}
    assert data["style"] == ""
    assert len(data["districts"]) == 15


@pytest.mark.usefixtures("db")
def test_error_pages_say_what_to_do(browser: Client) -> None:
    response = browser.get("/gibt-es-nicht/")
    assert response.status_code == 404
    assert "Diese Seite gibt es nicht" in text(response)
    assert browser.post("/").status_code == 405
