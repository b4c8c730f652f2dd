"""Reading as 18-088, clauses 8 and 9, describe it."""

import asyncio
from typing import Any

import msgspec
import psycopg
import pytest

from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.exchange.sensorthings.read import read, read_sync
from mainzdigital.kernel.access import ANONYMOUS, Reader
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.query.odata import QueryOptions, parse_options
from tests.query.city import City, month_id
from tests.sensorthings_read.conftest import EVERYTHING, ROOT, Get
from tests.sensorthings_read.example import START


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["@iot.id"] for item in answer["value"]]


def small(answer: dict[str, Any]) -> list[int]:
    """Ids of observations without their month."""
    return [key & (2**40 - 1) for key in ids(answer)]


def test_service_root_names_the_collections(get: Get) -> None:
    root = get("")
    assert {"name": "Things", "url": f"{ROOT}/Things"} in root["value"]
    assert len(root["value"]) == 9
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in root["serverSettings"]["conformance"]


def test_thing(get: Get) -> None:
    assert get("Things(1)") == {
        "@iot.id": 1,
        "@iot.selfLink": f"{ROOT}/Things(1)",
        "name": "Parcusstraße",
        "description": "about Parcusstraße",
        "properties": {"owner": {"name": "Stadt Mainz"}, "height": 3},
        "Datastreams@iot.navigationLink": f"{ROOT}/Things(1)/Datastreams",
        "MultiDatastreams@iot.navigationLink": f"{ROOT}/Things(1)/MultiDatastreams",
        "Locations@iot.navigationLink": f"{ROOT}/Things(1)/Locations",
        "HistoricalLocations@iot.navigationLink": f"{ROOT}/Things(1)/HistoricalLocations",
    }
    assert "properties" not in get("Things(2)")


def test_datastream_carries_the_extent_of_its_observations(get: Get) -> None:
    stream = get("Datastreams(2)")
    assert stream["phenomenonTime"] == "2024-02-01T10:05:00Z/2024-02-01T11:00:00Z"
    assert stream["resultTime"] == "2024-02-01T11:00:00Z/2024-02-01T11:00:00Z"
    assert stream["unitOfMeasurement"]["symbol"] == "µg/m³"
    assert "resultTime" not in get("Datastreams(1)")


def test_observations_keep_the_type_of_their_result(get: Get) -> None:
    found = get("Datastreams(2)/Observations")["value"]
    assert [item["result"] for item in found] == ["windy", True, {"a": [1, 2]}, None, 7.5]
    first = found[0]
    assert first["phenomenonTime"] == "2024-02-01T10:05:00Z"
    assert first["resultTime"] == "2024-02-01T11:00:00Z"
    assert first["parameters"] == {"by": "A"}
    assert first["resultQuality"] == {"level": 2}
    assert found[1]["resultTime"] is None
    assert "parameters" not in found[1]
    assert found[2]["validTime"] == "2024-02-01T10:00:00Z/2024-02-01T11:00:00Z"
    assert found[4]["phenomenonTime"] == "2024-02-01T10:45:00Z/2024-02-01T11:00:00Z"
    assert found[4]["Datastream@iot.navigationLink"] == f"{found[4]['@iot.selfLink']}/Datastream"


def test_whole_numbers_stay_whole(get: Get, conn: psycopg.Connection) -> None:
    path = parse_path("Datastreams(1)/Observations")
    options = parse_options("$select=result&$top=2", path.entity)
    body = read_sync(conn, reader=EVERYTHING, path=path, options=options, root=ROOT)
    assert b'"value":[{"result":0.5},{"result":1}]' in body


def test_navigation_of_any_depth(get: Get) -> None:
    key = month_id(START, 22)
    assert get(f"Things(1)/Datastreams(2)/Observations({key})/FeatureOfInterest")["@iot.id"] == 2
    assert get(f"Observations({key})/Datastream/Thing/Locations(1)/name") == {"name": "place 1"}
    assert ids(get("HistoricalLocations(1)/Thing/Datastreams")) == [1, 2]
    assert ids(get("ObservedProperties(1)/Datastreams")) == [1, 3]
    assert ids(get("Locations(2)/HistoricalLocations")) == [1]
    assert small(get("FeaturesOfInterest(2)/Observations")) == [22]
    assert 22 not in small(get("FeaturesOfInterest(1)/Observations"))


