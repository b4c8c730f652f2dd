"""An independent client goes round every entity: create, read, update, patch, delete, expand, filter."""

import geojson
import httpx
import pytest
import requests
from frost_sta_client import (
    Datastream,
    FeatureOfInterest,
    HistoricalLocation,
    Location,
    Observation,
    ObservedProperty,
    Sensor,
    SensorThingsService,
    Thing,
    UnitOfMeasurement,
)
from frost_sta_client.model.ext.data_array_document import DataArrayDocument
from frost_sta_client.model.ext.data_array_value import DataArrayValue
from frost_sta_client.service.auth_handler import AuthHandler

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running

pytestmark = pytest.mark.filterwarnings("ignore:furl.pathstr is deprecated:DeprecationWarning")  # the client's own
POINT = geojson.Point((8.271, 49.999))


@pytest.fixture
def service(server: Running, keys: Keys) -> SensorThingsService:
    return SensorThingsService(server.sensorthings, auth_handler=AuthHandler("anybody", keys.manage))


def location(name: str = "Parcusstraße") -> Location:
    return Location(name=name, description="kerb", encoding_type="application/geo+json", location=POINT)


def thing() -> Thing:
    return Thing(name="Station", description="measures air", properties={"owner": "city"})


def sensor() -> Sensor:
    return Sensor(
        name="S1", description="a sensor", encoding_type="application/pdf", metadata="http://example.org/s1.pdf"
    )


def observed_property() -> ObservedProperty:
    return ObservedProperty(name="NO2", definition="http://example.org/no2", description="nitrogen dioxide")


def datastream(**relations: object) -> Datastream:
    return Datastream(
        name="NO2", description="hourly", properties={"a": 1},
        observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        unit_of_measurement=UnitOfMeasurement(name="µg/m³", symbol="µg/m³", definition="ucum:ug/m3"),
        observed_area=POINT, **relations,
    )  # fmt: skip


def feature() -> FeatureOfInterest:
    return FeatureOfInterest(name="Air", description="the air", encoding_type="application/geo+json", feature=POINT)


def test_round_trip_over_every_entity(service: SensorThingsService) -> None:
    place, station, one, no2, air = location(), thing(), sensor(), observed_property(), feature()
    station.locations = [place]
    service.create(station)
    place = service.locations().query().list().entities[0]
    for entity in (one, no2, air):
        service.create(entity)
    stream = datastream(thing=station, sensor=one, observed_property=no2)
    service.create(stream)
    history = HistoricalLocation(time="2020-01-01T00:00:00Z", thing=station, locations=[place])
    service.create(history)
    observation = Observation(
        phenomenon_time="2026-01-01T00:00:00Z", result=12.5, result_time="2026-01-01T00:00:01Z", datastream=stream,
        feature_of_interest=air, parameters={"p": 1}, result_quality="good",
        valid_time="2026-01-01T00:00:00Z/2026-01-02T00:00:00Z",
    )  # fmt: skip
    service.create(observation)
    for access, entity in [
        (service.things(), station), (service.locations(), place), (service.historical_locations(), history),
        (service.datastreams(), stream), (service.sensors(), one), (service.observed_properties(), no2),
        (service.features_of_interest(), air), (service.observations(), observation),
    ]:  # fmt: skip
        found = access.find(entity.id)
        assert found.id == entity.id
        service.update(found)
        assert access.find(entity.id) == found
        if entity is not observation and entity is not history:
            assert found.name == entity.name
            found.name = "renamed"
            service.update(found)
            service.patch(found, [{"op": "replace", "path": "/description", "value": "patched"}])
            again = access.find(entity.id)
            assert (again.name, again.description) == ("renamed", "patched")
    observation.result = 13
    service.update(observation)
    service.patch(observation, [{"op": "add", "path": "/parameters/q", "value": 2}])
    found = service.observations().find(observation.id)
    assert (found.result, found.parameters, found.result_quality) == (13, {"p": 1, "q": 2}, "good")
    for access, entity in [
        (service.observations(), observation), (service.features_of_interest(), air), (service.datastreams(), stream),
        (service.observed_properties(), no2), (service.sensors(), one), (service.historical_locations(), history),
        (service.locations(), place), (service.things(), station),
    ]:  # fmt: skip
        service.delete(entity)
        with pytest.raises(requests.exceptions.HTTPError, match="404"):
            access.find(entity.id)


