"""What a Datastream tells of its Observations (OGC 18-088, table 11) is kept true: observedArea, phenomenonTime,
resultTime.

Requirements: http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel/datastream/properties
"""

from typing import Any

import httpx
import pytest

from tests.conformance.test_create_update_delete import created, got, made
from tests.sensorthings_write import cities

OTHER = {"type": "Point", "coordinates": [8.5, 50.5]}


@pytest.fixture
def stream(manager: httpx.Client) -> str:
    thing = made(manager.post("Things", json=cities.thing(Locations=[cities.location()])))
    return str(created(manager, f"{thing}/Datastreams", cities.full_datastream())["@iot.selfLink"])


def observe(client: httpx.Client, stream: str, hour: int, **more: object) -> str:
    body = {"phenomenonTime": f"2026-01-01T{hour:02}:00:00Z", "result": 1, **more}
    return made(client.post(f"{stream}/Observations", json=body))


def area(client: httpx.Client, stream: str) -> Any:
    return got(client, stream).get("observedArea")


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }


def test_observed_area_follows_the_features(manager: httpx.Client, stream: str) -> None:
    """req/datamodel/datastream/properties: observedArea"""
    assert area(manager, stream) is None
    first = observe(manager, stream, 1)
    assert area(manager, stream) == cities.POINT
    far = observe(manager, stream, 2, FeatureOfInterest=cities.feature(feature=OTHER))
    assert area(manager, stream) == box(8.271, 49.999, 8.5, 50.5)
    feature = got(manager, f"{far}/FeatureOfInterest")["@iot.selfLink"]
    assert manager.patch(feature, json={"feature": {"type": "Point", "coordinates": [8.271, 50]}}).status_code == 200
    assert area(manager, stream) == {"type": "LineString", "coordinates": [[8.271, 49.999], [8.271, 50]]}
    near = got(manager, f"{first}/FeatureOfInterest")["@iot.id"]
    assert manager.patch(far, json={"FeatureOfInterest": {"@iot.id": near}}).status_code == 200
    assert area(manager, stream) == cities.POINT
    within = "geography'POLYGON ((8 49, 9 49, 9 51, 8 51, 8 49))'"
    assert len(got(manager, f"Datastreams?$filter=st_within(observedArea, {within})")["value"]) == 1
    for observation in (first, far):
        assert manager.delete(observation).status_code == 200
    assert area(manager, stream) is None


def test_observed_area_shrinks(manager: httpx.Client, stream: str) -> None:
    """req/datamodel/datastream/properties: observedArea, when Observations go"""
    observe(manager, stream, 1)
    far = [observe(manager, stream, hour, FeatureOfInterest=cities.feature(feature=OTHER)) for hour in (2, 3)]
    feature = got(manager, f"{far[0]}/FeatureOfInterest")["@iot.id"]
    assert manager.patch(far[1], json={"FeatureOfInterest": {"@iot.id": feature}}).status_code == 200
    assert manager.delete(far[0]).status_code == 200
    assert area(manager, stream) == box(8.271, 49.999, 8.5, 50.5)
    assert manager.delete(far[1]).status_code == 200
    assert area(manager, stream) == cities.POINT


def test_observed_area_that_is_given_stays(manager: httpx.Client, stream: str) -> None:
    """A client that says where a datastream observes is believed, until it takes that back."""
    observe(manager, stream, 1)
    read = got(manager, stream)
    # What comes back as it was read is not a claim of the client.
    assert manager.put(stream, json=read).status_code == 200
    assert manager.patch(stream, json={"observedArea": read["observedArea"]}).status_code == 200
    observe(manager, stream, 2, FeatureOfInterest=cities.feature(feature=OTHER))
    assert area(manager, stream) == box(8.271, 49.999, 8.5, 50.5)
    given = box(8, 49, 9, 51)
    assert manager.patch(stream, json={"observedArea": given}).status_code == 200
    observe(manager, stream, 3, FeatureOfInterest=cities.feature(feature={"type": "Point", "coordinates": [9.5, 50]}))
    assert area(manager, stream) == given
    assert manager.patch(stream, json={"observedArea": None}).status_code == 200
    assert area(manager, stream) == box(8.271, 49.999, 9.5, 50.5)


def test_times_follow_the_observations(manager: httpx.Client, stream: str) -> None:
    """req/datamodel/datastream/properties: phenomenonTime and resultTime"""
    assert not {"phenomenonTime", "resultTime"} & set(got(manager, stream))
    first = observe(manager, stream, 5, resultTime="2026-01-01T05:01:00Z")
    observe(manager, stream, 2, phenomenonTime="2026-01-01T02:00:00Z/2026-01-01T08:00:00Z")
    found = got(manager, stream)
    assert found["phenomenonTime"] == "2026-01-01T02:00:00Z/2026-01-01T08:00:00Z"
    assert found["resultTime"] == "2026-01-01T05:01:00Z/2026-01-01T05:01:00Z"
    assert manager.delete(first).status_code == 200
    assert "resultTime" not in got(manager, stream)