@pytest.mark.parametrize(
    "address",
    [
        "Things(99)",
        "Things(99)/Datastreams",
        "Things(99999999999999999999)",
        "Things(0)",
        "Things('a')",
        "Things(2)/Datastreams(1)",
        "Things(2)/Datastreams(1)/Observations",
        "Observations(5)",
        "Observations(9223372036854775807)",
        "Observations(9223372036854775808)",
        "Nothings",
        "Things/Datastreams",
        "Things(1)/nothing",
        "Things(1)/name/name",
        "Datastreams(1)/Thing(1)",
        "Things/$value",
    ],
)
def test_what_is_not_there(get: Get, address: str) -> None:
    with pytest.raises(NotFound):
        get(address)


@pytest.mark.parametrize("address", ["Things(a)", "Things(1", "Things(-1)", "Things(1)/" + "x(" * 3, "Things()"])
def test_paths_of_bad_form(get: Get, address: str) -> None:
    with pytest.raises(InvalidInput):
        get(address)


def test_properties_and_values(get: Get) -> None:
    assert get("Things(1)/name") == {"name": "Parcusstraße"}
    assert get("Things(1)/name/$value") == "Parcusstraße"
    assert msgspec.json.decode(get("Things(1)/properties/$value"))["owner"] == {"name": "Stadt Mainz"}
    assert get("Things(2)/properties") is None
    assert get(f"Observations({month_id(START, 1)})/result/$value") == "0.5"
    assert get(f"Observations({month_id(START, 1)})/phenomenonTime/$value") == "2024-02-01T10:10:00Z"
    assert get("Things(1)/@iot.id") == {"@iot.id": 1}


def test_references(get: Get) -> None:
    assert get("Things(1)/Datastreams/$ref") == {
        "value": [{"@iot.selfLink": f"{ROOT}/Datastreams(1)"}, {"@iot.selfLink": f"{ROOT}/Datastreams(2)"}]
    }
    assert get("Datastreams(3)/Thing/$ref") == {"@iot.selfLink": f"{ROOT}/Things(2)"}


def test_moved_observations_keep_their_address(get: Get, conn: psycopg.Connection, city: City) -> None:
    old = city.observations[0]["id"]
    moved = START.replace(month=1)
    conn.execute("UPDATE observation SET phenomenon_time = %s WHERE id = %s", [moved, old])
    conn.execute("INSERT INTO observation_moved VALUES (%s, 1, %s)", [old, moved])
    assert get(f"Observations({old})")["phenomenonTime"] == "2024-01-01T10:00:00Z"
    assert get(f"Observations({old})/Datastream")["@iot.id"] == 1
    assert ids(get(f"Observations({old})/Datastream/Thing/Locations")) == [1]


def test_filters_across_entities(get: Get) -> None:
    assert ids(get("Things?$filter=Datastreams/Observations/result gt 40")) == [2]
    assert ids(get("Things?$filter=properties/owner/name eq 'Stadt Mainz'")) == [1]
    assert ids(get("Datastreams?$filter=Thing/name eq 'Zitadelle'&$orderby=@iot.id desc")) == [3]
    assert ids(get("Datastreams?$filter=Thing/Locations/name eq 'place 1'")) == [1, 2]
    assert small(get("Observations?$filter=result eq 'windy' or result eq 50")) == [31, 21]
    assert small(get("Observations?$filter=Datastream/id eq 2 and FeatureOfInterest/id eq 2")) == [22]
    assert small(get("Datastreams(1)/Observations?$filter=phenomenonTime lt 2024-02-01T11:25:00%2B01:00")) == [1, 2]
    assert small(get("Datastreams(1)/Observations?$filter=phenomenonTime lt 2024-02-01T11:25:00+01:00")) == [1, 2]
    # The same path is the same entity: no datastream of Thing 1 has both.
    assert (
        ids(get("Things?$filter=Datastreams/name eq 'stream 1' and Datastreams/ObservedProperty/name eq 'notes'")) == []
    )
    assert ids(
        get("Things?$filter=Datastreams/name eq 'stream 2' and Datastreams/ObservedProperty/name eq 'notes'")
    ) == [1]


def test_orders_across_entities(get: Get) -> None:
    assert ids(get("Datastreams?$orderby=Thing/name desc,name desc")) == [3, 2, 1]
    assert small(get("Datastreams(1)/Observations?$orderby=phenomenonTime desc&$top=3")) == [12, 11, 10]
    assert ids(get("Things?$orderby=Datastreams/name desc")) == [2, 1]


