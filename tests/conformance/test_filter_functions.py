"""Filter operations and functions of OGC 18-088, tables 22 to 24, over HTTP: each once true and once not.

Requirements: http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/filter,
…/request-data/built-in-filter-operations and …/request-data/built-in-query-functions
"""

from typing import Any

import httpx
import pytest

from tests.conformance.test_create_update_delete import got, made
from tests.sensorthings_write import cities

SQUARE = "geography'POLYGON ((8 49, 9 49, 9 51, 8 51, 8 49))'"
FAR = "geography'POLYGON ((10 49, 11 49, 11 51, 10 51, 10 49))'"
LINE = {"type": "LineString", "coordinates": [[8.0, 50.0], [8.0, 50.5], [8.3, 50.9]]}  # 0.5 degrees and 0.5 degrees
AREA = {"type": "Polygon", "coordinates": [[[8, 49], [9, 49], [9, 51], [8, 51], [8, 49]]]}


@pytest.fixture
def place(manager: httpx.Client) -> dict[str, Any]:
    """A thing at a point, with a street and an area; two observations, one of an hour."""
    body = cities.thing(
        name="Parcusstraße",
        properties={"owner": {"name": "Stadt"}, "height": 3.5, "tags": ["air", "kerb"]},
        Locations=[cities.location()],
        Datastreams=[
            cities.full_datastream(
                name=" Air Ä ",
                observedArea=AREA,
                Observations=[
                    {"phenomenonTime": "2026-03-29T10:20:30.25Z", "result": -2.5, "resultTime": "2026-03-29T10:21:00Z"},
                    {
                        "phenomenonTime": "2026-03-29T11:00:00Z/2026-03-29T12:00:00Z", "result": 7,
                        "validTime": "2026-03-29T00:00:00Z/2026-03-30T00:00:00Z",
                    },
                ],
            )
        ],
    )  # fmt: skip
    thing = made(manager.post("Things", json=body))
    manager.post("Locations", json=cities.location(name="street", location=LINE))
    manager.post("Locations", json=cities.location(name="area", location=AREA))
    manager.post("Locations", json=cities.location(name="words", encodingType="text/plain", location="by the river"))
    return {"thing": thing}


def names(client: httpx.Client, path: str, condition: str, *, order: str = "") -> list[Any]:
    parameters = {"$filter": condition} | ({"$orderby": order} if order else {})
    response = client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return [item.get("name", item.get("result")) for item in response.json()["value"]]


OPERATIONS = [
    ("Things", "name eq 'Parcusstraße'", "name eq 'parcusstraße'"),
    ("Things", "name ne 'x'", "name ne 'Parcusstraße'"),
    ("Observations", "result gt 5", "result gt 7"),
    ("Observations", "result ge 7", "result ge 7.1"),
    ("Observations", "result lt -2", "result lt -2.5"),
    ("Observations", "result le -2.5", "result le -3"),
    ("Observations", "result gt 0 and result lt 8", "result gt 0 and result lt 7"),
    ("Observations", "result gt 100 or result lt 0", "result gt 100 or result lt -100"),
    ("Observations", "not (result lt 0)", "not (result lt 100)"),
    ("Observations", "result add 2.5 eq 0", "result add 2.5 eq 1"),
    ("Observations", "result sub 7 eq 0", "result sub 7 eq 1"),
    ("Observations", "result mul 2 eq -5", "result mul 2 eq 5"),
    ("Observations", "result div 2 eq 3.5", "result div 2 eq 3"),
    ("Observations", "result mod 4 eq 3", "result mod 4 eq 2"),
    ("Observations", "(result add 1) mul 2 eq 16", "result add 1 mul 2 eq 16"),
    ("Observations", "result in (7, 8)", "result in (8, 9)"),
    ("Observations", "-result eq 2.5", "-result eq 3.5"),
    ("Things", "properties/owner/name eq 'Stadt'", "properties/owner/name eq 'Land'"),
    ("Things", "properties/tags/1 eq 'kerb'", "properties/tags/0 eq 'kerb'"),
    ("Things", "properties/tags[1] eq 'kerb'", "properties/tags[0] eq 'kerb'"),
    ("Things", "properties/height gt 3", "properties/height gt 4"),
    ("Things", "properties/nothing eq null", "properties/height eq null"),
    ("Things", "Datastreams/Observations/result eq 7", "Datastreams/Observations/result eq 8"),
    ("Observations", "Datastream/Thing/name eq 'Parcusstraße' and result eq 7", "Datastream/Thing/name eq 'x'"),
    ("Observations", "FeatureOfInterest/@iot.id gt 0 and result eq 7", "FeatureOfInterest/@iot.id lt 0"),
]

