"""Reads of portal pages: what is found, what is counted, what stays hidden."""

from datetime import datetime

import psycopg
import pytest

from mainzdigital.exchange import things
from mainzdigital.exchange.things import ThingQuery
from mainzdigital.kernel.access import ANONYMOUS
from mainzdigital.kernel.errors import NotFound
from tests.web.city import HIDDEN, MANAGER, STATIONS


def names(found: things.ThingList) -> list[str]:
    return [row.name for row in found.rows]


@pytest.mark.usefixtures("stations")
def test_hidden_station_is_as_if_it_were_not_there(db: psycopg.Connection, now: datetime) -> None:
    seen = things.search(db, reader=MANAGER, query=ThingQuery(now=now))
    assert HIDDEN in names(seen)
    assert ("Drais", 1) in seen.facets["district"]

    found = things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now))
    assert names(found) == sorted(row[0] for row in STATIONS)
    assert found.total == len(STATIONS)
    assert "Drais" not in dict(found.facets["district"])
    assert things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now, words="geheime")).total == 0
    assert things.suggestion(db, reader=ANONYMOUS, words="Geheime") == ""


def test_hidden_station_has_no_page(db: psycopg.Connection, stations: dict[str, int]) -> None:
    assert things.detail(db, reader=MANAGER, identifier=stations[HIDDEN]).name == HIDDEN
    with pytest.raises(NotFound):
        things.detail(db, reader=ANONYMOUS, identifier=stations[HIDDEN])


def test_hidden_datastream_leaves_no_trace(db: psycopg.Connection, stations: dict[str, int], now: datetime) -> None:
    thing = stations["Luftmessstation Parcusstraße"]
    assert len(things.detail(db, reader=ANONYMOUS, identifier=thing).streams) == 2
    db.execute("UPDATE datastream SET access = 'restricted' WHERE thing_id = %s AND name LIKE 'Feinstaub%%'", [thing])
    assert [item.name for item in things.detail(db, reader=ANONYMOUS, identifier=thing).streams] == [
        "Stickstoffdioxid (NO₂)"
    ]
    found = things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now))
    assert "Feinstaub (PM₁₀)" not in dict(found.facets["observed"])
    assert things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now, words="feinstaub")).total == 0


def test_hidden_place_is_not_on_the_map(db: psycopg.Connection, stations: dict[str, int], now: datetime) -> None:
    thing = stations["Parkhaus Am Brand"]
    db.execute(
        "UPDATE location SET access = 'internal' "
        "WHERE id IN (SELECT location_id FROM thing_location WHERE thing_id = %s)",
        [thing],
    )
    found = things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now, words="brand"))
    assert [(row.name, row.lon) for row in found.rows] == [("Parkhaus Am Brand", None)]


@pytest.mark.usefixtures("stations")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Parcusstraße", ["Luftmessstation Parcusstraße"]),
        ("parcusstrasse", ["Luftmessstation Parcusstraße"]),
        ("zählstellen neustadt", ["Fahrradzählstelle Kaiserstraße"]),
        ("zaehlstelle", ["Fahrradzählstelle Kaiserstraße", "Fahrradzählstelle Rheinufer"]),
        ("niederschläge", ["Wetterstation Lerchenberg"]),
        ("100%", []),
        ("_", []),
        ("\\", []),
    ],
)
def test_german_words_find_stations(db: psycopg.Connection, now: datetime, words: str, expected: list[str]) -> None:
    query = ThingQuery(now=now, words=words)
    if not things.terms(words):
        assert things.search(db, reader=ANONYMOUS, query=query).total == len(STATIONS)
    else:
        assert names(things.search(db, reader=ANONYMOUS, query=query)) == expected


@pytest.mark.usefixtures("stations")
def test_typing_error_gets_a_suggestion(db: psycopg.Connection) -> None:
    assert things.suggestion(db, reader=ANONYMOUS, words="Parkusstrase") == "Parcusstraße"
    assert things.suggestion(db, reader=ANONYMOUS, words="xyzxyz") == ""


@pytest.mark.usefixtures("stations")
def test_each_facet_is_counted_under_the_other_choices(db: psycopg.Connection, now: datetime) -> None:
    found = things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now, kinds=("bicyclecounter",)))
    assert found.total == 2
    assert dict(found.facets["district"]) == {"Altstadt": 1, "Neustadt": 1}
    assert dict(found.facets["kind"])["airquality"] == 2
    assert dict(found.facets["state"]) == {"current": 2}


@pytest.mark.usefixtures("stations")
def test_page_after_the_last_is_the_last(db: psycopg.Connection, now: datetime) -> None:
    found = things.search(db, reader=ANONYMOUS, query=ThingQuery(now=now, limit=3, offset=3000))
    assert len(found.rows) == 1
    assert found.total == len(STATIONS)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([{"value": 40, "title": "x"}], 1),
        ([{"value": "40"}, {"title": "x"}, None, {"value": True}], 0),
        ("none", 0),
        (None, 0),
    ],
)
def test_limits_that_people_wrote_badly_are_passed_over(
    db: psycopg.Connection, stations: dict[str, int], given: object, kept: int
) -> None:
    from psycopg.types.json import Jsonb

    thing = stations["Luftmessstation Zitadelle"]
    db.execute("UPDATE datastream SET properties = %s WHERE thing_id = %s", [Jsonb({"limits": given}), thing])
    (stream,) = things.detail(db, reader=ANONYMOUS, identifier=thing).streams
    assert len(stream.limits) == kept