def test_select(get: Get) -> None:
    assert get("Things?$select=name,properties/owner/name,Datastreams")["value"] == [
        {
            "name": "Parcusstraße",
            "properties": {"owner": {"name": "Stadt Mainz"}},
            "Datastreams@iot.navigationLink": f"{ROOT}/Things(1)/Datastreams",
        },
        {"name": "Zitadelle", "Datastreams@iot.navigationLink": f"{ROOT}/Things(2)/Datastreams"},
    ]
    assert get("Things(1)?$select=@iot.id") == {"@iot.id": 1}
    assert get("Things(1)?$select=id,name&$expand=Locations($select=name)") == {
        "@iot.id": 1,
        "name": "Parcusstraße",
        "Locations": [{"name": "place 1"}],
    }


def test_paging_reaches_everything_once(get: Get) -> None:
    seen: list[int] = []
    address = "Datastreams(1)/Observations?$top=5&$count=true&$orderby=result desc&$filter=result gt 1&$select=@iot.id"
    for _ in range(10):
        page = get(address)
        assert page["@iot.count"] == 10
        seen += small(page)
        if "@iot.nextLink" not in page:
            break
        address = page["@iot.nextLink"]
        assert "$count=true" in address
    assert seen == list(range(12, 2, -1))


def test_pages_stand_still_while_rows_come_before_them(get: Get, conn: psycopg.Connection) -> None:
    first = get("Datastreams(1)/Observations?$top=3&$skip=2&$orderby=phenomenonTime desc")
    assert small(first) == [10, 9, 8]
    conn.execute(
        "INSERT INTO observation (id, phenomenon_time, number, datastream_id) VALUES (%s, '2024-02-20Z', 1, 1)",
        [month_id(START, 99)],
    )
    assert small(get(first["@iot.nextLink"])) == [7, 6, 5]


def test_top_zero_and_skip_beyond(get: Get) -> None:
    assert get("Things?$top=0&$count=true") == {"@iot.count": 2, "value": []}
    assert get("Things?$skip=5") == {"value": []}
    assert get("Things?$skip=999999999999999999999999") == {"value": []}


def test_expand(get: Get) -> None:
    thing = get(
        "Things(1)?$expand=Datastreams($top=1;$count=true;$expand=ObservedProperty,Observations($top=2)),Locations"
    )
    assert [item["name"] for item in thing["Locations"]] == ["place 1"]
    assert thing["Datastreams@iot.count"] == 2
    (stream,) = thing["Datastreams"]
    assert stream["ObservedProperty"]["name"] == "NO2"
    assert [item["result"] for item in stream["Observations"]] == [0.5, 1]
    assert "Thing@iot.navigationLink" in stream
    assert "Observations@iot.navigationLink" not in stream
    following = get(thing["Datastreams@iot.nextLink"])
    assert [item["name"] for item in following["value"]] == ["stream 2"]
    assert following["@iot.count"] == 2
    assert "NO2" not in str(following)
    assert [item["result"] for item in get(stream["Observations@iot.nextLink"])["value"]] == [1.5, 2]


def test_expand_by_chain(get: Get) -> None:
    streams = get("Datastreams?$expand=Thing/Locations,Thing,Sensor($select=name)")["value"]
    assert [item["Thing"]["Locations"][0]["name"] for item in streams] == ["place 1", "place 1", "place 2"]
    assert streams[0]["Sensor"] == {"name": "sensor"}
    key = month_id(START, 22)
    assert get(f"Observations({key})?$expand=FeatureOfInterest,Datastream/Thing")["FeatureOfInterest"]["@iot.id"] == 2


def test_newest_of_each_datastream(get: Get) -> None:
    streams = get("Datastreams?$expand=Observations($top=1;$orderby=phenomenonTime desc)")["value"]
    assert [item["Observations"][0]["result"] for item in streams] == [6, 7.5, 50]
    older = get(streams[0]["Observations@iot.nextLink"])
    assert [item["result"] for item in older["value"]] == [5.5]
    assert "Observations@iot.nextLink" not in streams[2]
    plain = get("Datastreams?$expand=Observations($top=1;$orderby=phenomenonTime desc;$filter=true)")["value"]
    for fast, slow in zip(streams, plain, strict=True):
        assert fast["Observations"] == slow["Observations"]


def test_the_newest_that_a_reader_may_see(get: Get, conn: psycopg.Connection) -> None:
    """Datastream 2's newest observation gets a hidden feature: the one before it is the newest."""
    newest = "Datastreams(2)?$expand=Observations($top=1;$orderby=phenomenonTime desc)"
    conn.execute("UPDATE observation SET foi_id = 2 WHERE id = %s", [month_id(START, 25)])
    conn.execute("UPDATE datastream_latest SET foi_id = 2 WHERE datastream_id = 2")
    assert get(newest)["Observations"][0]["result"] == 7.5
    seen = get(newest, ANONYMOUS)
    assert seen["Observations"][0]["phenomenonTime"] == "2024-02-01T10:35:00Z"
    assert seen["phenomenonTime"] == "2024-02-01T10:05:00Z/2024-02-01T10:35:00Z"


