"""Whatever is sent: an answer, in the standard's words, and never a fault of ours (500)."""

import json
import os
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sensorthings_write import cities

CALM = settings(
    max_examples=int(os.environ.get("MAINZDIGITAL_FUZZ", "150")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SETS = ["Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties",
        "FeaturesOfInterest", "Observations"]  # fmt: skip
NAMES = [
    "Thing", "Locations", "Datastreams", "Datastream", "Observations", "Sensor", "ObservedProperty",
    "FeatureOfInterest", "HistoricalLocations", "name", "description", "encodingType", "location", "feature",
    "metadata", "definition", "observationType", "unitOfMeasurement", "observedArea", "properties", "phenomenonTime",
    "resultTime", "result", "resultQuality", "validTime", "parameters", "time", "@iot.id", "@iot.selfLink",
    "Things@iot.navigationLink", "accessClass",
]  # fmt: skip

_segments = (
    st.sampled_from(SETS)
    | st.builds("{}({})".format, st.sampled_from(SETS), st.integers(-1, 2**70) | st.integers(1, 2))
    | st.sampled_from([*NAMES, "$ref", "$value", "$count", "", ".", "..", "(1)", "Things()", "Things('1')"])
    | st.text(max_size=6)
)
_paths = st.lists(_segments, max_size=5).map("/".join)
_words = st.sampled_from(
    [*NAMES, "eq", "ne", "and", "or", "not", "(", ")", "'x'", "1", "-1.5", "null", "true", "2026-01-01T00:00:00Z",
     "contains(", "year(", "geo.distance(", "st_within(", "geography'POINT(8 50)'", "duration'P1D'", ",", "/", "in",
     "asc", "desc", "$expand=", "$filter=", "$top=1", ";", "*", "add", "div", "mod", "'", "1e400", "9" * 400]
)  # fmt: skip
_options = st.tuples(
    st.sampled_from(["$filter", "$orderby", "$expand", "$select", "$top", "$skip", "$count", "$resultFormat",
                     "$skiptoken", "$other"]),
    st.lists(_words, max_size=8).map(" ".join) | st.text(max_size=20),
)  # fmt: skip

_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["open", "application/geo+json", "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
                       "9999-12-31T23:59:59-01:00", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", 1, 2**31, 2**63])
)  # fmt: skip
_values = st.recursive(
    _scalars | st.just(cities.POINT) | st.builds(lambda: {"@iot.id": 1}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner),
    max_leaves=12,
)
_bases: dict[str, Any] = {
    "Things": cities.station(), "Locations": cities.location(), "Sensors": cities.sensor(),
    "ObservedProperties": cities.observed_property(), "FeaturesOfInterest": cities.feature(),
    "Datastreams": cities.full_datastream(Thing={"@iot.id": 1}),
    "HistoricalLocations": cities.history(Thing={"@iot.id": 1}, Locations=[{"@iot.id": 1}]),
    "Observations": {"result": 1, "phenomenonTime": "2026-01-01T00:00:00Z", "Datastream": {"@iot.id": 1}},
}  # fmt: skip


@pytest.fixture
def city(manager: httpx.Client) -> httpx.Client:
    assert manager.post("Things", json=cities.station()).status_code == 201
    assert manager.post("Datastreams(1)/Observations", json={"result": 1}).status_code == 201
    return manager


def check(answer: httpx.Response) -> None:
    assert answer.status_code != 500, answer.text
    assert answer.status_code < 600
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        content = answer.json()
        assert content["code"] == answer.status_code
        assert content["message"]


@CALM
@given(path=_paths, options=st.lists(_options, max_size=3), method=st.sampled_from(["GET", "HEAD", "OPTIONS"]))
def test_any_address(city: httpx.Client, path: str, options: list[tuple[str, str]], method: str) -> None:
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in options)
    raw = quote(f"/sensorthings/v1.1/{path}") + (f"?{query}" if query else "")
    address = httpx.URL(str(city.base_url)).copy_with(raw_path=raw.encode())
    check(city.request(method, address))


@CALM
@given(raw=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40))
def test_any_raw_address(city: httpx.Client, raw: str) -> None:
    address = httpx.URL(str(city.base_url)).copy_with(raw_path=f"/sensorthings/v1.1/{raw}".encode())
    check(city.get(address))


@CALM
@given(
    name=st.sampled_from(SETS),
    changes=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), _values, max_size=3),
    method=st.sampled_from(["POST", "PATCH", "PUT"]),
)
def test_any_body(city: httpx.Client, name: str, changes: dict[str, Any], method: str) -> None:
    body = {**(_bases[name] if method != "PATCH" else {}), **changes}
    text = json.dumps(body)  # NaN, infinities and lone surrogates included, as Python writes them
    path = name if method == "POST" else f"{name}(1)"
    check(city.request(method, path, content=text, headers={"Content-Type": "application/json"}))


@CALM
@given(
    content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    path=st.sampled_from(["Things", "Observations", "Datastreams(1)/Observations"]),
)
def test_any_bytes(city: httpx.Client, content: bytes, path: str) -> None:
    check(city.post(path, content=content, headers={"Content-Type": "application/json"}))


@CALM
@given(
    operations=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
                "path": st.sampled_from(["", "/name", "/properties", "/properties/owner", "/x", "name", "/Locations"]),
                "from": st.sampled_from(["", "/name", "/properties", "/y"]),
                "value": _values,
            },
        ),
        max_size=4,
    )
)
def test_any_json_patch(city: httpx.Client, operations: list[dict[str, Any]]) -> None:
    headers = {"Content-Type": "application/json-patch+json"}
    check(city.patch("Things(1)", content=json.dumps(operations), headers=headers))


@CALM
@given(
    name=st.sampled_from(["Accept", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Authorization",
                          "Cookie", "X-Forwarded-For", "Origin"]),
    value=st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"]), max_size=30),
    method=st.sampled_from(["GET", "POST", "PATCH"]),
)  # fmt: skip
def test_any_header(city: httpx.Client, name: str, value: str, method: str) -> None:
    path = "Observations" if method == "POST" else "Things(1)"
    body: dict[str, Any] | None = None if method == "GET" else {}
    check(city.request(method, path, json=body, headers=[(name.encode(), value.encode("latin-1"))]))
