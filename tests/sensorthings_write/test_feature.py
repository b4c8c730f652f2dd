"""The feature of interest of an observation that names none (18-088, 10.2.1.3): made of the thing's place, once."""

import psycopg
import pytest

from mainzdigital.exchange.sensorthings.write import Parent, create, update
from mainzdigital.kernel.errors import InvalidInput
from tests.sensorthings_write import cities
from tests.sensorthings_write.test_create import MANAGER, counts, one


def observe(conn: psycopg.Connection, stream: int, **more: object) -> int:
    return create(
        conn, reader=MANAGER, entity="Observation", body={"result": 1, **more},
        parent=Parent("Datastream", stream, "Observations"),
    )  # fmt: skip


def feature_of(conn: psycopg.Connection, observation: int) -> int | None:
    found = one(
        conn,
        "SELECT coalesce(o.foi_id, d.foi_id) FROM observation o JOIN datastream d ON d.id = o.datastream_id "
        "WHERE o.id = %s",
        observation,
    )
    return None if found is None else int(found)


def test_made_once_and_shared_by_the_streams_of_a_place(conn: psycopg.Connection) -> None:
    body = cities.station(Datastreams=[cities.full_datastream(), cities.full_datastream(name="second")])
    create(conn, reader=MANAGER, entity="Thing", body=body)
    assert counts(conn)["feature_of_interest"] == 0
    streams = [row[0] for row in conn.execute("SELECT id FROM datastream ORDER BY id").fetchall()]
    made = {feature_of(conn, observe(conn, stream)) for stream in [*streams, *streams]}
    assert len(made) == 1
    assert counts(conn)["feature_of_interest"] == 1
    assert one(conn, "SELECT feature FROM feature_of_interest") == cities.POINT
    assert one(conn, "SELECT box IS NOT NULL AND geometry IS NOT NULL FROM feature_of_interest") is True


def test_a_moved_thing_observes_elsewhere_and_the_past_stays(conn: psycopg.Connection) -> None:
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    stream = one(conn, "SELECT id FROM datastream")
    before = observe(conn, stream)
    create(
        conn, reader=MANAGER, entity="Location", body=cities.location(name="elsewhere", location=cities.OTHER_POINT),
        parent=Parent("Thing", station, "Locations"),
    )  # fmt: skip
    after = [observe(conn, stream), observe(conn, stream)]
    features = [feature_of(conn, observation) for observation in [before, *after]]
    assert features[0] != features[1]
    assert features[1] == features[2]
    assert one(conn, "SELECT name FROM feature_of_interest WHERE id = %s", features[1]) == "elsewhere"


def test_it_is_as_closed_as_the_place(conn: psycopg.Connection) -> None:
    create(
        conn, reader=MANAGER, entity="Thing",
        body=cities.station(Locations=[cities.location(properties={"accessClass": "restricted"})]),
    )  # fmt: skip
    observe(conn, one(conn, "SELECT id FROM datastream"))
    assert one(conn, "SELECT access FROM feature_of_interest") == "restricted"


def test_a_named_feature_is_taken(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station(Locations=[]))
    stream = one(conn, "SELECT id FROM datastream")
    feature = create(conn, reader=MANAGER, entity="FeatureOfInterest", body=cities.feature())
    assert feature_of(conn, observe(conn, stream, FeatureOfInterest={"@iot.id": feature})) == feature
    assert counts(conn)["feature_of_interest"] == 1


def test_without_any_place_the_thing_is_named(conn: psycopg.Connection) -> None:
    station = create(conn, reader=MANAGER, entity="Thing", body=cities.station(Locations=[]))
    with pytest.raises(InvalidInput, match=f"Thing {station} has no Location") as refusal:
        observe(conn, one(conn, "SELECT id FROM datastream"))
    assert refusal.value.where == "FeatureOfInterest"
    assert counts(conn)["observation"] == 0


def test_a_corrected_place_makes_a_new_feature(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    stream = one(conn, "SELECT id FROM datastream")
    before = observe(conn, stream)
    place = one(conn, "SELECT id FROM location")
    update(conn, reader=MANAGER, entity="Location", id=place, body={"location": cities.OTHER_POINT}, replace=False)
    assert feature_of(conn, observe(conn, stream)) != feature_of(conn, before)
    assert counts(conn)["feature_of_interest"] == 2


def test_the_same_key_is_one_observation(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    body = {"result": 1, "Datastream": {"@iot.id": one(conn, "SELECT id FROM datastream")}}
    first = create(conn, reader=MANAGER, entity="Observation", body=body, key="key:1/a")
    again = create(conn, reader=MANAGER, entity="Observation", body=body, key="key:1/a")
    other = create(conn, reader=MANAGER, entity="Observation", body=body, key="key:1/b")
    assert first == again != other
    assert counts(conn)["observation"] == 2


def test_two_posts_are_two_observations(conn: psycopg.Connection) -> None:
    create(conn, reader=MANAGER, entity="Thing", body=cities.station())
    stream = one(conn, "SELECT id FROM datastream")
    observe(conn, stream, phenomenonTime="2026-01-01T00:00:00Z")
    observe(conn, stream, phenomenonTime="2026-01-01T00:00:00Z")
    assert counts(conn)["observation"] == 2