def test_deep_insert_expand_filter_order_and_pages(service: SensorThingsService) -> None:
    station = thing()
    station.locations = [location()]
    stream = datastream(sensor=sensor(), observed_property=observed_property())
    stream.observations = [
        Observation(phenomenon_time=f"2026-01-01T{hour:02}:00:00Z", result=hour) for hour in range(24)
    ]
    station.datastreams = [stream]
    service.create(station)
    found = service.things().query().expand("Locations,Datastreams($expand=ObservedProperty,Sensor)").list()
    assert [item.name for item in found] == ["Station"]
    assert found.entities[0].datastreams.entities[0].observed_property.name == "NO2"
    assert found.entities[0].locations.entities[0].location["coordinates"] == [8.271, 49.999]
    stream = service.datastreams().query().list().entities[0]
    observations = stream.get_observations()
    picked = observations.query().filter("result ge 20").orderby("phenomenonTime", "desc").list()
    assert [item.result for item in picked] == [23, 22, 21, 20]
    paged = observations.query().top(7).count().orderby("phenomenonTime", "asc").list()
    assert paged.count == 24
    assert [item.result for item in paged] == list(range(24))


def test_multi_datastreams(service: SensorThingsService, manager: httpx.Client) -> None:
    # Made without the client: what it sends for a list of units is null, since Python's lists have a __getstate__.
    kinds = [f"http://www.opengis.net/def/observationType/OGC-OM/2.0/{name}" for name in
             ("OM_Measurement", "OM_CategoryObservation")]  # fmt: skip
    body = cities.multi_datastream(
        2, multiObservationDataTypes=kinds, Sensor=cities.sensor(), Thing=cities.thing(Locations=[cities.location()]),
        ObservedProperties=[cities.observed_property(name=name) for name in ("air", "sky")],
    )  # fmt: skip
    assert manager.post("MultiDatastreams", json=body).status_code == 201
    stream = service.multi_datastreams().query().expand("Thing,ObservedProperties").list().entities[0]
    assert (stream.name, stream.multi_observation_data_types) == ("weather", kinds)
    assert (stream.thing.name, len(stream.observed_properties.entities)) == ("Station", 2)
    service.create(Observation(phenomenon_time="2026-01-01T00:00:00Z", result=[3.5, "clear"], multi_datastream=stream))
    # Not read again from here on: the client takes the observedArea of a Datastream, not that of a MultiDatastream.
    assert [item.result for item in stream.get_observations().query().list()] == [[3.5, "clear"]]
    service.delete(stream)
    assert service.multi_datastreams().query().list().entities == []


def test_data_arrays(service: SensorThingsService, manager: httpx.Client) -> None:
    assert manager.post("Things", json=cities.station()).status_code == 201
    named = DataArrayValue.Property
    values = DataArrayValue()
    values.datastream = service.datastreams().find(1)
    values.components = {named.PHENOMENON_TIME, named.RESULT, named.RESULT_TIME}
    for hour in range(24):
        time = f"2026-01-01T{hour:02}:00:00Z"
        values.add_observation(Observation(phenomenon_time=time, result=hour / 2, result_time=time))
    document = DataArrayDocument()
    document.add_data_array_value(values)
    made = service.observations().create(document)
    assert len(made) == 24
    found = values.datastream.get_observations().query().orderby("phenomenonTime", "asc").list()
    assert [item.result for item in found] == [hour / 2 for hour in range(24)]
    assert [item.self_link for item in found] == [item.self_link for item in made]
