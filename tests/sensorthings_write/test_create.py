"""Creating entities through the verbs: relations, deep insert, one transaction, the thing's history."""

from typing import Any

import psycopg
import pytest

from mainzdigital.exchange.sensorthings.write import Parent, create
from mainzdigital.kernel.access import ANONYMOUS, AccessClass, Scope, reader_for
from mainzdigital.kernel.errors import Forbidden, InvalidInput, NotFound, NotSignedIn
from tests.sensorthings_write import cities

MANAGER = reader_for("key:1", Scope.MANAGE)
WRITER = reader_for("key:2", Scope.WRITE)
COUNTED = ("thing", "location", "historical_location", "datastream", "sensor", "observed_property",
           "feature_of_interest", "observation")  # fmt: skip


def counts(conn: psycopg.Connection) -> dict[str, int]:
    return {name: one(conn, f"SELECT count(*) FROM {name}") for name in COUNTED}


def one(conn: psycopg.Connection, statement: str, *parameters: object) -> Any:
    row = conn.execute(statement, parameters).fetchone()
    return row[0] if row else None


def test_a_thing_and_its_access_class(conn: psycopg.Connection) -> None:
    first = create(conn, reader=MANAGER, entity="Thing", body=cities.thing())
    second = create(conn, reader=MANAGER, entity="Thing", body=cities.thing(properties={"accessClass": "open", "a": 1}))
    third = create(conn, reader=MANAGER, entity="Thing", body=cities.thing(), default_access=AccessClass.OPEN)
    rows = conn.execute("SELECT id, access, properties FROM thing ORDER BY id").fetchall()
    assert rows == [
        (first, "internal", {"owner": "city"}),
        (second, "open", {"accessClass": "open", "a": 1}),
        (third, "open", {"owner": "city"}),
    ]


def test_a_location_is_found_by_its_geometry(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Location", body=cities.location())
    assert one(conn, "SELECT box @> point '(8.271,49.999)' FROM location") is True
    assert one(conn, "SELECT geometry IS NOT NULL FROM location") is True
    create(conn, reader=MANAGER, entity="Location", body=cities.location(encodingType="text/plain", location="left"))
    assert one(conn, "SELECT count(*) FROM location WHERE geometry IS NULL AND box IS NULL") == 1


def test_everything_at_once(conn: psycopg.Connection) -> None:
    body = cities.thing(
        Locations=[cities.location()],
        Datastreams=[
            cities.full_datastream(
                Observations=[
                    {"phenomenonTime": "2026-01-01T00:00:00Z", "result": 1},
                    {"phenomenonTime": "2026-01-01T01:00:00Z", "result": 2, "FeatureOfInterest": cities.feature()},
                ]
            ),
            cities.full_datastream(name="second"),
        ],
        HistoricalLocations=[cities.history(Locations=[cities.location(name="before")])],
    )
    made = create(conn, reader=MANAGER, entity="Thing", body=body)
    assert counts(conn) == {
        "thing": 1, "location": 2, "historical_location": 2, "datastream": 2, "sensor": 2, "observed_property": 2,
        "feature_of_interest": 2, "observation": 2,
    }  # fmt: skip
    assert (
        one(
            conn,
            "SELECT l.name FROM thing_location t JOIN location l ON l.id = t.location_id WHERE t.thing_id = %s",
            made,
        )
        == cities.location()["name"]
    )
    assert conn.execute("SELECT number, foi_id IS NULL FROM observation ORDER BY phenomenon_time").fetchall() == [
        (1.0, True),
        (2.0, False),
    ]


def test_the_other_way_round(conn: psycopg.Connection) -> None:
    body = {
        "phenomenonTime": "2026-01-01T00:00:00Z", "result": 3,
        "Datastream": cities.full_datastream(Thing=cities.thing(Locations=[cities.location()])),
    }  # fmt: skip
    made = create(conn, reader=MANAGER, entity="Observation", body=body)
    assert conn.execute("SELECT id, number FROM observation").fetchall() == [(made, 3.0)]
    assert one(conn, "SELECT count(*) FROM historical_location") == 1


def test_links_to_what_exists(conn: psycopg.Connection) -> None:
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.thing())
    sensor = create(conn, reader=MANAGER, entity="Sensor", body=cities.sensor())
    stream = create(
        conn, reader=MANAGER, entity="Datastream",
        body=cities.datastream(
            Thing={"@iot.id": station}, Sensor={"@iot.id": sensor, "name": "as read before"},
            ObservedProperty=cities.observed_property(),
        ),
    )  # fmt: skip
    assert conn.execute("SELECT id, thing_id, sensor_id FROM datastream").fetchall() == [(stream, station, sensor)]
    assert one(conn, "SELECT name FROM sensor") == "S1"


