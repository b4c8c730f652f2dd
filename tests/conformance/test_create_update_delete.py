"""Conformance class A.3, create-update-delete (OGC 18-088, clause 10), over HTTP.

Requirements: http://www.opengis.net/spec/iot_sensing/1.1/req/create-update-delete/…
"""

from typing import Any

import httpx
import pytest

from tests.sensorthings_write import cities

SETS = ["Things", "Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams", "Sensors",
        "ObservedProperties", "FeaturesOfInterest", "Observations"]  # fmt: skip


def made(response: httpx.Response) -> str:
    """The address of what a POST created."""
    assert response.status_code == 201, response.text
    return response.headers["Location"]


def created(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create, and read what was created."""
    return got(client, made(client.post(path, json=body)))


def got(client: httpx.Client, path: str) -> dict[str, Any]:
    response = client.get(path)
    assert response.status_code == 200, response.text
    found = response.json()
    assert isinstance(found, dict)
    return found


def count(client: httpx.Client, path: str) -> int:
    return int(got(client, f"{path}?$count=true&$top=0")["@iot.count"])


@pytest.fixture
def station(manager: httpx.Client) -> dict[str, Any]:
    """One entity of every type; addresses by set name."""
    links: dict[str, Any] = {"Things": made(manager.post("Things", json=cities.station()))}
    for relation in ("Datastreams", "Locations", "HistoricalLocations"):
        links[relation] = got(manager, f"{links['Things']}/{relation}")["value"][0]["@iot.selfLink"]
    links["Observations"] = made(
        manager.post(
            f"{links['Datastreams']}/Observations", json={"phenomenonTime": "2026-01-01T00:00:00Z", "result": 7}
        )
    )
    links["Sensors"] = got(manager, f"{links['Datastreams']}/Sensor")["@iot.selfLink"]
    links["ObservedProperties"] = got(manager, f"{links['Datastreams']}/ObservedProperty")["@iot.selfLink"]
    links["FeaturesOfInterest"] = got(manager, f"{links['Observations']}/FeatureOfInterest")["@iot.selfLink"]
    sensor, observed = (got(manager, links[name])["@iot.id"] for name in ("Sensors", "ObservedProperties"))
    body = cities.multi_datastream(Sensor={"@iot.id": sensor}, ObservedProperties=[{"@iot.id": observed}])
    links["MultiDatastreams"] = made(manager.post(f"{links['Things']}/MultiDatastreams", json=body))
    return links


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Things", cities.thing()),
        ("Locations", cities.location()),
        ("Sensors", cities.sensor()),
        ("ObservedProperties", cities.observed_property()),
        ("FeaturesOfInterest", cities.feature()),
    ],
)
def test_create_entity(manager: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """req/create-update-delete/create-entity: 201, and the Location header holds the address of the new entity."""
    response = manager.post(path, json=body)
    found = got(manager, made(response))
    assert found["@iot.selfLink"] == response.headers["Location"]
    assert {name: found[name] for name in body} == body
    assert response.json() == {"@iot.id": found["@iot.id"], "@iot.selfLink": found["@iot.selfLink"]}


def test_create_entities_with_relations(manager: httpx.Client, station: dict[str, Any]) -> None:
    """req/create-update-delete/create-entity, req/create-update-delete/link-to-existing-entities"""
    ids = {name: got(manager, link)["@iot.id"] for name, link in station.items()}
    datastream = created(
        manager, "Datastreams",
        cities.datastream(
            Thing={"@iot.id": ids["Things"]}, Sensor={"@iot.id": ids["Sensors"]},
            ObservedProperty={"@iot.id": ids["ObservedProperties"]},
            observedArea={"type": "Polygon", "coordinates": [[[8, 50], [9, 50], [9, 51], [8, 50]]]},
        ),
    )  # fmt: skip
    assert got(manager, f"Datastreams({datastream['@iot.id']})/Thing")["@iot.id"] == ids["Things"]
    history = created(
        manager, "HistoricalLocations",
        cities.history(Thing={"@iot.id": ids["Things"]}, Locations=[{"@iot.id": ids["Locations"]}]),
    )  # fmt: skip
    assert history["time"] == "2020-01-01T00:00:00Z"
    observation = created(
        manager, "Observations",
        {
            "phenomenonTime": "2026-01-01T00:00:00+01:00/2026-01-01T01:00:00+01:00", "result": {"a": [1]},
            "resultTime": "2026-01-01T00:00:01Z", "resultQuality": "good", "parameters": {"p": 1},
            "validTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
            "Datastream": {"@iot.id": datastream["@iot.id"]},
            "FeatureOfInterest": {"@iot.id": ids["FeaturesOfInterest"]},
        },
    )  # fmt: skip
    assert {name: value for name, value in observation.items() if "@" not in name} == {
        "phenomenonTime": "2025-12-31T23:00:00Z/2026-01-01T00:00:00Z", "result": {"a": [1]},
        "resultTime": "2026-01-01T00:00:01Z", "resultQuality": "good", "parameters": {"p": 1},
        "validTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
    }  # fmt: skip


def test_create_below_an_entity(manager: httpx.Client, station: dict[str, Any]) -> None:
    """req/create-update-delete/create-entity: a POST to a navigation link makes the link."""
    for path, body in [
        ("{Things}/Datastreams", cities.full_datastream()),
        ("{Things}/Locations", cities.location()),
        ("{Things}/HistoricalLocations", cities.history(Locations=[cities.location()])),
        ("{Locations}/Things", cities.thing()),
        ("{Locations}/HistoricalLocations", cities.history(Thing=cities.thing())),
        ("{HistoricalLocations}/Locations", cities.location()),
        ("{Datastreams}/Observations", {"result": 1}),
        ("{Sensors}/Datastreams", cities.datastream(Thing=cities.thing(), ObservedProperty=cities.observed_property())),
        ("{ObservedProperties}/Datastreams", cities.datastream(Thing=cities.thing(), Sensor=cities.sensor())),
        ("{Observations}/Datastream/Observations", {"result": 2}),
        ("{Datastreams}/Thing/Datastreams", cities.full_datastream(name="deep")),
    ]:
        address = path.format(**station)
        new = created(manager, address, body)
        names = [item["@iot.id"] for item in got(manager, f"{address}?$top=1000")["value"]]
        assert new["@iot.id"] in names, path


def test_deep_insert(manager: httpx.Client) -> None:
    """req/create-update-delete/deep-insert, req/create-update-delete/deep-insert-status-code"""
    body = cities.thing(
        Locations=[cities.location()],
        Datastreams=[cities.full_datastream(Observations=[{"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1}])],
    )
    found = got(
        manager,
        made(manager.post("Things", json=body))
        + "?$expand=Locations,Datastreams($expand=Sensor,ObservedProperty,Observations($expand=FeatureOfInterest))",
    )
    stream = found["Datastreams"][0]
    assert found["Locations"][0]["location"] == cities.POINT
    assert stream["Sensor"]["name"] == "S1"
    assert stream["ObservedProperty"]["name"] == "NO2"
    assert stream["Observations"][0]["result"] == 1
    assert stream["Observations"][0]["FeatureOfInterest"]["feature"] == cities.POINT


def test_deep_insert_is_one(manager: httpx.Client) -> None:
    """req/create-update-delete/deep-insert: of a body with a mistake nothing is kept."""
    body = cities.thing(Locations=[cities.location()], Datastreams=[cities.full_datastream(), {"name": "no more"}])
    response = manager.post("Things", json=body)
    assert response.status_code == 400
    assert response.json()["where"] == "Datastreams[1].description"
    assert [count(manager, name) for name in SETS] == [0] * len(SETS)


def test_observation_defaults(manager: httpx.Client, station: dict[str, Any]) -> None:
    """18-088, 10.2.1.3: phenomenonTime is now, resultTime null, the feature is made of the thing's location."""
    new = created(manager, f"{station['Datastreams']}/Observations", {"result": "wet"})
    assert new["phenomenonTime"].startswith("20")
    assert new["resultTime"] is None
    assert got(manager, new["@iot.selfLink"] + "/FeatureOfInterest")["@iot.selfLink"] == station["FeaturesOfInterest"]
    assert count(manager, "FeaturesOfInterest") == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Things", {"name": "new"}),
        ("Locations", {"location": cities.OTHER_POINT}),
        ("HistoricalLocations", {"time": "2019-05-01T00:00:00Z"}),
        ("Datastreams", {"unitOfMeasurement": {"name": "x", "symbol": None, "definition": None}}),
        ("MultiDatastreams", {"unitOfMeasurements": [{"name": "x", "symbol": None, "definition": None}]}),
        ("Sensors", {"metadata": {"sheet": 1}}),
        ("ObservedProperties", {"definition": "http://example.org/x"}),
        ("FeaturesOfInterest", {"properties": {"a": [1, None]}}),
        ("Observations", {"result": 8}),
    ],
)
def test_update_entity(manager: httpx.Client, station: dict[str, Any], name: str, change: dict[str, Any]) -> None:
    """req/create-update-delete/update-entity"""
    before = got(manager, station[name])
    response = manager.patch(station[name], json=change)
    assert response.status_code == 200
    assert got(manager, station[name]) == {**before, **change}


