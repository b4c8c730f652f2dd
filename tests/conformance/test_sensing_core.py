"""Conformance class A.1, sensing core (OGC 18-088, clauses 8 and 9.2), over HTTP: what every answer looks like.

Requirements: http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/… and …/req/resource-path/…
"""

from typing import Any

import httpx
import pytest

from tests.conformance.test_create_update_delete import SETS, got, station
from tests.serve.servers import Running

__all__ = ["station"]

PROPERTIES = {
    "Things": {"name", "description", "properties"},
    "Locations": {"name", "description", "encodingType", "location", "properties"},
    "HistoricalLocations": {"time"},
    "Datastreams": {"name", "description", "unitOfMeasurement", "observationType", "properties", "observedArea",
                    "phenomenonTime", "resultTime"},
    "MultiDatastreams": {"name", "description", "unitOfMeasurements", "observationType", "multiObservationDataTypes",
                         "properties", "observedArea", "phenomenonTime", "resultTime"},
    "Sensors": {"name", "description", "encodingType", "metadata", "properties"},
    "ObservedProperties": {"name", "definition", "description", "properties"},
    "Observations": {"phenomenonTime", "resultTime", "result", "resultQuality", "validTime", "parameters"},
    "FeaturesOfInterest": {"name", "description", "encodingType", "feature", "properties"},
}  # fmt: skip
OPTIONAL = {"properties", "observedArea", "phenomenonTime", "resultTime", "resultQuality", "validTime", "parameters"}
RELATIONS = {
    "Things": {"Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams"},
    "Locations": {"Things", "HistoricalLocations"},
    "HistoricalLocations": {"Thing", "Locations"},
    "Datastreams": {"Thing", "Sensor", "ObservedProperty", "Observations"},
    "MultiDatastreams": {"Thing", "Sensor", "ObservedProperties", "Observations"},
    "Sensors": {"Datastreams", "MultiDatastreams"},
    "ObservedProperties": {"Datastreams", "MultiDatastreams"},
    "Observations": {"Datastream", "FeatureOfInterest"},
    "FeaturesOfInterest": {"Observations"},
}


def test_the_service_root_lists_the_sets(server: Running, anonymous: httpx.Client) -> None:
    """req/resource-path/resource-path-to-entities: usage 1"""
    found = got(anonymous, "")
    assert {item["name"]: item["url"] for item in found["value"]} == {
        name: f"{server.sensorthings}/{name}" for name in SETS
    }
    conformance = found["serverSettings"]["conformance"]
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/create-update-delete/create-entity" in conformance


@pytest.mark.parametrize("name", SETS)
def test_control_information_properties_relations(
    server: Running, manager: httpx.Client, station: dict[str, Any], name: str
) -> None:
    """req/datamodel/entity-control-information/common-control-information

    req/datamodel/thing/properties, req/datamodel/thing/relations
    req/datamodel/location/properties, req/datamodel/location/relations
    req/datamodel/historical-location/properties, req/datamodel/historical-location/relations
    req/datamodel/datastream/properties, req/datamodel/datastream/relations
    req/datamodel/sensor/properties, req/datamodel/sensor/relations
    req/datamodel/observed-property/properties, req/datamodel/observed-property/relations
    req/datamodel/observation/properties, req/datamodel/observation/relations
    req/datamodel/feature-of-interest/properties, req/datamodel/feature-of-interest/relations
    """
    found = got(manager, station[name])
    assert found["@iot.selfLink"] == station[name] == f"{server.sensorthings}/{name}({found['@iot.id']})"
    properties = {key for key in found if "@" not in key}
    assert PROPERTIES[name] - OPTIONAL <= properties <= PROPERTIES[name]
    links = {key.split("@")[0]: value for key, value in found.items() if key.endswith("@iot.navigationLink")}
    assert set(links) == RELATIONS[name]
    for link in links.values():
        address = link if link.startswith("http") else f"{server.sensorthings}/{link}"
        assert manager.get(address).status_code == 200


@pytest.mark.parametrize("name", SETS)
def test_paths_to_sets_properties_and_references(manager: httpx.Client, station: dict[str, Any], name: str) -> None:
    """req/resource-path/resource-path-to-entities: usages 2 to 7"""
    assert got(manager, name)["value"][0]["@iot.selfLink"] == station[name]
    first = min(PROPERTIES[name] - OPTIONAL)
    entity = got(manager, station[name])
    assert got(manager, f"{station[name]}/{first}") == {first: entity[first]}
    assert got(manager, f"{name}/$ref")["value"] == [{"@iot.selfLink": station[name]}]
    value = manager.get(f"{station[name]}/{first}/$value")
    assert value.status_code == 200
    wanted = ("application/json", "application/geo+json") if isinstance(entity[first], dict | list) else "text/plain"
    assert value.headers["Content-Type"].startswith(wanted)


@pytest.mark.parametrize("name", SETS)
def test_what_does_not_exist(manager: httpx.Client, name: str) -> None:
    """req/resource-path/resource-path-to-entities: 404"""
    assert manager.get(f"{name}(999999)").status_code == 404
    assert manager.get(f"{name}(1)/Nothing").status_code in {400, 404}