FUNCTIONS = [
    ("Things", "substringof('cus', name)", "substringof('kus', name)"),
    ("Things", "contains(name, 'straße')", "contains(name, 'strasse')"),
    ("Things", "startswith(name, 'Par')", "startswith(name, 'par')"),
    ("Things", "endswith(name, 'ße')", "endswith(name, 'ss')"),
    ("Things", "length(name) eq 12", "length(name) eq 13"),
    ("Things", "indexof(name, 'c') eq 3", "indexof(name, 'c') eq 4"),
    ("Things", "substring(name, 9) eq 'aße'", "substring(name, 8) eq 'aße'"),
    ("Things", "substring(name, 3, 2) eq 'cu'", "substring(name, 3, 3) eq 'cu'"),
    ("Datastreams", "tolower(name) eq ' air ä '", "tolower(name) eq ' Air ä '"),
    ("Datastreams", "toupper(name) eq ' AIR Ä '", "toupper(name) eq ' air ä '"),
    ("Datastreams", "trim(name) eq 'Air Ä'", "trim(name) eq ' Air Ä '"),
    ("Datastreams", "concat(trim(name), '!') eq 'Air Ä!'", "concat(name, '!') eq 'Air Ä!'"),
    ("Observations", "year(resultTime) eq 2026", "year(resultTime) eq 2025"),
    ("Observations", "month(resultTime) eq 3", "month(resultTime) eq 4"),
    ("Observations", "day(resultTime) eq 29", "day(resultTime) eq 28"),
    ("Observations", "hour(phenomenonTime) eq 10", "hour(phenomenonTime) eq 9"),
    ("Observations", "minute(phenomenonTime) eq 20", "minute(phenomenonTime) eq 21"),
    ("Observations", "second(phenomenonTime) eq 30", "second(phenomenonTime) eq 31"),
    ("Observations", "fractionalseconds(phenomenonTime) eq 0.25", "fractionalseconds(phenomenonTime) eq 0.5"),
    ("Observations", "date(phenomenonTime) eq 2026-03-29 and result eq 7", "date(phenomenonTime) eq 2026-03-30"),
    ("Observations", "time(phenomenonTime) eq 11:00:00", "time(phenomenonTime) eq 11:00:01"),
    ("Observations", "totaloffsetminutes(resultTime) eq 0 and result lt 0", "totaloffsetminutes(resultTime) eq 60"),
    ("Observations", "phenomenonTime lt now() and result eq 7", "phenomenonTime gt now()"),
    ("Observations", "phenomenonTime gt mindatetime() and result eq 7", "phenomenonTime lt mindatetime()"),
    ("Observations", "phenomenonTime lt maxdatetime() and result eq 7", "phenomenonTime gt maxdatetime()"),
    ("Observations", "round(result) eq -3", "round(result) eq -2"),
    ("Observations", "floor(result) eq -3", "floor(result) eq -2"),
    ("Observations", "ceiling(result) eq -2", "ceiling(result) eq -3"),
    ("Observations", "resultTime sub phenomenonTime lt duration'PT1M'",
     "resultTime sub phenomenonTime lt duration'PT1S'"),
    ("Observations", "phenomenonTime add duration'PT1H' gt 2026-03-29T11:30:00Z",
     "phenomenonTime add duration'P1D' lt 2026-03-29T11:30:00Z"),
    ("Observations", "phenomenonTime gt 2026-03-29T12:30:00+02:00", "phenomenonTime gt 2026-03-29T14:30:00+02:00"),
    ("Observations", "phenomenonTime lt 2026-03-29T10:30:00Z/2026-03-29T11:00:00Z",
     "phenomenonTime lt 2026-03-29T10:00:00Z/2026-03-29T11:00:00Z"),
    ("Observations", "before(phenomenonTime, 2026-03-29T11:00:00Z)", "before(phenomenonTime, 2026-03-29T10:00:00Z)"),
    ("Observations", "after(phenomenonTime, 2026-03-29T10:30:00Z)", "after(phenomenonTime, 2026-03-29T11:30:00Z)"),
    ("Observations", "meets(phenomenonTime, 2026-03-29T12:00:00Z/2026-03-29T13:00:00Z)",
     "meets(phenomenonTime, 2026-03-29T12:30:00Z/2026-03-29T13:00:00Z)"),
    ("Observations", "during(phenomenonTime, validTime)", "during(validTime, phenomenonTime)"),
    ("Observations", "overlaps(phenomenonTime, 2026-03-29T11:30:00Z/2026-03-29T13:00:00Z)",
     "overlaps(phenomenonTime, 2026-03-29T12:00:00Z/2026-03-29T13:00:00Z)"),
    ("Observations", "starts(phenomenonTime, 2026-03-29T11:00:00Z)", "starts(phenomenonTime, 2026-03-29T12:00:00Z)"),
    ("Observations", "finishes(phenomenonTime, 2026-03-29T12:00:00Z)",
     "finishes(phenomenonTime, 2026-03-29T11:00:00Z)"),
]  # fmt: skip

