"""Bodies made from valid entities by one mutation or several, and bytes that are no JSON at all."""

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.conftest import calm, check
from tests.fuzz.grammar import odd
from tests.sensorthings_write import cities

JSON = {"Content-Type": "application/json"}
MULTI = {
    "name": "m", "description": "m", "Thing": {"@iot.id": 1}, "Sensor": {"@iot.id": 1},
    "ObservedProperties": [cities.observed_property(), {"@iot.id": 1}],
    "unitOfMeasurements": [{"name": "a", "symbol": "a", "definition": "a"}] * 2,
    "multiObservationDataTypes": ["http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"] * 2,
}  # fmt: skip
BODIES: dict[str, Any] = {
    "Things": cities.station(MultiDatastreams=[{key: value for key, value in MULTI.items() if key != "Thing"}]),
    "Locations": cities.location(Things=[{"@iot.id": 1}]),
    "Sensors": cities.sensor(),
    "ObservedProperties": cities.observed_property(),
    "FeaturesOfInterest": cities.feature(),
    "Datastreams": cities.full_datastream(
        Thing={"@iot.id": 1}, observedArea={"type": "Polygon", "coordinates": [[[8, 50], [9, 50], [9, 51], [8, 50]]]},
        Observations=[{"result": 1}, {"result": "x", "FeatureOfInterest": cities.feature()}],
    ),
    "MultiDatastreams": MULTI,
    "HistoricalLocations": cities.history(Thing={"@iot.id": 1}, Locations=[cities.location()]),
    "Observations": {
        "result": 1, "phenomenonTime": "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z",
        "resultTime": "2026-01-01T00:00:00Z",
        "resultQuality": {"a": 1}, "validTime": "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "parameters": {"a": [1]},
        "Datastream": {"@iot.id": 1}, "FeatureOfInterest": {"@iot.id": 1},
    },
}  # fmt: skip


class Raw(str):
    """Text that goes into the JSON as it is."""


def _nested(depth: int) -> Raw:
    return Raw("[" * depth + "]" * depth)