def test_a_post_below_an_entity_links_to_it(conn: psycopg.Connection) -> None:
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.thing())
    parent = Parent("Thing", station, "Datastreams")
    create(conn, reader=MANAGER, entity="Datastream", body=cities.full_datastream(), parent=parent)
    assert one(conn, "SELECT thing_id FROM datastream") == station
    with pytest.raises(NotFound):
        create(
            conn, reader=MANAGER, entity="Datastream", body=cities.full_datastream(),
            parent=Parent("Thing", 99, "Datastreams"),
        )  # fmt: skip
    with pytest.raises(InvalidInput, match="settled"):
        create(
            conn, reader=MANAGER, entity="Datastream", body=cities.full_datastream(Thing={"@iot.id": 99}), parent=parent
        )


def test_a_thing_moves_and_remembers(conn: psycopg.Connection) -> None:
    """req/create-update-delete/historical-location-auto-creation"""
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.thing(Locations=[cities.location()]))
    second = create(
        conn, reader=MANAGER, entity="Location", body=cities.location(name="new place"),
        parent=Parent("Thing", station, "Locations"),
    )  # fmt: skip
    assert conn.execute("SELECT thing_id, location_id FROM thing_location").fetchall() == [(station, second)]
    assert conn.execute(
        "SELECT l.name FROM historical_location h "
        "JOIN historical_location_location x ON x.historical_location_id = h.id "
        "JOIN location l ON l.id = x.location_id ORDER BY h.time"
    ).fetchall() == [("Parcusstraße",), ("new place",)]


def test_a_newer_history_moves_the_thing_an_older_does_not(conn: psycopg.Connection) -> None:
    """req/create-update-delete/historical-location-manual-creation"""
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.thing(Locations=[cities.location()]))
    now = one(conn, "SELECT location_id FROM thing_location")
    before = create(conn, reader=MANAGER, entity="Location", body=cities.location(name="before"))
    body = {"Thing": {"@iot.id": station}, "Locations": [{"@iot.id": before}]}
    create(conn, reader=MANAGER, entity="HistoricalLocation", body=cities.history(**body))
    assert one(conn, "SELECT location_id FROM thing_location") == now
    create(conn, reader=MANAGER, entity="HistoricalLocation", body={"time": "2099-01-01T00:00:00Z", **body})
    assert one(conn, "SELECT location_id FROM thing_location") == before