KERB = "geography'POINT (8.2710 49.9990)'"
GEOSPATIAL = [
    ("Locations", "Parcusstraße", f"geo.distance(location, {KERB}) lt 0.1 and geo.length(location) eq 0",
     "geo.distance(location, geography'POINT (7 49)') lt 0.1"),
    ("Locations", "street", "geo.length(location) gt 0.99 and geo.length(location) lt 1.01",
     "geo.length(location) lt 0"),
    ("Locations", "Parcusstraße", f"geo.intersects(location, {SQUARE}) and geo.length(location) eq 0",
     f"geo.intersects(location, {FAR})"),
    ("Locations", "Parcusstraße", f"st_equals(location, {KERB})",
     "st_equals(location, geography'POINT (8.2710 49.9991)')"),
    ("Locations", "street", f"st_disjoint(location, {KERB}) and geo.length(location) lt 2 and name ne 'x'",
     f"st_disjoint(location, {SQUARE})"),
    ("Locations", "area", "st_touches(location, geography'POLYGON ((9 49, 10 49, 10 51, 9 51, 9 49))')",
     f"st_touches(location, {FAR})"),
    ("Locations", "Parcusstraße", f"st_within(location, {SQUARE}) and name ne 'area' and name ne 'street'",
     f"st_within(location, {FAR})"),
    ("Locations", "area", "st_overlaps(location, geography'POLYGON ((8.5 49, 9.5 49, 9.5 51, 8.5 51, 8.5 49))')",
     f"st_overlaps(location, {SQUARE})"),
    ("Locations", "street",
     "st_crosses(location, geography'LINESTRING (7.9 50.2, 8.1 50.2)') and geo.length(location) lt 2",
     "st_crosses(location, geography'LINESTRING (7.9 40, 8.1 40)')"),
    ("Locations", "Parcusstraße", f"st_intersects(location, {SQUARE}) and startswith(name, 'P')",
     f"st_intersects(location, {FAR})"),
    ("Locations", "area", "st_contains(location, geography'POINT (8.5 50)')",
     "st_contains(location, geography'POINT (18.5 50)')"),
    ("Locations", "Parcusstraße",
     "st_contains(geography'POLYGON ((8.2 49, 8.3 49, 8.3 50, 8.2 50, 8.2 49))', location)",
     "st_contains(geography'POLYGON ((7.2 49, 7.3 49, 7.3 50, 7.2 50, 7.2 49))', location)"),
    ("Locations", "area", f"st_relate(location, {SQUARE}, 'T*F**FFF*')", f"st_relate(location, {FAR}, 'T********')"),
    ("Things", "Parcusstraße", f"st_within(Locations/location, {SQUARE})", f"st_within(Locations/location, {FAR})"),
    ("Things", "Parcusstraße", "st_within(Locations/location, Datastreams/observedArea)",
     "st_touches(Locations/location, Datastreams/observedArea)"),
    ("Datastreams", " Air Ä ", f"st_equals(observedArea, {SQUARE})", f"st_equals(observedArea, {FAR})"),
    ("Observations", 7, f"st_within(FeatureOfInterest/feature, {SQUARE}) and result eq 7",
     f"st_within(FeatureOfInterest/feature, {FAR})"),
    ("Locations", "area",
     f"geo.intersects(location, {SQUARE}) and geo.distance(geography'POINT (9 49)', location) eq 0",
     "geo.distance(geography'POINT (9 49)', location) lt 0"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "true", "false"), OPERATIONS)
