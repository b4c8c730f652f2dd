"""$ref (OData 4.0, 11.4.6): relations between entities that exist, made and dissolved."""

from typing import Any

import httpx
import pytest

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client


def ids(on: httpx.Client, path: str) -> list[int]:
    response = on.get(f"{path}?$orderby=id")
    assert response.status_code == 200, response.text
    return [one["@iot.id"] for one in response.json()["value"]]


def one(on: httpx.Client, path: str) -> int:
    return int(on.get(path).json()["@iot.id"])


def histories(on: httpx.Client, thing: int) -> list[list[int]]:
    """The locations that a thing's HistoricalLocations name, oldest first."""
    found = on.get(f"Things({thing})/HistoricalLocations?$orderby=id&$expand=Locations($orderby=id)").json()["value"]
    return [[place["@iot.id"] for place in item["Locations"]] for item in found]


@pytest.fixture
def station(manager: httpx.Client) -> None:
    """Things 1 and 2 with Locations 1 and 2, Datastreams 1 and 2; Location 3 alone; Observation of Datastream 1."""
    for _ in range(2):
        assert manager.post("Things", json=cities.station()).status_code == 201
    assert manager.post("Locations", json=cities.location(name="C")).status_code == 201
    assert manager.post("Datastreams(1)/Observations", json={"result": 1}).status_code == 201


def test_every_way_to_name_an_entity(manager: httpx.Client, station: None, server: Running) -> None:
    """OData 4.0, 11.4.6.1"""
    references: list[dict[str, Any]] = [
        {"@odata.id": "Locations(3)"}, {"@odata.id": f"{server.sensorthings}/Locations(3)"},
        {"@odata.id": "/sensorthings/v1.1/Locations(3)"}, {"@odata.id": "/v1.1/Locations(3)"},
        {"@odata.id": "../../Locations(3)"}, {"@id": "Locations(3)"}, {"@iot.id": 3},
        {"@iot.selfLink": f"{server.sensorthings}/Locations(3)"},
        {"@odata.context": "…", "@iot.id": 3, "@iot.selfLink": f"{server.sensorthings}/Locations(3)"},
    ]  # fmt: skip
    for body in references:
        response = manager.post("Things(1)/Locations/$ref", json=body)
        assert (response.status_code, response.content) == (204, b""), response.text
        assert ids(manager, "Things(1)/Locations") == [1, 3]
        assert manager.delete("Things(1)/Locations(3)/$ref").status_code == 204
    for address in ("../../Locations(1)", "Locations(1)", f"{server.sensorthings}/Locations(1)", "/v1.1/Locations(1)"):
        assert manager.post("Things(1)/Locations/$ref", json={"@iot.id": 1}).status_code == 204
        assert manager.delete("Things(1)/Locations/$ref", params={"$id": address}).status_code == 204
        assert ids(manager, "Things(1)/Locations") == []


def test_historical_locations_follow(manager: httpx.Client, station: None) -> None:
    assert histories(manager, 1) == [[1]]
    for _ in range(2):  # related already: nothing happens
        assert manager.post("Things(1)/Locations/$ref", json={"@iot.id": 3}).status_code == 204
        assert histories(manager, 1) == [[1], [1, 3]]
    assert manager.delete("Locations(1)/Things(1)/$ref").status_code == 204
    assert histories(manager, 1) == [[1], [1, 3], [3]]
    assert manager.post("Locations(2)/Things/$ref", json={"@iot.id": 1}).status_code == 204
    assert histories(manager, 1)[-1] == ids(manager, "Things(1)/Locations") == [2, 3]
    for location in (2, 3):
        assert manager.delete(f"Things(1)/Locations({location})/$ref").status_code == 204
    assert ids(manager, "Things(1)/Locations") == []
    assert histories(manager, 1) == [[1], [1, 3], [3], [2, 3], [3]]
    assert manager.delete("Things(1)/Locations(3)/$ref").status_code == 404
    # The newest one says where the thing is.
    assert manager.post("HistoricalLocations(2)/Locations/$ref", json={"@iot.id": 3}).status_code == 204
    assert ids(manager, "Things(2)/Locations") == [2, 3]
    assert manager.delete("HistoricalLocations(2)/Locations(2)/$ref").status_code == 204
    assert ids(manager, "Things(2)/Locations") == [3]
    last = manager.delete("HistoricalLocations(2)/Locations(3)/$ref")
    assert (last.status_code, last.json()["where"]) == (409, "Locations")
    assert manager.post("Locations(1)/HistoricalLocations/$ref", json={"@iot.id": 2}).status_code == 204
    assert manager.delete("Locations(3)/HistoricalLocations(2)/$ref").status_code == 204
    assert ids(manager, "Things(2)/Locations") == [1]


