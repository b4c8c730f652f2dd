"""Requests as clients in the field send them: QGIS's SensorThings provider (3.36 and newer) and Masterportal.

The shapes are theirs, with the options in their order; what they need of the answers is checked.
"""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conformance.test_create_update_delete import created, got
from tests.sensorthings_write import cities

HOURS = [f"2026-01-01T{hour:02}:00:00Z" for hour in range(3)]
SERVICE, LAYER = "HH_STA_HamburgerRadzaehlnetz", "Anzahl_Fahrraeder_Zaehlstelle_15-Min"


def _stream(layer: str, base: int) -> dict[str, Any]:
    return cities.full_datastream(
        name=f"{layer} {base}",
        properties={"serviceName": SERVICE, "layerName": layer, "infoLastUpdate": "2026-01-01"},
        observedArea={"type": "Polygon", "coordinates": [[[8, 50], [9, 50], [9, 51], [8, 51], [8, 50]]]},
        Observations=[{"phenomenonTime": at, "result": base + i} for i, at in enumerate(HOURS)],
    )


@pytest.fixture
def city(manager: httpx.Client) -> httpx.Client:
    """Five stations at points, every second with its place as a Feature; one more at a line, without datastreams."""
    for number in range(1, 6):
        point: dict[str, Any] = {"type": "Point", "coordinates": [8 + number / 10, 50]}
        if number % 2:
            point = {"type": "Feature", "geometry": point, "properties": {}}
        body = cities.thing(
            name=f"Station {number}",
            properties={"assetID": f"B{number}", "owner": "city"},
            Locations=[cities.location(name=f"Place {number}", location=point, properties={"owner": "city"})],
            Datastreams=[_stream(LAYER, 10 * number), _stream("other", 100 * number)],
        )
        created(manager, "Things", body)
    line = {"type": "LineString", "coordinates": [[8, 49.5], [9, 50.5]]}
    created(manager, "Things", cities.thing(name="Road", Locations=[cities.location(name="Road", location=line)]))
    return manager


def encoded(query: str) -> str:
    """As a browser's fetch or Qt sends it."""
    return quote(query, safe="$&=(),;'/?:@!*")


def pages(client: httpx.Client, address: str) -> list[dict[str, Any]]:
    """Everything behind the next links, each page asked as it was linked."""
    found: list[dict[str, Any]] = []
    for _ in range(20):
        page = got(client, address)
        found += page["value"]
        if "@iot.nextLink" not in page:
            return found
        address = page["@iot.nextLink"]
    raise AssertionError("the pages do not end")


def of_type(name: str, kind: str) -> str:
    """How QGIS asks for one kind of geometry."""
    return f"{name}/type eq '{kind}' or {name}/geometry/type eq '{kind}'"


POINTS = of_type("location", "Point")


def test_qgis_looks_at_the_service_first(anonymous: httpx.Client) -> None:
    """req/resource-path/resource-path-to-entities: QGIS takes the addresses of the sets from the service root."""
    root = got(anonymous, "")
    urls = {item["name"]: item["url"] for item in root["value"]}
    for name in ("Things", "Locations", "Datastreams", "Observations", "FeaturesOfInterest", "MultiDatastreams"):
        assert got(anonymous, urls[name])["value"] == []


def test_qgis_counts_features_of_its_geometry(city: httpx.Client) -> None:
    """req/request-data/count with $top=0, before a layer is opened"""
    for query, count in [
        (f"Locations?$top=0&$count=true&$filter={POINTS}", 5),
        (f"Locations?$top=0&$count=true&$filter={of_type('location', 'LineString')}", 1),
        (f"Datastreams?$top=0&$count=true&$filter={of_type('observedArea', 'Polygon')}", 10),
        (f"FeaturesOfInterest?$top=0&$count=true&$filter={of_type('feature', 'Point')}", 5),
        ("Things?$top=0&$count=true", 6),
    ]:  # fmt: skip
        found = got(city, encoded(query))
        assert found == {"@iot.count": count, "value": []}, query


