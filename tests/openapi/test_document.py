"""The OpenAPI document: valid, complete in both directions, and served as a document that seldom changes."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from mainzdigital.config import asgi
from mainzdigital.exchange import series_query, series_write
from mainzdigital.exchange.sensorthings import ReadLimits
from mainzdigital.kernel import errors
from mainzdigital.serve import openapi
from mainzdigital.serve.app_mounts import MOUNTS
from mainzdigital.serve.limits import Limits
from mainzdigital.serve.openapi import declared, sensorthings
from mainzdigital.serve.openapi.actions import DESCRIBED
from mainzdigital.serve.openapi.parts import REFUSALS
from mainzdigital.serve.sensorthings import target
from mainzdigital.store.model import ENTITY_TYPES
from tests.sensorthings_write import cities
from tests.serve.servers import Running

ALL = frozenset({*MOUNTS, "/health", "/ready", "/metrics"})


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """The document of a city with everything mounted."""
    return openapi.document(origin="https://daten.example.org", limits=Limits(), mounted=ALL)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


def test_it_is_openapi(whole: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(whole).validate()
    names = [operation["operationId"] for _, _, operation in operations(whole)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in whole["tags"]}
    assert {tag for _, _, operation in operations(whole) for tag in operation["tags"]} == tags


def test_every_reference_leads_somewhere(whole: dict[str, Any]) -> None:
    def references(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "$ref":
                    yield inner
                else:
                    yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    used = set(references(whole))
    for reference in used:
        found: Any = whole
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
    kinds = ("schemas", "parameters", "responses")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in whole["components"][kind]}
    assert there - used == set(), "described, and used by nothing"


def test_every_route_is_in_it(whole: dict[str, Any]) -> None:
    """Every mount of the process that config composes, every entity set, relation and property."""
    # Routes that end in / are prefixes of mounts, which MOUNTS names whole.
    mounted = {*MOUNTS, *(route for route in asgi.ROUTES if not route.endswith("/"))}
    assert mounted - declared.described() == {"/sensorthings/v1.1"}
    assert set(target.ACTIONS) <= {name for name, _ in DESCRIBED}
    root = "/sensorthings/v1.1"
    for entity in ENTITY_TYPES.values():
        one = f"{root}/{entity.set_name}({{id}})"
        for path in (f"{root}/{entity.set_name}", one, *(f"{one}/{name}" for name in entity.navigations)):
            assert path in whole["paths"], path
        (names,) = [
            item["schema"]["enum"]
            for item in whole["paths"][f"{one}/{{property}}"]["parameters"] if item.get("name") == "property"
        ]  # fmt: skip
        assert set(names) == {"@iot.id", *entity.properties} - {"id"}


def test_every_path_and_method_answers(
    server: Running, manager: httpx.Client, anonymous: httpx.Client, document: dict[str, Any]
) -> None:
    """Nothing in it is 404 or 405 once there is an entity of each kind with every relation."""
    ids = fill(manager)
    wrong = []
    for path, item in document["paths"].items():
        address = server.origin + concrete(manager, server.origin, path, ids)
        for method in set(item) - {"parameters"}:
            if path == "/events/v1" and method == "get":
                continue  # answers without end; tests/series reads it
            # A wrong content type is refused before anything is changed, a delete without key too.
            headers = {"Content-Type": "text/plain"} if method in {"post", "patch", "put"} else {}
            client = anonymous if method == "delete" else manager
            response = client.request(method.upper(), address, headers=headers)
            expected = {"post": {415}, "patch": {415}, "put": {415}, "delete": {401}}.get(method, {200, 204})
            if response.status_code not in expected:
                wrong.append((method, address, response.status_code, response.text))
    assert wrong == []


def fill(manager: httpx.Client) -> dict[str, list[int]]:
    """Entities of each type, every relation used; ids by set name."""
    two = {"ObservedProperties": [cities.observed_property(), cities.observed_property(name="b")]}
    units = [{"name": "a", "symbol": "a", "definition": "a"}] * 2
    multi = {
        "name": "m", "description": "m", "unitOfMeasurements": units, "Sensor": cities.sensor(), **two,
        "multiObservationDataTypes": ["http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"] * 2,
    }  # fmt: skip
    assert manager.post("Things", json=cities.station(MultiDatastreams=[multi])).status_code == 201
    (stream,) = manager.get("MultiDatastreams").json()["value"]
    assert manager.post("Datastreams(1)/Observations", json={"result": 1}).status_code == 201
    answer = manager.post(f"MultiDatastreams({stream['@iot.id']})/Observations", json={"result": [1, 2]})
    assert answer.status_code == 201
    return {
        entity.set_name: [item["@iot.id"] for item in manager.get(f"{entity.set_name}?$select=id").json()["value"]]
        for entity in ENTITY_TYPES.values()
    }


def concrete(manager: httpx.Client, origin: str, path: str, ids: dict[str, list[int]]) -> str:
    """The path with the first ids under which there is something."""
    if path == "/series/v1":
        return f"{path}?datastreams=1"
    choices = [ids[name] for name in re.findall(r"(\w+)\(\{(?:id|innerId)\}\)", path)]
    tried = path.replace("{property}", "@iot.id")
    for chosen in itertools.product(*choices):
        tried = path.replace("{property}", "@iot.id")
        for name, number in zip(("id", "innerId"), chosen, strict=False):
            tried = tried.replace(f"{{{name}}}", str(number))
        if not choices or manager.head(origin + tried).status_code != 404:
            break
    return tried


def test_series_are_described_as_they_are_read(whole: dict[str, Any]) -> None:
    operation = whole["paths"]["/series/v1"]["get"]
    assert tuple(item["name"] for item in operation["parameters"]) == series_query.PARAMETERS
    assert set(declared.SERIES) == set(series_query.PARAMETERS), "each with a description, and no other"
    assert set(operation["responses"]["200"]["content"]) == set(series_write.TYPES.values())


def test_refusals_are_those_of_the_kernel() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CityError)}
    described = {kind for kind, _ in REFUSALS.values()}
    assert kinds - described == {errors.CityError, errors.MethodNotAllowed}
    assert {status: kind.status for status, (kind, _) in REFUSALS.items()} == {status: status for status in REFUSALS}


def test_limits_in_force_stand_in_it() -> None:
    found = openapi.document(origin="http://x", limits=Limits(read=ReadLimits(page=7, top=77)), mounted=ALL)
    assert "without it 7, at most 77" in found["components"]["parameters"]["top"]["description"]
    opened = openapi.document(origin="http://x", limits=Limits(), mounted=ALL, open_write=True)
    assert {} in opened["paths"]["/sensorthings/v1.1/Things"]["post"]["security"]


def test_what_is_not_mounted_is_not_listed(document: dict[str, Any]) -> None:
    assert "/metrics" not in document["paths"]
    assert "/series/v1" in document["paths"]


def test_examples_are_accepted(manager: httpx.Client, document: dict[str, Any]) -> None:
    fill(manager)
    for name, entity in ENTITY_TYPES.items():
        body = document["components"]["schemas"][f"{name}New"]["examples"][0]
        response = manager.post(entity.set_name, json=body)
        assert response.status_code == 201, (name, response.text)


def test_it_is_served_as_a_document(server: Running) -> None:
    address = f"{server.origin}/api/openapi.json"
    first = httpx.get(address, headers={"Accept-Encoding": "identity"})
    assert first.headers["Content-Type"] == "application/json"
    assert httpx.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    packed = httpx.get(address, headers={"Accept-Encoding": "br"})
    assert packed.headers["Content-Encoding"] == "br"
    assert packed.json() == first.json()
    assert packed.num_bytes_downloaded * 10 < len(first.content)
    assert first.json()["servers"][0]["url"] == server.origin
    for method, path, status in (("POST", "", 405), ("GET", "/x", 404), ("GET", "?x=1", 400)):
        refused = httpx.request(method, address + path)
        assert (refused.status_code, refused.json()["code"]) == (status, status)
    assert httpx.get(address, headers={"Accept": "image/png"}).status_code == 406


def test_the_landing_page_names_it(anonymous: httpx.Client) -> None:
    links = anonymous.get("").headers["Link"]
    assert '</api/openapi.json>; rel="service-desc"; type="application/json"' in links
    assert '</api/>; rel="service-doc"' in links


def test_templates_reach_every_navigation_of_to_one_relations() -> None:
    templates = set(sensorthings.templates())
    assert "Observations({id})/Datastream/Thing" in templates
    assert "Things({id})/Datastreams({innerId})" in templates
    assert len(templates) == len(list(sensorthings.templates()))
