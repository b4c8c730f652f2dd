"""Conformance class A.2, request data (OGC 18-088, clause 9.3), over HTTP.

Requirements: http://www.opengis.net/spec/iot_sensing/1.1/req/request-data/…
"""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.conformance.test_create_update_delete import created, got
from tests.sensorthings_write import cities

HOURS = [f"2026-01-01T{hour:02}:00:00Z" for hour in range(5)]


@pytest.fixture
def city(manager: httpx.Client) -> httpx.Client:
    """Things A to E, number 1 to 5; A has a datastream of the values 0 to 4, hour by hour, and a text one."""
    for number, name in enumerate("ABCDE", 1):
        streams = [
            cities.full_datastream(
                name="numbers", Observations=[{"phenomenonTime": at, "result": i} for i, at in enumerate(HOURS)]
            ),
            cities.full_datastream(name="texts", Observations=[{"phenomenonTime": HOURS[0], "result": "wet"}]),
        ]
        body = cities.thing(name=name, properties={"number": number, "odd": bool(number % 2), "part": {"name": "x"}})
        more = {"Datastreams": streams, "Locations": [cities.location()]} if number == 1 else {}
        created(manager, "Things", body | more)
    return manager


def names(client: httpx.Client, address: str) -> list[str]:
    return [item["name"] for item in got(client, address)["value"]]


def results(client: httpx.Client, options: str) -> list[Any]:
    return [item["result"] for item in got(client, f"Observations?{options}&$orderby=phenomenonTime,id")["value"]]


def where(client: httpx.Client, text: str) -> str:
    """The names of the things that a filter finds, in order."""
    response = client.get("Things", params={"$filter": text, "$orderby": "name"})
    assert response.status_code == 200, response.text
    return "".join(item["name"] for item in response.json()["value"])


def test_status_codes(city: httpx.Client) -> None:
    """req/request-data/status-code: 200, 404 for what is not there, 400 for what cannot be read"""
    for path, status in [
        ("Things", 200), ("Things(1)", 200), ("Things(1)/name", 200), ("Things(99)", 404), ("Thing", 404),
        ("Things(99)/Datastreams", 404), ("Things(1)/Sensors", 404), ("Things(x)", 400),
    ]:  # fmt: skip
        assert city.get(path).status_code == status, path


@pytest.mark.parametrize(
    "query",
    ["$nothing=1", "$top=x", "$top=-1", "$skip=x", "$count=1", "$filter=name eq", "$filter=nothing eq 1",
     "$select=nothing", "$expand=Nothing", "$orderby=nothing", "$filter=name eq 1", "$filter=foo(name)",
     "$top=1&$top=2"],
)  # fmt: skip
def test_query_status_codes(city: httpx.Client, query: str) -> None:
    """req/request-data/query-status-code: 400 and what is wrong with which option"""
    response = city.get(f"Things?{query}")
    assert response.status_code == 400
    assert query.partition("=")[0] in response.json()["where"]


def test_order_of_evaluation(city: httpx.Client) -> None:
    """req/request-data/order: $filter, $count, $orderby, $skip, $top; then $expand and $select"""
    found = got(
        city, "Things?$top=2&$select=name&$skip=1&$orderby=name desc&$count=true&$filter=properties/number gt 1"
    )
    assert found["@iot.count"] == 4
    assert found["value"] == [{"name": "D"}, {"name": "C"}]


def test_expand(city: httpx.Client) -> None:
    """req/request-data/expand: by name, by path, nested, with options of their own"""
    (thing,) = got(city, "Things?$filter=name eq 'A'&$expand=Datastreams/Observations,Locations")["value"]
    assert [len(stream["Observations"]) for stream in thing["Datastreams"]] == [5, 1]
    assert [item["name"] for item in thing["Locations"]] == ["Parcusstraße"]
    assert got(city, "Things?$filter=name eq 'B'&$expand=Locations")["value"][0]["Locations"] == []
    assert "Datastreams@iot.navigationLink" not in thing
    nested = (
        "$expand=Datastreams($filter=name eq 'numbers';$select=name;"
        "$expand=Observations($orderby=result desc;$top=2;$skip=1;$count=true;$select=result))"
    )
    (thing,) = got(city, f"Things?$filter=name eq 'A'&{nested}")["value"]
    (stream,) = thing["Datastreams"]
    assert stream["Observations"] == [{"result": 3}, {"result": 2}]
    assert stream["Observations@iot.count"] == 5
    rest = got(city, stream["Observations@iot.nextLink"])
    assert [item["result"] for item in rest["value"]] == [1, 0]
    one = got(city, "Observations?$top=1&$expand=Datastream/Thing")["value"][0]
    assert one["Datastream"]["Thing"]["name"] == "A"