def test_relations_to_one(manager: httpx.Client, station: None) -> None:
    """OData 4.0, 11.4.6.3"""
    for path, target, after in [
        ("Datastreams(1)/Thing", {"@iot.id": 2}, "Datastreams(1)/Thing"),
        ("Datastreams(1)/Sensor", {"@odata.id": "Sensors(2)"}, "Datastreams(1)/Sensor"),
        ("Datastreams(1)/ObservedProperty", {"@iot.id": 2}, "Datastreams(1)/ObservedProperty"),
        ("HistoricalLocations(1)/Thing", {"@iot.id": 2}, "HistoricalLocations(1)/Thing"),
    ]:
        assert one(manager, after) == 1
        assert manager.put(f"{path}/$ref", json=target).status_code == 204
        assert one(manager, after) == 2
        assert manager.delete(f"{path}/$ref").status_code == 409
    observation = manager.get("Observations").json()["value"][0]["@iot.selfLink"]
    assert manager.put(f"{observation}/Datastream/$ref", json={"@iot.id": 2}).status_code == 204
    assert one(manager, f"{observation}/Datastream") == 2
    feature = manager.post("FeaturesOfInterest", json=cities.feature()).json()["@iot.id"]
    assert manager.put(f"{observation}/FeatureOfInterest/$ref", json={"@iot.id": feature}).status_code == 204
    assert one(manager, f"{observation}/FeatureOfInterest") == feature
    refused = manager.delete(f"{observation}/Datastream/$ref")
    assert refused.status_code == 409
    assert refused.json()["remedy"]


def test_obligatory_relations_from_their_other_end(manager: httpx.Client, station: None) -> None:
    for path in ("Things({})/Datastreams", "Sensors({})/Datastreams", "ObservedProperties({})/Datastreams"):
        assert manager.post(f"{path.format(2)}/$ref", json={"@iot.id": 1}).status_code == 204
        assert ids(manager, path.format(2)) == [1, 2]
        assert ids(manager, path.format(1)) == []
        assert manager.delete(f"{path.format(2)}(1)/$ref").status_code == 409
        assert manager.delete(f"{path.format(1)}(1)/$ref").status_code == 404
        assert manager.delete(f"{path.format(2)}/$ref?$id=Datastreams(1)").status_code == 409
    observation = manager.get("Observations").json()["value"][0]
    link = {"@iot.selfLink": observation["@iot.selfLink"]}
    assert manager.post("Datastreams(2)/Observations/$ref", json=link).status_code == 204
    assert ids(manager, "Datastreams(2)/Observations") == [observation["@iot.id"]]
    assert manager.delete(f"Datastreams(2)/Observations({observation['@iot.id']})/$ref").status_code == 409