def test_what_is_hidden_is_as_good_as_deleted(get: Get) -> None:
    assert ids(get("Things")) == [1, 2]
    assert ids(get("Things", ANONYMOUS)) == [1]
    assert ids(get("Datastreams?$count=true", ANONYMOUS)) == [1, 2]
    assert ids(get("Sensors?$filter=Datastreams/Thing/name eq 'Zitadelle'", ANONYMOUS)) == []
    assert ids(get("Sensors?$filter=Datastreams/Thing/name eq 'Zitadelle'")) == [1]
    assert 22 not in small(get("Observations", ANONYMOUS))
    for address in ("Things(2)", "Datastreams(3)", "Things(2)/Datastreams", "Datastreams(3)/Observations"):
        get(address)
        with pytest.raises(NotFound):
            get(address, ANONYMOUS)


@pytest.mark.parametrize(
    "address",
    [
        "Things",
        "Things?$count=true&$top=0",
        "Sensors?$filter=Datastreams/name eq 'stream 3'",
        "Sensors?$filter=endswith(concat(Datastreams/name,name),'3sensor')",  # two relations in one condition
        "Sensors?$filter=Datastreams/Thing/id eq 2",
        "Sensors(1)/Datastreams?$count=true",
        "Sensors?$expand=Datastreams($count=true;$top=1;$orderby=name desc)",
        "Sensors?$expand=Datastreams/Thing",
        "ObservedProperties?$orderby=Datastreams/name desc",
        "ObservedProperties?$orderby=Datastreams/Observations/result desc",
        "Locations?$filter=Things/id ne null",
        "Locations?$filter=Things/id gt id sub 1",
        "FeaturesOfInterest(1)/Observations?$orderby=result desc",
        "Observations?$filter=FeatureOfInterest/id eq 2",
        "Datastreams(2)/Observations",
        "Datastreams(2)/Observations?$count=true&$top=1&$select=result",
        "Datastreams?$expand=Observations($count=true;$top=0)",
        "Things(2)/name",
        "Things(2)/Datastreams/$ref",
        "Datastreams(1)/Sensor/Datastreams(3)/Observations",
    ],
)
def test_every_way_to_what_is_hidden(get: Get, conn: psycopg.Connection, city: City, address: str) -> None:
    def answer(reader: Reader) -> object:
        try:
            return get(address, reader)
        except NotFound as error:
            return error.message

    everything, seen = answer(EVERYTHING), answer(ANONYMOUS)
    city.without_hidden(frozenset({"open"})).insert(conn)
    assert everything != seen
    assert seen == answer(EVERYTHING)


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("Things?$top=x", "$top"),
        ("Things?$top=-1", "$top"),
        ("Things?$skiptoken=abc", "$skiptoken"),
        ("Things?$skiptoken=WyJ4Il0", "$skiptoken"),
        ("Things?$skiptoken=%C3%A4", "$skiptoken"),
        ("Things?$orderby=name&$skiptoken=WzFd", "$skiptoken"),
        ("Things(1)?$top=1", "$top"),
        ("Things(1)/name?$select=name", "$select"),
        ("Things?$resultFormat=dataArray", "$resultFormat"),
        ("Things?$expand=Datastreams($top=1),Datastreams($top=2)", "$expand"),
        ("Things?$expand=Datastreams($skiptoken=abc)", "$skiptoken"),
        ("Locations?$filter=st_within(location, geography'POINT(1 2')", "$filter"),
    ],
)
def test_refusals_name_the_option(get: Get, address: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        get(address)
    assert where in refused.value.where
    assert refused.value.remedy


def test_times_are_utc_whatever_the_session_says(get: Get, conn: psycopg.Connection) -> None:
    conn.execute("SET TIME ZONE 'Europe/Berlin'")
    assert get("Datastreams(3)/Observations")["value"][0]["phenomenonTime"] == "2024-02-01T10:00:00Z"


def test_async_reads_the_same(get: Get, dsn: str, conn: psycopg.Connection) -> None:
    path, options = parse_path("Things"), QueryOptions()

    async def ask() -> bytes:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return (await read(connection, reader=EVERYTHING, path=path, options=options, root=ROOT)).body

    assert asyncio.run(ask()) == read_sync(conn, reader=EVERYTHING, path=path, options=options, root=ROOT)