@pytest.mark.parametrize(
    ("entity", "body", "where"),
    [
        ("Thing", {"name": "x"}, "description"),
        ("Thing", cities.thing(name=None), "name"),
        ("Thing", cities.thing(name=5), "name"),
        ("Thing", cities.thing(properties=[1]), "properties"),
        ("Thing", cities.thing(owner="me"), "owner"),
        ("Thing", cities.thing(Datastream={}), "Datastream"),
        ("Thing", cities.thing(properties={"accessClass": "secret"}), "properties.accessClass"),
        ("Thing", cities.thing(properties={"accessClass": ["open"]}), "properties.accessClass"),
        ("Thing", cities.thing(Locations=cities.location()), "Locations"),
        ("Thing", cities.thing(Locations=[{"@iot.id": 7}]), "Locations[0]"),
        ("Thing", cities.thing(Locations=[{"@iot.id": "7"}]), "Locations[0]"),
        ("Thing", cities.thing(Locations=[{"@iot.id": 10**30}]), "Locations[0]"),
        ("Thing", cities.thing(Locations=[{"@iot.id": True}]), "Locations[0]"),
        ("Thing", cities.thing(Locations=[5]), "Locations[0]"),
        ("Thing", cities.thing(Datastreams=[cities.full_datastream(), cities.datastream()]), "Datastreams[1].Sensor"),
        ("Thing", cities.thing(Datastreams=[cities.full_datastream(Thing=cities.thing())]), "Datastreams[0].Thing"),
        (
            "Thing", cities.thing(Datastreams=[cities.full_datastream(Sensor=cities.sensor(metadata=None))]),
            "Datastreams[0].Sensor.metadata",
        ),
        ("Datastream", cities.full_datastream(), "Thing"),
        ("Datastream", cities.full_datastream(Thing=cities.thing(), unitOfMeasurement="µg"), "unitOfMeasurement"),
        ("Datastream", cities.full_datastream(Thing=cities.thing(), unitOfMeasurement={"name": 1}),
         "unitOfMeasurement.name"),
        ("Datastream", cities.full_datastream(Thing=cities.thing(), observedArea="here"), "observedArea"),
        ("HistoricalLocation", cities.history(Thing=cities.thing()), "Locations"),
        ("HistoricalLocation", cities.history(Thing=cities.thing(), Locations=[], time="yesterday"), "time"),
        ("Observation", {"result": 1}, "Datastream"),
        ("Observation", {"Datastream": {"@iot.id": 1}}, "result"),
        ("Observation", {"result": 1, "Datastream": {"@iot.id": 99}}, "Datastream"),
        ("Observation", {"result": 1, "phenomenonTime": 2026, "Datastream": {"@iot.id": 1}}, "phenomenonTime"),
        ("FeatureOfInterest", cities.feature(feature={"type": "Point", "coordinates": [200, 0]}),
         "feature.coordinates[0]"),
        ("FeatureOfInterest", cities.feature(Observations=[{"@iot.id": 1}]), "Observations[0]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_written(
    conn: psycopg.Connection, entity: str, body: dict[str, object], where: str
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        create(conn, reader=MANAGER, entity=entity, body=body)
    assert refusal.value.where == where
    assert set(counts(conn).values()) == {0}


def test_an_observation_that_is_refused_refuses_the_whole(conn: psycopg.Connection) -> None:
    observations = [{"result": 1}, {"result": 2, "phenomenonTime": "1066-10-14T09:00:00Z"}]
    with pytest.raises(InvalidInput) as refusal:
        create(
            conn, reader=MANAGER, entity="Thing",
            body=cities.station(Datastreams=[cities.full_datastream(Observations=observations)]),
        )  # fmt: skip
    assert refusal.value.where == "Datastreams[0].Observations[1].phenomenonTime"
    assert set(counts(conn).values()) == {0}


def test_what_clients_send_back_is_tolerated(conn: psycopg.Connection) -> None:
    body = cities.thing(
        **{
            "@iot.id": 77, "@iot.selfLink": "http://example.org", "selfLink": "x",
            "Datastreams@iot.navigationLink": "Things(77)/Datastreams", "Datastreams@iot.count": 4,
        }
    )  # fmt: skip
    made = create(conn, reader=MANAGER, entity="Thing", body=body)
    assert made != 77
    with pytest.raises(InvalidInput):
        create(conn, reader=MANAGER, entity="Thing", body=cities.thing(**{"Nonsense@iot.navigationLink": "x"}))


def test_who_may(conn: psycopg.Connection) -> None:
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    stream = one(conn, "SELECT id FROM datastream WHERE thing_id = %s", station)
    observation = {"result": 1, "Datastream": {"@iot.id": stream}}
    with pytest.raises(NotSignedIn):
        create(conn, reader=ANONYMOUS, entity="Thing", body=cities.thing())
    with pytest.raises(Forbidden):
        create(conn, reader=WRITER, entity="Thing", body=cities.thing())
    with pytest.raises(Forbidden):
        create(conn, reader=reader_for("key:3", Scope.READ), entity="Observation", body=observation)
    with pytest.raises(Forbidden):
        create(conn, reader=WRITER, entity="Observation", body=observation | {"FeatureOfInterest": cities.feature()})
    assert counts(conn)["observation"] == 0
    create(conn, reader=WRITER, entity="Observation", body=observation)
    assert counts(conn)["observation"] == 1


@pytest.mark.parametrize("relation", ["datastream", "thing", "sensor", "observed_property"])
def test_a_hidden_datastream_is_not_there_to_write_to(conn: psycopg.Connection, relation: str) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    stream = one(conn, "SELECT id FROM datastream")
    body = {"result": 1, "Datastream": {"@iot.id": stream}}
    create(conn, reader=WRITER, entity="Observation", body=body)
    conn.execute(f"UPDATE {relation} SET access = 'restricted'")
    with pytest.raises(InvalidInput, match=f"there is no Datastream with the id {stream}"):
        create(conn, reader=WRITER, entity="Observation", body=body)
    with pytest.raises(NotFound):
        create(
            conn, reader=WRITER, entity="Observation", body={"result": 1},
            parent=Parent("Datastream", stream, "Observations"),
        )  # fmt: skip
    create(conn, reader=MANAGER, entity="Observation", body=body)
    assert counts(conn)["observation"] == 2
