"""Conformance class A.7, multi-datastream (OGC 18-088, clause 11), over HTTP.

Requirements: http://www.opengis.net/spec/iot_sensing/1.1/req/multi-datastream/…
"""

from typing import Any

import httpx
import pytest

from tests.conformance.test_create_update_delete import count, created, got, made
from tests.sensorthings_write import cities

OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"
KINDS = [f"{OM}{name}" for name in ("OM_Measurement", "OM_CategoryObservation", "OM_TruthObservation")]


def properties(*names: str) -> list[dict[str, Any]]:
    return [cities.observed_property(name=name) for name in names]


def mixed(**more: object) -> dict[str, Any]:
    """Three positions: a number, a word, yes or no."""
    return cities.multi_datastream(3, **{"multiObservationDataTypes": KINDS, **more})


@pytest.fixture
def weather(manager: httpx.Client) -> str:
    """The address of a multi-datastream of a thing with a place, made in one body."""
    stream = mixed(Sensor=cities.sensor(), ObservedProperties=properties("wind", "sky", "rain"))
    body = cities.thing(Locations=[cities.location()], MultiDatastreams=[stream])
    thing = made(manager.post("Things", json=body))
    return str(got(manager, f"{thing}/MultiDatastreams")["value"][0]["@iot.selfLink"])


def observe(client: httpx.Client, weather: str, result: object, **more: object) -> httpx.Response:
    return client.post(f"{weather}/Observations", json={"result": result, **more})


def test_properties(manager: httpx.Client, weather: str) -> None:
    """req/multi-datastream/properties"""
    found = got(manager, weather)
    assert found["multiObservationDataTypes"] == KINDS
    assert len(found["unitOfMeasurements"]) == 3
    assert "unitOfMeasurement" not in found
    assert got(manager, f"{weather}/unitOfMeasurements/0/symbol") == {"symbol": "°C"}
    assert manager.get(f"{weather}/multiObservationDataTypes[1]/$value").text == KINDS[1]
    assert got(manager, "MultiDatastreams?$filter=unitOfMeasurements/2/symbol eq '°C'&$count=true")["@iot.count"] == 1


def test_relations(manager: httpx.Client, weather: str) -> None:
    """req/multi-datastream/relations"""
    assert observe(manager, weather, [3.5, "clear", False], phenomenonTime="2026-01-01T00:00:00Z").status_code == 201
    found = got(manager, f"{weather}?$expand=Thing,Sensor,ObservedProperties,Observations($expand=FeatureOfInterest)")
    assert found["Thing"]["name"] == "Station"
    assert found["Sensor"]["name"] == "S1"
    assert [item["name"] for item in found["ObservedProperties"]] == ["wind", "sky", "rain"]
    (observation,) = found["Observations"]
    assert observation["result"] == [3.5, "clear", False]
    assert observation["FeatureOfInterest"]["feature"] == cities.POINT
    assert found["phenomenonTime"] == "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z"
    back = got(manager, f"Sensors({found['Sensor']['@iot.id']})/MultiDatastreams")["value"]
    assert [item["@iot.selfLink"] for item in back] == [weather]
    for item in found["ObservedProperties"]:
        assert got(manager, f"ObservedProperties({item['@iot.id']})/MultiDatastreams/$ref")["value"] == [
            {"@iot.selfLink": weather}
        ]


def test_the_order_of_observed_properties_is_kept(manager: httpx.Client) -> None:
    """req/multi-datastream/relations: positions correspond, whatever the ids are."""
    ids = [created(manager, "ObservedProperties", body)["@iot.id"] for body in properties("a", "b", "c")]
    thing = created(manager, "Things", cities.thing())
    body = mixed(
        Thing={"@iot.id": thing["@iot.id"]},
        Sensor=cities.sensor(),
        ObservedProperties=[{"@iot.id": ids[2]}, {"@iot.id": ids[0]}, {"@iot.id": ids[1]}],
    )
    address = made(manager.post("MultiDatastreams", json=body))
    assert [item["name"] for item in got(manager, f"{address}/ObservedProperties")["value"]] == ["c", "a", "b"]
    expanded = got(manager, "MultiDatastreams?$expand=ObservedProperties($select=name;$top=2)")["value"][0]
    assert [item["name"] for item in expanded["ObservedProperties"]] == ["c", "a"]
    rest = got(manager, expanded["ObservedProperties@iot.nextLink"])
    assert [item["name"] for item in rest["value"]] == ["b"]
    order = {"ObservedProperties": [{"@iot.id": key} for key in ids]}
    assert manager.patch(address, json=order).status_code == 200
    assert [item["name"] for item in got(manager, f"{address}/ObservedProperties")["value"]] == ["a", "b", "c"]


def test_an_observation_belongs_to_one_kind(manager: httpx.Client, weather: str) -> None:
    """req/multi-datastream/relations: either a Datastream or a MultiDatastream"""
    address = made(observe(manager, weather, [1, None, None]))
    found = got(manager, address)
    links = {name.split("@")[0] for name in found if name.endswith("navigationLink")}
    assert links == {"MultiDatastream", "FeatureOfInterest"}
    assert got(manager, f"{address}/MultiDatastream")["@iot.selfLink"] == weather
    assert manager.get(f"{address}/Datastream").status_code == 404
    both = got(manager, f"{address}?$expand=Datastream,MultiDatastream")
    assert (both["Datastream"], both["MultiDatastream"]["@iot.selfLink"]) == (None, weather)
    single = created(
        manager, f"{got(manager, f'{weather}/Thing')['@iot.selfLink']}/Datastreams", cities.full_datastream()
    )
    made(manager.post(f"{single['@iot.selfLink']}/Observations", json={"result": 5}))
    for path, number in [
        ("Observations", 2), ("Observations?$filter=MultiDatastream/name eq 'weather'", 1),
        ("Observations?$filter=Datastream/id ne null", 1), ("Observations?$filter=MultiDatastream/id eq null", 1),
        ("Datastreams", 1), ("MultiDatastreams", 1), ("Observations?$filter=result/0 eq 1", 1),
    ]:  # fmt: skip
        assert len(got(manager, path)["value"]) == number, path
    key = got(manager, weather)["@iot.id"]
    assert manager.get(f"Datastreams({key})").status_code == 404
    assert manager.get(f"MultiDatastreams({single['@iot.id']})").status_code == 404