def test_qgis_reads_features_page_by_page(city: httpx.Client) -> None:
    """req/request-data/pagination: $count=false, and every page by its link"""
    found = pages(city, encoded(f"Locations?$top=2&$count=false&$filter={POINTS}"))
    assert [item["name"] for item in found] == [f"Place {number}" for number in range(1, 6)]
    for item in found:
        assert {"@iot.id", "@iot.selfLink", "name", "description", "location", "properties"} <= set(item)
    named = pages(city, encoded(f"Locations?$top=2&$count=false&$filter=({POINTS}) and (name ne 'Place 2')"))
    assert len(named) == 4


def test_qgis_reads_what_is_in_the_window(city: httpx.Client) -> None:
    """req/request-data/built-in-query-functions: the extent as QGIS writes it, beside the kind of geometry"""
    window = "geography'Polygon ((8.15 49.9, 8.45 49.9, 8.45 50.1, 8.15 50.1, 8.15 49.9))'"
    found = pages(
        city, encoded(f"Locations?$top=2&$count=false&$filter=({POINTS}) and geo.intersects(location, {window})")
    )
    assert [item["name"] for item in found] == ["Place 2", "Place 3", "Place 4"]
    count = got(city, encoded(f"Locations?$top=0&$count=true&$filter=geo.intersects(location, {window})"))
    assert count == {"@iot.count": 4, "value": []}, "the line crosses the window too"
    areas = f"({of_type('observedArea', 'Polygon')}) and geo.intersects(observedArea, {window})"
    assert len(pages(city, encoded(f"Datastreams?$top=4&$count=false&$filter={areas}"))) == 10
    features = f"({of_type('feature', 'Point')}) and geo.intersects(feature, {window})"
    assert len(pages(city, encoded(f"FeaturesOfInterest?$top=2&$count=false&$filter={features}"))) == 3
    elsewhere = "geography'Polygon ((0 0, 1 0, 1 1, 0 1, 0 0))'"
    assert got(city, encoded(f"Locations?$filter=({POINTS}) and geo.intersects(location, {elsewhere})"))["value"] == []


def test_qgis_expands_what_hangs_on_a_place(city: httpx.Client) -> None:
    """req/request-data/expand: a layer of Locations with all that hangs on them, with limits and orders"""
    newest_two = (
        "Things($top=1;$expand=Datastreams($orderby=id desc;$top=1;"
        "$expand=Observations($orderby=phenomenonTime desc;$top=2)))"
    )
    for expand, count in (
        ("Things($expand=Datastreams($expand=Observations))", 10),
        (newest_two, 5),
        ("Things($expand=Datastreams($filter=properties/layerName eq 'other';$expand=Observations($top=2)))", 5),
    ):
        found = pages(city, encoded(f"Locations?$top=3&$count=false&$filter={POINTS}&$expand={expand}"))
        assert len(found) == 5
        streams = [stream for item in found for thing in item["Things"] for stream in thing["Datastreams"]]
        assert len(streams) == count
        assert all(stream["Observations"] for stream in streams)
    place = got(city, encoded(f"Locations?$expand={newest_two}"))["value"][0]
    newest = place["Things"][0]["Datastreams"][0]
    assert [item["result"] for item in newest["Observations"]] == [102, 101]


def test_qgis_reads_tables_without_geometry(city: httpx.Client) -> None:
    """req/request-data/expand: the place of a thing for its point, and selected columns in the order of ids"""
    found = pages(city, encoded("Things?$top=4&$count=false&$expand=Locations($top=1)&$orderby=id"))
    assert [thing["@iot.id"] for thing in found] == sorted(thing["@iot.id"] for thing in found)
    assert all(len(thing["Locations"]) == 1 for thing in found)
    rows = pages(city, encoded("Observations?$top=10&$select=id,phenomenonTime,result&$orderby=id"))
    assert len(rows) == 30
    assert all(set(row) == {"@iot.id", "phenomenonTime", "result"} for row in rows)


