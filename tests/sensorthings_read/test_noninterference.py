"""The answer to a reader equals the answer of a city from which everything hidden was deleted (architecture §7)."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.errors import CityError
from mainzdigital.store.model import ENTITY_TYPES
from tests.query.city import City
from tests.query.random_city import cities
from tests.sensorthings_read.conftest import EVERYTHING, get_from

Draw = Callable[[st.SearchStrategy[Any]], Any]

_CONDITIONS: dict[str, list[str]] = {
    "Thing": [
        "name eq 'a'", "Datastreams/name ne 'a'", "Datastreams/Observations/result gt 0", "Locations/name eq null",
        "not (HistoricalLocations/Locations/name eq 'a')", "Datastreams/phenomenonTime lt 2024-02-01T00:00:00Z",
        "Datastreams/Sensor/name eq Datastreams/ObservedProperty/name", "length(Locations/name) lt 2",
        "Datastreams/name ne name", "Locations/name le name",
        "geo.distance(Locations/location, geography'POINT(8 50)') lt 1",
        "not geo.intersects(Locations/location, geography'POLYGON((8 50,9 50,9 51,8 50))')",
    ],
    "Location": [
        "geo.length(location) eq 0", "st_disjoint(location, Things/Datastreams/observedArea)", "Things/name eq 'a'",
        "Things/Datastreams/id gt 1", "Things/id ge id",
    ],
    "HistoricalLocation": ["Thing/name ne 'a'", "Locations/name eq 'b'", "Locations/@iot.id ne null"],
    "Datastream": [
        "Thing/Locations/name eq 'a'", "phenomenonTime gt 2024-02-01T00:00:00Z", "resultTime eq null",
        "Observations/FeatureOfInterest/name eq 'a'", "Observations/id eq null", "Thing/id eq 1", "Sensor/id in (1,2)",
        "Observations/result eq Observations/parameters/k",
    ],
    "MultiDatastream": [
        "Thing/Locations/name eq 'a'", "phenomenonTime gt 2024-02-01T00:00:00Z", "ObservedProperties/name eq 'a'",
        "Observations/FeatureOfInterest/name eq 'a'", "Observations/id eq null", "Sensor/id in (1,2)",
        "unitOfMeasurements/0/symbol eq 'a'",
    ],
    "Sensor": [
        "MultiDatastreams/name eq 'a'", "Datastreams/Thing/name eq 'a'", "Datastreams/id eq null",
        "Datastreams/name ne name",
    ],
    "ObservedProperty": [
        "MultiDatastreams/Observations/result ne null", "Datastreams/Observations/FeatureOfInterest/id ne null",
        "Datastreams/id eq null",
    ],
    "FeatureOfInterest": [
        "st_equals(feature, Observations/Datastream/Thing/Locations/location)",
        "Observations/Datastream/Thing/name ne 'a'", "Observations/id eq null", "id gt 1"],
    "Observation": [
        "Datastream/Thing/name ne 'a'", "FeatureOfInterest/name eq 'a'", "FeatureOfInterest/id eq null",
        "FeatureOfInterest/Observations/result gt 0", "Datastream/phenomenonTime ge phenomenonTime",
        "result gt 0 or Datastream/Sensor/name eq 'b'", "MultiDatastream/Thing/name eq 'a'",
        "MultiDatastream/ObservedProperties/name ne 'a'", "MultiDatastream/id eq null", "Datastream/id eq null",
        "st_within(FeatureOfInterest/feature, geography'POLYGON((8 50,9 50,9 51,8 51,8 50))')",
        "Datastream/name eq FeatureOfInterest/name",
    ],
}  # fmt: skip
_ORDERS: dict[str, list[str]] = {
    "Thing": ["Datastreams/name desc", "HistoricalLocations/time", "name desc"],
    "Location": ["Things/name", "name,id desc", "geo.distance(location, geography'POINT(8 50)') desc"],
    "HistoricalLocation": ["time desc", "Thing/name"],
    "Datastream": ["phenomenonTime desc", "resultTime", "Observations/result desc", "Thing/name,Sensor/name desc"],
    "MultiDatastream": ["phenomenonTime desc", "ObservedProperties/name desc", "Thing/name,Sensor/name desc"],
    "Sensor": ["Datastreams/Thing/name", "MultiDatastreams/name"],
    "ObservedProperty": ["Datastreams/phenomenonTime desc"],
    "FeatureOfInterest": ["Observations/phenomenonTime", "geo.length(feature)"],
    "Observation": [
        "phenomenonTime desc",
        "result",
        "FeatureOfInterest/name desc",
        "Datastream/Thing/name",
        "MultiDatastream/name",
    ],
}


@st.composite
def options(draw: Draw, name: str, *, depth: int = 2, single: bool = False) -> list[str]:
    entity = ENTITY_TYPES[name]
    found: list[str] = []
    if not single:
        if draw(st.booleans()):
            parts = draw(st.lists(st.sampled_from(_CONDITIONS[name]), min_size=1, max_size=2))
            found.append("$filter=" + draw(st.sampled_from([" and ", " or "])).join(parts))
        if draw(st.booleans()):
            found.append(f"$orderby={draw(st.sampled_from(_ORDERS[name]))}")
        top = draw(st.sampled_from([None, 0, 1, 1, 2, 3]))
        if top is not None:
            found.append(f"$top={top}")
        if draw(st.sampled_from([False, False, True])):
            found.append("$skip=1")
        if draw(st.booleans()):
            found.append("$count=true")
    if depth and draw(st.booleans()):
        items = []
        for navigation in draw(
            st.lists(st.sampled_from(sorted(entity.navigations)), min_size=1, max_size=2, unique=True)
        ):
            target = entity.target(entity.navigations[navigation])
            if target.name == "Observation" and draw(st.booleans()):
                items.append("Observations($top=1;$orderby=phenomenonTime desc)")
                continue
            inner = draw(options(target.name, depth=depth - 1, single=not entity.navigations[navigation].many))
            items.append(f"{navigation}({';'.join(inner)})")
        found.append(f"$expand={','.join(items)}")
    return found


@st.composite
def addresses(draw: Draw, city: City) -> str:
    keys = {name: [row["id"] for row in rows] or [1] for name, rows in city.nodes().items()}
    name = draw(st.sampled_from(sorted(ENTITY_TYPES)))
    path, single = ENTITY_TYPES[name].set_name, False
    for _ in range(draw(st.integers(0, 3))):
        if not single:
            path += f"({draw(st.sampled_from(keys[name]))})"
            single = True
        navigation = draw(st.sampled_from(sorted(ENTITY_TYPES[name].navigations.values(), key=lambda item: item.name)))
        name, single = navigation.target, not navigation.many
        path += f"/{navigation.name}"
    if not single and draw(st.booleans()):
        path += f"({draw(st.sampled_from(keys[name]))})"
        single = True
    query = "&".join(draw(options(name, single=single)))
    return f"{path}?" + quote(query, safe="$=&,;()/@.'")


def answer(conn: psycopg.Connection, address: str, reader: Reader) -> tuple[object, ...]:
    """What comes back, as far as a reader can tell answers apart, the pages that follow included."""
    pages: list[object] = []
    try:
        for _ in range(4):
            page = get_from(conn, address, reader)
            pages.append(page)
            if not (isinstance(page, dict) and "@iot.nextLink" in page):
                break
            address = page["@iot.nextLink"]
    except CityError as error:
        return (*pages, error.status, error.message, error.where, error.remedy)
    return tuple(pages)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data(), city=cities(classes=("open", "open", "open", "open", "internal", "restricted")))
def test_noninterference(empty_city: psycopg.Connection, data: st.DataObject, city: City) -> None:
    classes = frozenset(
        data.draw(
            st.sets(st.sampled_from(list(AccessClass)), min_size=1, max_size=3).filter(lambda some: len(some) < 4)
        )
    )
    reader = Reader("somebody", frozenset(), classes)
    asked = [data.draw(addresses(city)) for _ in range(8)]
    city.insert(empty_city)
    seen = [answer(empty_city, address, reader) for address in asked]
    city.without_hidden(frozenset(item.value for item in classes)).insert(empty_city)
    for address, given_answer in zip(asked, seen, strict=True):
        assert given_answer == answer(empty_city, address, EVERYTHING), address