_NASTY: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), odd,
    st.sampled_from(
        [Raw(text) for text in (
            "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "9" * 400, "-" + "9" * 5000, "0." + "1" * 3000,
            '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', "01", "+1", "'x'", "undefined", "[1,]",
            '{"a":1,"a":2}', '{"":0}', '{"__proto__":1}',
            '{"@iot.id":1,"@iot.id":2}', "{}", "[]", "[[]]", '{"@iot.id":null}', '{"@iot.id":1.5}', '{"@iot.id":true}',
            '{"@iot.id":9223372036854775808}', '{"@iot.id":-1}', '{"@iot.id":0}', '{"@iot.id":2147483648}',
        )]
    ),
    st.sampled_from([30, 39, 40, 41, 500, 5_000, 100_000]).map(_nested),
    st.sampled_from([2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, 1.7e308]),
    st.sampled_from(["x" * 1_100_000, "2026-01-01T00:00:00Z/2026-01-01T00:00:00Z/2026", "0000-00-00T00:00:00Z",
                     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60Z", "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z"]),
    st.sampled_from(
        [{"type": "Point", "coordinates": []}, {"type": "Point", "coordinates": [[8, 50]]}, {"type": "Polygon"},
         {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, {"type": ["Point"]},
         {"type": "Point", "coordinates": [1e999, -1e999]}, {"type": "Point", "coordinates": [8, 50, 1e300]},
         {"type": "Point", "coordinates": [True, False]}, {"type": "Feature", "geometry": {"type": "Feature"}},
         {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": []}] * 3},
         {"type": "MultiPolygon", "coordinates": [[[[8, 50]] * 5] * 5] * 5}, {"type": "LineString", "coordinates": {}}]
    ),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = put(value[path[0]], path[1:], new)
    return copied


def write(value: Any) -> str:
    """JSON text, raw parts as they are."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{write(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A set, and a body for it that was valid once."""
    name = draw(st.sampled_from(list(BODIES)))
    body = BODIES[name]
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(body))))
        body = put(body, path, draw(_NASTY))
    text = write(body)
    raw = text.encode("utf-8", "surrogatepass")
    match draw(st.integers(0, 9)):
        case 0:  # the first key twice
            raw = raw.replace(b"{", b'{"name":1,', 1)
        case 1:
            at = draw(st.integers(0, len(raw)))
            raw = (
                raw[:at]
                + draw(st.sampled_from([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf"]))
                + raw[at:]
            )
        case 2:
            raw = raw[: draw(st.integers(0, len(raw)))]
        case 3:
            raw = text.encode(draw(st.sampled_from(["utf-16", "utf-32", "latin-1"])), "replace")
    return name, raw


@calm(220)
@given(sent=mutated(), method=st.sampled_from(["POST", "POST", "PATCH", "PUT"]))
def test_mutated_entities(city: httpx.Client, sent: tuple[str, bytes], method: str) -> None:
    name, raw = sent
    path = name if method == "POST" else f"{name}(1)"
    check(city.request(method, path, content=raw, headers=JSON))
    # What was taken can be read again, alone and among the others.
    check(city.get(f"{name}?$orderby=id desc&$top=2"))


@calm(60)
@given(changes=st.dictionaries(st.sampled_from(sorted(BODIES["Observations"])), _NASTY, max_size=2))
def test_observations_on_the_fast_way(city: httpx.Client, changes: dict[str, Any]) -> None:
    """Written together with those of others, whom a bad one must not harm."""
    body = {"result": 1, **changes}
    check(city.post("Datastreams(1)/Observations", content=write(body).encode("utf-8", "surrogatepass"), headers=JSON))
    good = city.post("Datastreams(1)/Observations", json={"result": 2})
    assert good.status_code in {201, 404}, good.text


def _bomb(size: int) -> bytes:
    coder = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * 1_000_000
    return b"".join(coder.compress(block) for _ in range(size)) + coder.flush()


def test_gzip_bombs_are_refused_before_they_unfold(city: httpx.Client) -> None:
    bomb = _bomb(400)
    assert len(bomb) < 1_000_000
    valid = gzip.compress(json.dumps(cities.thing()).encode())
    sent = {
        "bomb": bomb,
        "bomb after a valid member": valid + bomb,
        "many members": gzip.compress(b"  ") * 20_000,
        "gzip in gzip": gzip.compress(valid),
        "cut off": valid[:-4],
        "wrong checksum": valid[:-8] + b"\0" * 8,
        "garbage after it": valid + b"garbage",
        "no gzip": b"{}",
        "nothing": b"",
        "a member of nothing": gzip.compress(b""),
    }
    for what, content in sent.items():
        answer = city.post("Things", content=content, headers={**JSON, "Content-Encoding": "gzip"})
        check(answer)
        assert answer.status_code == (413 if what.startswith("bomb") else 400), (what, answer.status_code, answer.text)
    for coding in ("br", "zstd", "deflate", "gzip, gzip", "gzip, br"):
        answer = city.post("Things", content=valid, headers={**JSON, "Content-Encoding": coding})
        assert answer.status_code == 415, coding
    taken = city.post("Things", content=valid, headers={**JSON, "Content-Encoding": "gzip"})
    assert taken.status_code == 201


@calm(50)
@given(
    operations=st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "replace", "copy", "move", "remove", "test"])},
            optional={
                "path": st.sampled_from(
                    ["", "/", "/properties", "/properties/owner", "/properties/-", "/name", "/~2", "/@iot.id",
                     "/properties/" + "a/" * 500, "/Datastreams", "/properties/0"]
                ),
                "from": st.sampled_from(["", "/properties", "/name", "/properties/owner", "/x"]),
                "value": _NASTY,
            },
        ),
        max_size=30,
    )
)  # fmt: skip
def test_patches(city: httpx.Client, operations: list[dict[str, Any]]) -> None:
    headers = {"Content-Type": "application/json-patch+json"}
    check(city.patch("Things(1)", content=write(operations).encode("utf-8", "surrogatepass"), headers=headers))
    check(city.get("Things(1)"))
