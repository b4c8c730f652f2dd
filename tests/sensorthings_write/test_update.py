"""Changing and deleting entities through the verbs."""

from typing import Any

import psycopg
import pytest

from mainzdigital.exchange.sensorthings.write import create, delete, update
from mainzdigital.kernel.access import ANONYMOUS, Scope, reader_for
from mainzdigital.kernel.errors import Forbidden, InvalidInput, NotFound, NotSignedIn
from tests.sensorthings_write import cities
from tests.sensorthings_write.test_create import MANAGER, WRITER, counts, one
from tests.sensorthings_write.test_feature import observe


def row(conn: psycopg.Connection, table: str) -> dict[str, Any]:
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(f"SELECT * FROM {table}").fetchone()
    assert found is not None
    return found


def test_patch_changes_what_is_named(conn: psycopg.Connection) -> None:
    made = create(conn, reader=MANAGER, entity="Thing", body=cities.thing())
    update(
        conn, reader=MANAGER, entity="Thing", id=made, replace=False,
        body={"@iot.id": made, "name": "new", "properties": {"accessClass": "open"}},
    )  # fmt: skip
    found = row(conn, "thing")
    assert (found["name"], found["description"], found["properties"], found["access"]) == (
        "new", "A station", {"accessClass": "open"}, "open",
    )  # fmt: skip


def test_put_replaces_what_is_not_named_but_never_opens(conn: psycopg.Connection) -> None:
    """req/create-update-delete/update-entity-put"""
    made = create(conn, reader=MANAGER, entity="Thing", body=cities.thing(properties={"accessClass": "restricted"}))
    update(conn, reader=MANAGER, entity="Thing", id=made, body={"name": "new", "description": ""}, replace=True)
    found = row(conn, "thing")
    assert (found["name"], found["description"], found["properties"], found["access"]) == (
        "new", "", None, "restricted",
    )  # fmt: skip
    with pytest.raises(InvalidInput) as refusal:
        update(conn, reader=MANAGER, entity="Thing", id=made, body={"name": "new"}, replace=True)
    assert refusal.value.where == "description"


def test_a_new_geometry_is_found_at_its_new_place(conn: psycopg.Connection) -> None:
    made = create(conn, reader=MANAGER, entity="Location", body=cities.location())
    change = {"location": {"type": "Feature", "geometry": cities.OTHER_POINT}}
    update(conn, reader=MANAGER, entity="Location", id=made, body=change, replace=False)
    assert one(conn, "SELECT box @> point '(8.2417,50.0136)' FROM location") is True
    with pytest.raises(InvalidInput):
        update(conn, reader=MANAGER, entity="Location", id=made, body={"location": "right"}, replace=False)
    update(conn, reader=MANAGER, entity="Location", id=made, body={"encodingType": "text/plain"}, replace=False)
    assert one(conn, "SELECT box IS NULL AND geometry IS NULL FROM location") is True
    update(conn, reader=MANAGER, entity="Location", id=made, body={"location": "right"}, replace=False)
    with pytest.raises(InvalidInput):
        update(
            conn, reader=MANAGER, entity="Location", id=made, body={"encodingType": "application/geo+json"},
            replace=False,
        )  # fmt: skip