def test_a_multi_datastream_keeps_the_order_of_its_properties(manager: httpx.Client, station: None) -> None:
    body = cities.multi_datastream(
        Thing={"@iot.id": 1}, Sensor={"@iot.id": 1}, ObservedProperties=[{"@iot.id": 1}]
    )  # fmt: skip
    stream = manager.post("MultiDatastreams", json=body).json()["@iot.id"]
    path = f"MultiDatastreams({stream})"
    assert manager.post(f"{path}/ObservedProperties/$ref", json={"@iot.id": 2}).status_code == 409
    assert manager.delete(f"{path}/ObservedProperties(1)/$ref").status_code == 409
    assert manager.post("ObservedProperties(2)/MultiDatastreams/$ref", json={"@iot.id": stream}).status_code == 409
    assert manager.put(f"{path}/Thing/$ref", json={"@iot.id": 2}).status_code == 204
    assert one(manager, f"{path}/Thing") == 2
    assert manager.post("Things(1)/MultiDatastreams/$ref", json={"@iot.id": stream}).status_code == 204
    assert one(manager, f"{path}/Thing") == 1


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", "Things(1)/Locations/$ref", {}, 400, "body"),
    ("POST", "Things(1)/Locations/$ref", [], 400, "body"),
    ("POST", "Things(1)/Locations/$ref", {"name": "x", "@iot.id": 1}, 400, "name"),
    ("POST", "Things(1)/Locations/$ref", {"@odata.id": 5}, 400, "@odata.id"),
    ("POST", "Things(1)/Locations/$ref", {"@odata.id": "Things(1)"}, 400, "@odata.id"),
    ("POST", "Things(1)/Locations/$ref", {"@odata.id": "Locations"}, 400, "@odata.id"),
    ("POST", "Things(1)/Locations/$ref", {"@odata.id": "Nowhere(1)"}, 400, "@odata.id"),
    ("POST", "Things(1)/Locations/$ref", {"@odata.id": "http://example.org/v1.1/Locations(1)"}, 400, "url"),
    ("POST", "Things(1)/Locations/$ref", {"@odata.id": "http://[::1"}, 400, "url"),
    ("POST", "Things(1)/Locations/$ref", {"@iot.id": "1"}, 400, "@iot.id"),
    ("POST", "Things(1)/Locations/$ref", {"@iot.id": 99}, 400, "@iot.id"),
    ("POST", "Things(1)/Locations/$ref", {"@iot.id": 2**70}, 400, "@iot.id"),
    ("POST", "Things(1)/Locations/$ref", {"@iot.id": -1}, 400, "@iot.id"),
    ("POST", "Things(99)/Locations/$ref", {"@iot.id": 1}, 404, "Things(99)"),
    ("POST", "Things(99)/Datastreams/$ref", {"@iot.id": 1}, 404, "Things(99)"),
    ("POST", "Things(1)/Datastreams/$ref", {"@iot.id": 99}, 400, "@iot.id"),
    ("POST", "Datastreams(1)/Observations/$ref", {"@iot.id": 99}, 400, "@iot.id"),
    ("POST", "Datastreams(1)/Observations/$ref", {"@iot.id": 2**70}, 400, "@iot.id"),
    ("PUT", "Datastreams(1)/Thing/$ref", {"@iot.id": 99}, 400, "Thing"),
    ("PUT", "Datastreams(99)/Thing/$ref", {"@iot.id": 1}, 404, "Datastreams(99)"),
    ("DELETE", "Things(1)/Locations/$ref", None, 400, "$id"),
    ("DELETE", "Things(1)/Locations/$ref?$top=1", None, 400, "$top"),
    ("DELETE", "Things(1)/Locations/$ref?$id=Locations(3)", None, 404, "Locations"),
    ("DELETE", "Things(1)/Locations(3)/$ref", None, 404, "Things(1)/Locations(3)"),
    ("DELETE", "Things(1)/Datastreams(99)/$ref", None, 404, "Things(1)/Datastreams(99)"),
]  # fmt: skip


def test_refusals_say_what_is_wrong_and_change_nothing(manager: httpx.Client, station: None) -> None:
    wrong = []
    for method, path, body, status, where in REFUSED:
        response = manager.request(method, path, json=body)
        if (response.status_code, response.json().get("where")) != (status, where):
            wrong.append((method, path, body, response.status_code, response.text))
    assert wrong == []
    assert ids(manager, "Things(1)/Locations") == [1]
    assert one(manager, "Datastreams(1)/Thing") == 1
    assert histories(manager, 1) == [[1]]


def test_who_may_what(manager: httpx.Client, station: None, server: Running, keys: Keys) -> None:
    observation = manager.get("Observations").json()["value"][0]["@iot.selfLink"]
    with client(server) as anonymous, client(server, keys.write) as writer:
        assert anonymous.post("Things(1)/Locations/$ref", json={"@iot.id": 3}).status_code == 401
        assert writer.post("Things(1)/Locations/$ref", json={"@iot.id": 3}).status_code == 403
        assert writer.put("Datastreams(1)/Thing/$ref", json={"@iot.id": 2}).status_code == 403
        assert writer.delete("Things(1)/Locations(1)/$ref").status_code == 403
        # As it may change the Observation itself.
        assert writer.put(f"{observation}/Datastream/$ref", json={"@iot.id": 2}).status_code == 204
        assert manager.patch("Datastreams(1)", json={"properties": {"accessClass": "personal"}}).status_code == 200
        hidden, absent = (writer.put(f"{observation}/Datastream/$ref", json={"@iot.id": number}) for number in (1, 99))
        assert hidden.status_code == absent.status_code == 400
        assert absent.text.replace("99", "1") == hidden.text