def test_select(city: httpx.Client) -> None:
    """req/request-data/select: properties, relations as links, identifiers, parts of JSON"""
    assert got(city, "Things(1)?$select=name,description") == {"name": "A", "description": "A station"}
    assert set(got(city, "Things(1)?$select=Datastreams,@iot.id")) == {"Datastreams@iot.navigationLink", "@iot.id"}
    assert got(city, "Things(1)?$select=properties/number") == {"properties": {"number": 1}}
    expanded = got(city, "Things(1)?$select=name&$expand=Datastreams($select=name)")
    assert expanded == {"name": "A", "Datastreams": [{"name": "numbers"}, {"name": "texts"}]}


@pytest.mark.parametrize(
    ("order", "expected"),
    [("name", "ABCDE"), ("name asc", "ABCDE"), ("name desc", "EDCBA"), ("properties/odd desc,name desc", "ECADB"),
     ("properties/number mod 3,name", "CADBE")],
)  # fmt: skip
def test_orderby(city: httpx.Client, order: str, expected: str) -> None:
    """req/request-data/orderby: ascending unless said, by several keys, by expressions"""
    assert "".join(names(city, f"Things?$orderby={order}")) == expected


def test_top(city: httpx.Client) -> None:
    """req/request-data/top: exactly so many, and a link to what follows only if something does"""
    for top, count in ((0, 0), (1, 1), (4, 4), (5, 5), (99, 5)):
        found = got(city, f"Things?$top={top}")
        assert len(found["value"]) == count
        assert ("@iot.nextLink" in found) is (0 < top < 5)


def test_skip(city: httpx.Client) -> None:
    """req/request-data/skip: so many are left out at the start"""
    for skip, expected in ((0, "ABCDE"), (2, "CDE"), (5, ""), (99, "")):
        assert "".join(names(city, f"Things?$skip={skip}&$orderby=name")) == expected


def test_count(city: httpx.Client) -> None:
    """req/request-data/count: of all that the filter finds, whatever the page shows"""
    assert got(city, "Things?$count=true&$top=1&$skip=2")["@iot.count"] == 5
    assert got(city, "Things?$count=true&$filter=properties/odd eq true&$top=0")["@iot.count"] == 3
    assert "@iot.count" not in got(city, "Things?$count=false")
    assert "@iot.count" not in got(city, "Things")


def test_filter(city: httpx.Client) -> None:
    """req/request-data/filter: by properties, parts of JSON, and properties of related entities"""
    assert where(city, "name eq 'B'") == "B"
    assert where(city, "properties/part/name eq 'x' and properties/number le 2") == "AB"
    assert where(city, "Datastreams/name eq 'texts'") == "A"
    assert where(city, "Datastreams/Observations/result eq 'wet'") == "A"
    assert results(city, "$filter=Datastream/Thing/name eq 'A' and Datastream/name eq 'numbers'") == [0, 1, 2, 3, 4]
    within = "phenomenonTime ge 2026-01-01T01:00:00Z and phenomenonTime lt 2026-01-01T03:00:00Z"
    assert results(city, f"$filter={within}") == [1, 2]
    assert results(city, "$filter=result gt 2") == [3, 4]
    assert results(city, "$filter=result eq 'wet'") == ["wet"]


OPERATIONS: Sequence[tuple[str, str]] = [
    ("name eq 'C'", "C"), ("name ne 'C'", "ABDE"), ("properties/number gt 3", "DE"), ("properties/number ge 3", "CDE"),
    ("properties/number lt 3", "AB"), ("properties/number le 3", "ABC"), ("name gt 'C'", "DE"),
    ("properties/number gt 1 and properties/odd eq true", "CE"), ("name eq 'A' or name eq 'E'", "AE"),
    ("not (name eq 'A')", "BCDE"), ("not properties/odd", "BD"),
    ("properties/number add 1 eq 3", "B"), ("properties/number sub 1 eq 3", "D"), ("properties/number mul 2 eq 6", "C"),
    ("properties/number div 2 eq 2.5", "E"), ("properties/number mod 2 eq 0", "BD"), ("-properties/number lt -4", "E"),
    ("(name eq 'A' or name eq 'B') and properties/odd eq true", "A"),
    ("name eq 'A' or name eq 'B' and properties/odd eq true", "A"),
    ("properties/number mul (1 add 1) eq 4", "B"), ("1 add 2 mul 2 eq 5 and name eq 'A'", "A"),
    ("properties/nothing eq null", "ABCDE"), ("properties/number ne null", "ABCDE"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), OPERATIONS)
def test_built_in_filter_operations(city: httpx.Client, text: str, expected: str) -> None:
    """req/request-data/built-in-filter-operations: comparison, logic, arithmetic, grouping, precedence"""
    assert where(city, text) == expected


def test_pagination(city: httpx.Client) -> None:
    """req/request-data/pagination: by @iot.nextLink to the end, each once, the other options kept"""
    address, seen = "Things?$top=2&$orderby=name desc&$select=name&$filter=properties/number ne 3", []
    for _ in range(5):
        found = got(city, address)
        assert all(set(item) == {"name"} for item in found["value"])
        seen += [item["name"] for item in found["value"]]
        if "@iot.nextLink" not in found:
            break
        address = found["@iot.nextLink"]
    assert seen == ["E", "D", "B", "A"]