def test_filter_operations(manager: httpx.Client, place: dict[str, Any], path: str, true: str, false: str) -> None:
    """req/request-data/built-in-filter-operations"""
    assert len(names(manager, path, true)) == 1
    assert names(manager, path, false) == []


@pytest.mark.parametrize(("path", "true", "false"), FUNCTIONS)
def test_query_functions(manager: httpx.Client, place: dict[str, Any], path: str, true: str, false: str) -> None:
    """req/request-data/built-in-query-functions: text, date and time, mathematics"""
    assert len(names(manager, path, true)) == 1
    assert names(manager, path, false) == []


@pytest.mark.parametrize(("path", "name", "true", "false"), GEOSPATIAL)
@pytest.mark.usefixtures("place")
def test_geospatial_functions(manager: httpx.Client, path: str, name: object, true: str, false: str) -> None:
    """req/request-data/built-in-query-functions: geospatial, and spatial relationships"""
    assert names(manager, path, true) == [name]
    assert names(manager, path, false) == []
    # What has no geometry is neither so nor not so.
    assert "words" not in names(manager, path, f"not ({false})")


def test_order_by_distance(manager: httpx.Client, place: dict[str, Any]) -> None:
    """req/request-data/orderby, with a geospatial function; what has no geometry comes first, as null does"""
    order = "geo.distance(location, geography'POINT (8.5 50)')"
    assert names(manager, "Locations", "id gt 0", order=order) == ["words", "area", "Parcusstraße", "street"]
    assert names(manager, "Locations", "id gt 0", order=f"{order} desc") == ["street", "Parcusstraße", "area", "words"]
    page = got(manager, f"Locations?$orderby={order}&$top=2&$count=true")
    assert page["@iot.count"] == 4
    assert [item["name"] for item in got(manager, page["@iot.nextLink"])["value"]] == ["Parcusstraße", "street"]


def test_geospatial_filters_of_what_is_expanded(manager: httpx.Client, place: dict[str, Any]) -> None:
    """req/request-data/expand, with a geospatial $filter"""
    inside = got(manager, f"{place['thing']}?$expand=Locations($filter=st_within(location,{SQUARE}))")
    outside = got(manager, f"{place['thing']}?$expand=Locations($filter=st_within(location,{FAR});$count=true)")
    assert [item["name"] for item in inside["Locations"]] == ["Parcusstraße"]
    assert (outside["Locations"], outside["Locations@iot.count"]) == ([], 0)
    count = manager.get(f"Locations/$count?$filter=st_within(location,{SQUARE})")
    assert count.text == "3"


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("st_within(location, geography'POLYGON ((8 49, 9 49, 9 51))')", "no geometry"),
        ("st_within(location, geography'POLYGON ((8 49, 9 51, 9 49, 8 51, 8 49))')", "not valid"),
        ("st_within(location, geography'POINT (49.99 98.27)')", "latitude"),
        ("st_within(location, geography'POINT (498 50)')", "longitude"),
        ("st_within(location, geography'POINT EMPTY')", "empty"),
        ("st_within(location, geography'SRID=25832;POINT (8 50)')", "reference system"),
        ("st_within(location, geography'')", "no geometry"),
        ("st_within(location, name)", "a geometry"),
        ("st_within(location)", "arguments"),
        ("location eq geography'POINT (8 50)'", "compare"),
        ("st_relate(location, geography'POINT (8 50)', 'T*')", "pattern"),
        ("st_relate(location, geography'POINT (8 50)', name)", "pattern"),
        ("geo.distance(location, geography'POINT (8 50)')", "true or false"),
    ],
)
def test_what_is_no_geometry(manager: httpx.Client, condition: str, words: str) -> None:
    """req/request-data/query-status-code: 400 that says what is wrong, and where"""
    response = manager.get("Locations", params={"$filter": condition})
    assert response.status_code == 400, response.text
    assert response.json()["where"].startswith("$filter")
    assert words in response.json()["message"] + response.json().get("remedy", "")