@pytest.mark.parametrize(
    ("result", "where"),
    [
        (3, "result"),
        ([1, "a"], "result"),
        ([1, "a", True, 4], "result"),
        (["1", "a", True], "result[0]"),
        ([1, 2, True], "result[1]"),
        ([1, "a", 1], "result[2]"),
        (None, "result"),
    ],
)
def test_results_fit(manager: httpx.Client, weather: str, result: object, where: str) -> None:
    """req/multi-datastream/constraints: one value of its type for each position"""
    response = observe(manager, weather, result)
    assert (response.status_code, response.json()["where"]) == (400, where)
    assert count(manager, "Observations") == 0
    address = made(observe(manager, weather, [1, "a", True]))
    response = manager.patch(address, json={"result": result})
    assert (response.status_code, response.json()["where"]) == (400, where)
    assert got(manager, address)["result"] == [1, "a", True]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (mixed(ObservedProperties=properties("a", "b")), "ObservedProperties"),
        (mixed(), "ObservedProperties"),
        (mixed(ObservedProperties=properties("a", "b", "c"), multiObservationDataTypes=KINDS[:2]),
         "multiObservationDataTypes"),
        (mixed(ObservedProperties=properties("a", "b", "c"), unitOfMeasurements={"name": "x"}), "unitOfMeasurements"),
        (mixed(ObservedProperties=properties("a", "b", "c"), multiObservationDataTypes=[1, 2, 3]),
         "multiObservationDataTypes[0]"),
        (mixed(ObservedProperties=properties("a", "b", "c"), unitOfMeasurements=["a", "b", "c"]),
         "unitOfMeasurements[0]"),
        (cities.multi_datastream(0, ObservedProperties=[]), "multiObservationDataTypes"),
    ],
)  # fmt: skip
def test_equally_many(manager: httpx.Client, body: dict[str, Any], where: str) -> None:
    """req/multi-datastream/constraints: units, types and observed properties correspond; else nothing is kept."""
    response = manager.post("MultiDatastreams", json={"Thing": cities.thing(), "Sensor": cities.sensor(), **body})
    assert (response.status_code, response.json()["where"]) == (400, where), response.text
    assert [count(manager, name) for name in ("Things", "Sensors", "ObservedProperties", "MultiDatastreams")] == [0] * 4


def test_changes_keep_results_readable(manager: httpx.Client, weather: str) -> None:
    """req/multi-datastream/constraints, of updates"""
    two = {
        "unitOfMeasurements": got(manager, weather)["unitOfMeasurements"][:2],
        "multiObservationDataTypes": KINDS[:2],
        "ObservedProperties": [
            {"@iot.id": item["@iot.id"]} for item in got(manager, f"{weather}/ObservedProperties")["value"][:2]
        ],
    }
    part = manager.patch(weather, json={"unitOfMeasurements": two["unitOfMeasurements"]})
    assert part.status_code == 400
    made(observe(manager, weather, [1, "a", True]))
    response = manager.patch(weather, json=two)
    assert (response.status_code, response.json()["where"]) == (409, "unitOfMeasurements"), response.text
    assert len(got(manager, weather)["unitOfMeasurements"]) == 3
    assert manager.delete(got(manager, f"{weather}/Observations")["value"][0]["@iot.selfLink"]).status_code == 200
    assert manager.patch(weather, json=two).status_code == 200
    assert len(got(manager, f"{weather}/ObservedProperties")["value"]) == 2


def test_one_of_the_two(manager: httpx.Client, weather: str) -> None:
    """req/multi-datastream/relations: an Observation names its stream, once."""
    thing = got(manager, f"{weather}/Thing")["@iot.selfLink"]
    single = created(manager, f"{thing}/Datastreams", cities.full_datastream())["@iot.id"]
    key = got(manager, weather)["@iot.id"]
    for body, where in [
        ({"Datastream": {"@iot.id": single}, "MultiDatastream": {"@iot.id": key}}, "MultiDatastream"),
        ({}, "Datastream"),
        ({"Datastream": {"@iot.id": key}}, "Datastream"),
        ({"MultiDatastream": {"@iot.id": single}}, "MultiDatastream"),
    ]:
        response = manager.post("Observations", json={"result": [1, "a", True], **body})
        assert (response.status_code, response.json()["where"].split(".")[0]) == (400, where), response.text
    assert made(manager.post("Observations", json={"result": [1, "a", True], "MultiDatastream": {"@iot.id": key}}))


def test_deleting_an_observed_property_deletes_its_multi_datastreams(manager: httpx.Client, weather: str) -> None:
    """req/multi-datastream/relations, with the integrity of table 25: a position cannot be left without meaning."""
    made(observe(manager, weather, [1, "a", True]))
    last = got(manager, f"{weather}/ObservedProperties")["value"][2]
    assert manager.delete(last["@iot.selfLink"]).status_code == 200
    assert [count(manager, name) for name in ("MultiDatastreams", "Observations", "ObservedProperties")] == [0, 0, 2]
    assert count(manager, "Things") == 1