@pytest.mark.parametrize("name", SETS)
def test_update_entity_put_what_was_read(manager: httpx.Client, station: dict[str, Any], name: str) -> None:
    """req/create-update-delete/update-entity-put: a client may send back all that it read."""
    before = got(manager, station[name])
    assert manager.put(station[name], json=before).status_code == 200
    assert got(manager, station[name]) == before


def test_update_entity_put_resets(manager: httpx.Client, station: dict[str, Any]) -> None:
    """req/create-update-delete/update-entity-put"""
    assert manager.put(station["Things"], json={"name": "a", "description": "b"}).status_code == 200
    found = got(manager, station["Things"])
    assert (found["name"], found["description"], found.get("properties")) == ("a", "b", None)


def test_update_entity_jsonpatch(manager: httpx.Client, station: dict[str, Any]) -> None:
    """req/create-update-delete/update-entity-jsonpatch"""
    patch = [
        {"op": "test", "path": "/properties/owner", "value": "city"},
        {"op": "add", "path": "/properties/height", "value": 3},
        {"op": "remove", "path": "/properties/owner"},
        {"op": "replace", "path": "/name", "value": "patched"},
    ]
    headers = {"Content-Type": "application/json-patch+json"}
    assert manager.patch(station["Things"], json=patch, headers=headers).status_code == 200
    found = got(manager, station["Things"])
    assert (found["name"], found["properties"]) == ("patched", {"height": 3})
    assert manager.patch(station["Things"], json=patch, headers=headers).status_code == 400
    patch = [{"op": "test", "path": "/name", "value": "other"}]
    assert manager.patch(station["Things"], json=patch, headers=headers).status_code == 409


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("Things", {"Locations", "Sensors", "ObservedProperties", "FeaturesOfInterest"}),
        ("Locations", set(SETS) - {"Locations", "HistoricalLocations"}),
        ("HistoricalLocations", set(SETS) - {"HistoricalLocations"}),
        ("Datastreams", set(SETS) - {"Datastreams", "Observations"}),
        ("MultiDatastreams", set(SETS) - {"MultiDatastreams"}),
        ("Sensors", set(SETS) - {"Sensors", "Datastreams", "MultiDatastreams", "Observations"}),
        ("ObservedProperties", set(SETS) - {"ObservedProperties", "Datastreams", "MultiDatastreams", "Observations"}),
        ("FeaturesOfInterest", set(SETS) - {"FeaturesOfInterest", "Observations"}),
        ("Observations", set(SETS) - {"Observations"}),
    ],
)
def test_delete_entity(manager: httpx.Client, station: dict[str, Any], name: str, left: set[str]) -> None:
    """req/create-update-delete/delete-entity, with the integrity of table 25"""
    assert manager.delete(station[name]).status_code == 200
    assert {item for item in SETS if count(manager, item)} == left
    for again in (manager.get, manager.delete):
        assert again(station[name]).status_code == 404