def test_relations_are_linked_anew(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    other = create(conn, reader=MANAGER, entity="Thing", body=cities.thing())
    sensor = create(conn, reader=MANAGER, entity="Sensor", body=cities.sensor())
    stream = one(conn, "SELECT id FROM datastream")
    update(
        conn, reader=MANAGER, entity="Datastream", id=stream, replace=False,
        body={"Sensor": {"@iot.id": sensor}, "phenomenonTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"},
    )  # fmt: skip
    update(conn, reader=MANAGER, entity="Thing", id=other, body={"Datastreams": [{"@iot.id": stream}]}, replace=False)
    assert conn.execute("SELECT sensor_id, thing_id FROM datastream").fetchall() == [(sensor, other)]


def test_a_thing_moves_by_patch_and_stays_when_nothing_changed(conn: psycopg.Connection) -> None:
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    here = one(conn, "SELECT location_id FROM thing_location")
    there = create(conn, reader=MANAGER, entity="Location", body=cities.location(name="there"))
    update(conn, reader=MANAGER, entity="Thing", id=station, body={"Locations": [{"@iot.id": here}]}, replace=False)
    assert counts(conn)["historical_location"] == 1
    update(conn, reader=MANAGER, entity="Thing", id=station, body={"Locations": [{"@iot.id": there}]}, replace=False)
    assert counts(conn)["historical_location"] == 2
    assert one(conn, "SELECT location_id FROM thing_location") == there


@pytest.mark.parametrize(
    ("entity", "body", "where"),
    [
        ("Thing", {"name": None}, "name"),
        ("Thing", {"nmae": "x"}, "nmae"),
        ("Thing", {"Locations": [cities.location()]}, "Locations[0]"),
        ("Thing", {"Locations": {"@iot.id": 1}}, "Locations"),
        ("Thing", {"Datastreams": [{"@iot.id": 99}]}, "Datastreams[0]"),
        ("Thing", {"@iot.id": 99}, "@iot.id"),
        ("Datastream", {"Thing": cities.thing()}, "Thing"),
        ("Datastream", {"Thing": None}, "Thing"),
        ("Datastream", {"Thing": 1}, "Thing"),
        ("Datastream", {"Observations": [{"@iot.id": 1}]}, "Observations[0]"),
        ("Observation", {"phenomenonTime": None}, "phenomenonTime"),
        ("Observation", {"phenomenonTime": "1066-10-14T09:00:00Z"}, "phenomenonTime"),
        ("Observation", {"Datastream": {"@iot.id": 99}}, "Datastream"),
        ("Observation", {"FeatureOfInterest": cities.feature()}, "FeatureOfInterest"),
        ("Observation", {"FeatureOfInterest": {"@iot.id": 99}}, "FeatureOfInterest"),
        ("Observation", {"@iot.id": 99}, "@iot.id"),
    ],
)  # fmt: skip
def test_wrong_changes_change_nothing(
    conn: psycopg.Connection, entity: str, body: dict[str, object], where: str
) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    observation = observe(conn, one(conn, "SELECT id FROM datastream"), phenomenonTime="2026-01-01T00:00:00Z")
    found = {"Thing": one(conn, "SELECT id FROM thing"), "Datastream": one(conn, "SELECT id FROM datastream"),
             "Observation": observation}[entity]  # fmt: skip
    before = [row(conn, table) for table in ("thing", "datastream", "observation")]
    with pytest.raises(InvalidInput) as refusal:
        update(conn, reader=MANAGER, entity=entity, id=found, body={"description": "x", **body}
               if entity != "Observation" else {"result": 5, **body}, replace=False)  # fmt: skip
    assert refusal.value.where == where
    assert [row(conn, table) for table in ("thing", "datastream", "observation")] == before


def test_an_observation_changes_and_goes(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    stream = one(conn, "SELECT id FROM datastream")
    made = observe(conn, stream, phenomenonTime="2026-01-01T00:00:00Z", parameters={"a": 1})
    update(conn, reader=WRITER, entity="Observation", id=made, body={"result": 5.5}, replace=False)
    assert conn.execute("SELECT id, number, more->'parameters' FROM observation").fetchall() == [(made, 5.5, {"a": 1})]
    update(conn, reader=WRITER, entity="Observation", id=made, body={"result": "wet"}, replace=True)
    assert conn.execute("SELECT id, number, more FROM observation").fetchall() == [(made, None, {"result": "wet"})]
    delete(conn, reader=WRITER, entity="Observation", id=made)
    assert counts(conn)["observation"] == 0
    with pytest.raises(NotFound):
        delete(conn, reader=WRITER, entity="Observation", id=made)


@pytest.mark.parametrize(
    ("entity", "table", "left"),
    [
        # Table 25 of 18-088
        ("Thing", "thing", {"location": 1, "sensor": 1, "observed_property": 1, "feature_of_interest": 1}),
        ("Location", "location", {"thing": 1, "sensor": 1, "observed_property": 1, "feature_of_interest": 1,
                                  "datastream": 1, "observation": 1}),
        ("Datastream", "datastream", {"thing": 1, "location": 1, "historical_location": 1, "sensor": 1,
                                      "observed_property": 1, "feature_of_interest": 1}),
        ("Sensor", "sensor", {"thing": 1, "location": 1, "historical_location": 1, "observed_property": 1,
                              "feature_of_interest": 1}),
        ("ObservedProperty", "observed_property", {"thing": 1, "location": 1, "historical_location": 1, "sensor": 1,
                                                   "feature_of_interest": 1}),
        ("HistoricalLocation", "historical_location", {"thing": 1, "location": 1, "sensor": 1, "observed_property": 1,
                                                       "datastream": 1, "feature_of_interest": 1, "observation": 1}),
        ("FeatureOfInterest", "feature_of_interest", {"thing": 1, "location": 1, "historical_location": 1,
                                                      "sensor": 1, "observed_property": 1, "datastream": 1}),
        ("Observation", "observation", {"thing": 1, "location": 1, "historical_location": 1, "sensor": 1,
                                        "observed_property": 1, "datastream": 1, "feature_of_interest": 1}),
    ],
)  # fmt: skip
def test_what_cannot_be_without_it_goes_too(
    conn: psycopg.Connection, entity: str, table: str, left: dict[str, int]
) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    observe(conn, one(conn, "SELECT id FROM datastream"))
    assert set(counts(conn).values()) == {1}
    delete(conn, reader=MANAGER, entity=entity, id=one(conn, f"SELECT id FROM {table}"))
    assert {name: number for name, number in counts(conn).items() if number} == left
    assert one(conn, "SELECT count(*) FROM datastream_latest") == left.get("observation", 0)


@pytest.mark.parametrize("missing", [99, 0, -1, 2**31, 2**53, 2**80])
@pytest.mark.parametrize("entity", ["Thing", "Location", "HistoricalLocation", "Datastream", "Sensor",
                                    "ObservedProperty", "FeatureOfInterest", "Observation"])  # fmt: skip
def test_what_is_not_there(conn: psycopg.Connection, entity: str, missing: int) -> None:
    with pytest.raises(NotFound):
        update(conn, reader=MANAGER, entity=entity, id=missing, body={}, replace=False)
    with pytest.raises(NotFound):
        delete(conn, reader=MANAGER, entity=entity, id=missing)


def test_who_may(conn: psycopg.Connection) -> None:
    made = create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    observation = observe(conn, one(conn, "SELECT id FROM datastream"))
    for reader, refusal in [
        (ANONYMOUS, NotSignedIn),
        (reader_for("key:3", Scope.READ), Forbidden),
        (WRITER, Forbidden),
    ]:
        with pytest.raises(refusal):
            update(conn, reader=reader, entity="Thing", id=made, body={"name": "x"}, replace=False)
        with pytest.raises(refusal):
            delete(conn, reader=reader, entity="Thing", id=made)
    conn.execute("UPDATE feature_of_interest SET access = 'personal'")
    with pytest.raises(NotFound):
        update(conn, reader=WRITER, entity="Observation", id=observation, body={"result": 2}, replace=False)
    with pytest.raises(NotFound):
        delete(conn, reader=WRITER, entity="Observation", id=observation)
    assert one(conn, "SELECT number FROM observation") == 1