def test_masterportal_loads_a_layer(city: httpx.Client) -> None:
    """req/request-data/filter, req/request-data/expand: things of a layer with places, streams and newest values"""
    query = (
        f"Things?$filter=startswith(Datastreams/properties/serviceName,'HH_STA_') and "
        f"Datastreams/properties/layerName eq '{LAYER}' &$count=false&$expand=Locations,"
        "Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc;$select=result,phenomenonTime;);"
        f"$filter=properties/layerName eq '{LAYER}')"
    )
    for sent in (encoded(query), query.replace(" ", "%20"), quote(query, safe="?&=")):
        things = got(city, sent)["value"]
        assert [thing["name"] for thing in things] == [f"Station {number}" for number in range(1, 6)]
        for number, thing in enumerate(things, 1):
            (place,), (stream,) = thing["Locations"], thing["Datastreams"]
            assert place["location"]["type"] in {"Point", "Feature"}
            assert stream["Observations"] == [{"phenomenonTime": HOURS[-1], "result": 10 * number + 2}]


def test_masterportal_loads_what_is_in_the_window(city: httpx.Client) -> None:
    """req/request-data/built-in-query-functions: layers that load with the map, by the place of a thing"""
    window = "geography'POLYGON ((8.15 49.9,8.35 49.9,8.35 50.1,8.15 50.1,8.15 49.9))'"
    for function in ("st_within", "geo.intersects"):
        query = (
            f"Things?$filter=Datastreams/properties/layerName eq '{LAYER}' and {function}(Locations/location,{window})"
            f"&$expand=Locations,Datastreams($filter=properties/layerName eq '{LAYER}')"
        )
        assert [thing["name"] for thing in got(city, encoded(query))["value"]] == ["Station 2", "Station 3"], function


def test_masterportal_follows_pages_also_inside(city: httpx.Client) -> None:
    """req/request-data/pagination: next links of a page and of what is expanded in it"""
    found = pages(
        city, encoded("Things?$top=2&$orderby=id&$expand=Datastreams($top=1;$orderby=name)&$filter=Datastreams/id gt 0")
    )
    assert len(found) == 5
    for thing in found:
        rest = pages(city, thing["Datastreams@iot.nextLink"])
        assert {item["name"] for item in (*thing["Datastreams"], *rest)} == {
            f"{LAYER} {10 * int(thing['name'][-1])}", f"other {100 * int(thing['name'][-1])}",
        }  # fmt: skip


def test_masterportal_asks_for_a_history(city: httpx.Client) -> None:
    """req/request-data/orderby: one more than is shown, nested, in a period, newest or highest first"""
    first = got(city, encoded(f"Datastreams?$filter=properties/layerName eq '{LAYER}'&$orderby=id desc"))["value"][-1]
    one = f"Datastreams({first['@iot.id']})"
    found = got(
        city,
        encoded(f"{one}?$expand=Observations($top=101;$orderby=phenomenonTime desc;$select=result,phenomenonTime)"),
    )
    assert [item["result"] for item in found["Observations"]] == [12, 11, 10]
    assert "Observations@iot.nextLink" not in found
    period = "phenomenonTime ge 2026-01-01T00:30:00.000Z and phenomenonTime le 2026-01-01T02:30:00.000Z"
    found = got(
        city, encoded(f"{one}/Observations?$filter={period}&$orderby=phenomenonTime asc&$select=phenomenonTime,result")
    )
    assert [item["result"] for item in found["value"]] == [11, 12]
    highest = "$expand=Observations($filter=result ge 11;$orderby=result desc;$top=1)"
    inner = f"$filter=properties/layerName eq '{LAYER}';{highest}"
    best = got(city, encoded(f"Things?$filter=name eq 'Station 1'&$expand=Datastreams({inner})"))
    assert best["value"][0]["Datastreams"][0]["Observations"][0]["result"] == 12


def test_masterportal_asks_from_another_origin(city: httpx.Client) -> None:
    """A page elsewhere may read what is open, and the link to the next page."""
    response = city.get("Things?$top=1", headers={"Origin": "https://geoportal.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    asked = {"Origin": "https://geoportal.example", "Access-Control-Request-Method": "GET",
             "Access-Control-Request-Headers": "authorization"}  # fmt: skip
    allowed = city.options("Things", headers=asked)
    assert allowed.status_code == 204
    assert "authorization" in allowed.headers["Access-Control-Allow-Headers"].lower()