def test_historical_location_auto_creation(manager: httpx.Client, station: dict[str, Any]) -> None:
    """req/create-update-delete/historical-location-auto-creation"""
    first = created(manager, f"{station['Things']}/Locations", cities.location(name="second"))
    place = created(manager, "Locations", cities.location(name="third"))
    response = manager.patch(station["Things"], json={"Locations": [{"@iot.id": place["@iot.id"]}]})
    assert response.status_code == 200
    assert [item["name"] for item in got(manager, f"{station['Things']}/Locations")["value"]] == ["third"]
    histories = got(manager, f"{station['Things']}/HistoricalLocations?$expand=Locations&$orderby=time")["value"]
    assert [item["Locations"][0]["name"] for item in histories] == ["Parcusstraße", "second", "third"]
    assert histories[1]["Locations"][0]["@iot.id"] == first["@iot.id"]


def test_historical_location_manual_creation(manager: httpx.Client, station: dict[str, Any]) -> None:
    """req/create-update-delete/historical-location-manual-creation: the latest one moves the thing."""
    for time, name in [("2000-01-01T00:00:00Z", "Parcusstraße"), ("2999-01-01T00:00:00Z", "new")]:
        body = {"time": time, "Locations": [cities.location(name="new")]}
        created(manager, f"{station['Things']}/HistoricalLocations", body)
        assert [item["name"] for item in got(manager, f"{station['Things']}/Locations")["value"]] == [name]
