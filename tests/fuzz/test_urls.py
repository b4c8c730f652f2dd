"""Any URL that the grammar of the query options can make, nearly make or must not make."""

from collections import Counter
from urllib.parse import quote

import httpx
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.kernel.entities import EntityType
from tests.fuzz import grammar
from tests.fuzz.conftest import calm, check


def ask(city: httpx.Client, path: str, raw: bytes) -> httpx.Response:
    address = httpx.URL(str(city.base_url)).copy_with(raw_path=f"/sensorthings/v1.1/{path}?".encode() + raw)
    return city.get(address)


@st.composite
def paths(draw: st.DrawFn, entity: EntityType) -> tuple[str, EntityType]:
    """A set, an entity or what is below one, and the type that options are about."""
    match draw(st.integers(0, 3)):
        case 0:
            navigation = draw(st.sampled_from(list(entity.navigations.values())))
            return f"{entity.set_name}(1)/{navigation.name}", entity.target(navigation)
        case 1:
            end = draw(st.sampled_from(["(1)", "/$ref", "/$count", "(1)/$ref", "(1)/@iot.id", "(1)/@iot.id/$value"]))
            return entity.set_name + end, entity
        case _:
            return entity.set_name, entity


_placed = grammar.entities.flatmap(paths)


@st.composite
def valid(draw: st.DrawFn) -> tuple[str, str]:
    path, entity = draw(_placed)
    parsed = parse_path(path)
    pairs = draw(grammar.options(entity))
    if parsed.count:
        pairs = [pair for pair in pairs if pair[0] == "$filter"]
    elif not parsed.is_collection:
        whole = not (parsed.ref or parsed.property_name)
        pairs = [pair for pair in pairs if whole and pair[0] in ("$select", "$expand")]
    elif parsed.ref:
        pairs = [pair for pair in pairs if pair[0] not in ("$select", "$expand")]
    return path, grammar.query(pairs)


@st.composite
def nearly(draw: st.DrawFn) -> tuple[str, str]:
    path, entity = draw(_placed)
    return path, draw(grammar.almost(grammar.options(entity).map(grammar.query)))


def test_options_of_the_grammar(city: httpx.Client) -> None:
    statuses: Counter[int] = Counter()

    @calm(250)
    @given(asked=valid())
    def run(asked: tuple[str, str]) -> None:
        path, text = asked
        answer = ask(city, path, quote(text, safe="$&=").encode("ascii"))
        check(answer)
        statuses[answer.status_code] += 1

    run()
    assert statuses[200] > sum(statuses.values()) / 3, f"the grammar makes too little that is valid: {statuses}"


@calm(200)
@given(asked=nearly(), data=st.data())
def test_options_with_one_thing_wrong(city: httpx.Client, asked: tuple[str, str], data: st.DataObject) -> None:
    path, text = asked
    text = text.encode("utf-8", "replace").decode()
    check(ask(city, path, data.draw(grammar.encoded(text))))


@calm(80)
@given(asked=grammar.entities.flatmap(lambda entity: st.tuples(st.just(entity.set_name), grammar.deep(entity))))
def test_options_beyond_every_limit(city: httpx.Client, asked: tuple[str, str]) -> None:
    path, text = asked
    check(ask(city, path, quote(text, safe="$&=(),;'/ ").replace(" ", "%20").encode()))


@calm(60)
@given(
    segments=st.lists(
        st.sampled_from(
            ["Things", "Things(1)", "Datastreams(1)", "Observations", "..", ".", "", "%2e%2e", "%2F", "%5C", "%00",
             "%FF", "$ref", "$value", "$count", "$batch", "properties", "a" * 300, "Things(%D9%A3)", "Things(1",
             "Things(1)(2)", "Things(-0)", "Things(00001)", "Things(1e0)", "Things(" + "9" * 500 + ")", "Things(null)",
             "%E2%80%AE", ";x=1"]
        ),
        max_size=30,
    )
)  # fmt: skip
def test_paths(city: httpx.Client, segments: list[str]) -> None:
    check(ask(city, "/".join(segments), b""))


@calm(60)
@given(
    mount=st.sampled_from(["/series/v1", "/events/v1", "/api/openapi.json"]),
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["datastreams", "datastream", "things", "from", "to", "bucket", "format", "percentiles"]),
            st.sampled_from(
                ["1", "1,2", "999", "0", "-1", "9" * 30, "%D9%A3", "2026-01-01", "0001-01-01", "9999-12-31", "P7D",
                 "P9999Y", "PT", "P1M", "hour", "raw", "year", "csv", "json", "parquet", "arrow", "", "%00", "%FF",
                 "2026-13-01", "9999-12-31T23:59:59-14:00"]
            ),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_series_and_events(city: httpx.Client, mount: str, pairs: list[tuple[str, str]]) -> None:
    raw = "&".join(f"{name}={value}" for name, value in pairs)
    address = httpx.URL(str(city.base_url)).copy_with(raw_path=f"{mount}?{raw}".encode())
    with city.stream("GET", address) as answer:
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            return  # has no end
        answer.read()
    if answer.status_code != 200:
        check(answer)
