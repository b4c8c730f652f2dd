"""Random, well-typed filter trees over all entity types."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

from hypothesis import strategies as st

from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    Comparison,
    Expression,
    Geometry,
    In,
    Literal,
    Negate,
    Not,
    Operator,
    Or,
    Path,
)
from mainzdigital.kernel.time import Interval
from mainzdigital.query.geometry import RELATIONS
from mainzdigital.query.types import TIME_RELATIONS, Kind, resolve
from tests.query.city import TEXTS, TIMES

Trees = st.SearchStrategy[Expression]
Draw = Callable[[st.SearchStrategy[Any]], Any]
NOW = datetime(2024, 2, 1, tzinfo=UTC)
_KEYS: dict[str, list[tuple[str, ...]]] = {
    "properties": [("k",), ("n",), ("o", "k"), ("o",), ("l", "0"), ("l", "-1"), ("none",)],
    "parameters": [("k",), ("n",)],
    "resultQuality": [(), ("k",)],
    "unitOfMeasurement": [("symbol",), ("name",)],
    "unitOfMeasurements": [("0", "symbol"), ()],
    "multiObservationDataTypes": [("0",), ("-1",)],
    "metadata": [(), ("k",)],
    "result": [(), (), (), ("k",)],
    "location": [("type",), ()],
    "feature": [("coordinates", "0"), ()],
    "observedArea": [("type",), ()],
}


@cache
def all_paths(entity_name: str, depth: int = 2) -> dict[Kind, list[Path]]:
    from mainzdigital.store.model import ENTITY_TYPES

    found: dict[Kind, list[Path]] = {}

    def walk(entity: EntityType, before: tuple[str, ...], left: int) -> None:
        for name in entity.properties:
            for keys in _KEYS.get(name, [()]):
                steps = (*before, name, *keys)
                found.setdefault(resolve(ENTITY_TYPES[entity_name], steps).kind, []).append(Path(steps))
        if left:
            for navigation in entity.navigations.values():
                walk(entity.target(navigation), (*before, navigation.name), left - 1)

    walk(ENTITY_TYPES[entity_name], (), depth)
    return found


def literal(value: Any) -> Expression:
    return Literal(value)


def _paths(entity: str, kind: Kind) -> list[Trees]:
    own = all_paths(entity, 0).get(kind, [])
    far = all_paths(entity).get(kind, [])
    return [st.sampled_from(items) for items in (own, own, far) if items]


_NUMBERS = [0, 1, -2, 5, 2.5, 3, 7.0, 1e-9, 1e200, -1e160, 1e-200, 2**53, 10**25, 0.5, -0.5]


@cache
def numbers(entity: str, depth: int) -> Trees:
    leaves: list[Trees] = [
        st.sampled_from(_NUMBERS).map(literal),
        *_paths(entity, Kind.NUMBER),
        *_paths(entity, Kind.JSON),
    ]
    if depth == 0:
        return st.one_of(leaves)
    inner, words, moments = numbers(entity, depth - 1), texts(entity, depth - 1), times(entity, 0)
    part = st.sampled_from(
        ["year", "month", "day", "hour", "minute", "second", "fractionalseconds", "totaloffsetminutes"]
    )
    return st.one_of(
        *leaves,
        st.builds(Arithmetic, st.sampled_from(list(Operator)), inner, inner),
        st.builds(Negate, inner),
        st.builds(lambda name, item: Call(name, (item,)), st.sampled_from(["round", "floor", "ceiling"]), inner),
        st.builds(lambda name, item: Call(name, (item,)), part, moments),
        st.builds(lambda item: Call("length", (item,)), words),
        st.builds(lambda a, b: Call("indexof", (a, b)), words, words),
        *([st.builds(lambda a, b: Call("geo.distance", (a, b)), geometries(entity), geometries(entity))]),
        *([st.builds(lambda a: Call("geo.length", (a,)), geometries(entity))]),
    )


_WKT = [
    "POINT (8.27 50)", "POINT Z (8 50 3)", "LINESTRING (8 50, 9 51)", "POLYGON ((8 50, 9 50, 9 51, 8 51, 8 50))",
    "SRID=4326;POLYGON ((7 49, 8.5 49, 8.5 52, 7 52, 7 49))", "MULTIPOINT ((8.5 50.5), (11 50))",
]  # fmt: skip
_RELATIONS = sorted(RELATIONS)
_PATTERNS = ["T********", "FF*FF****", "T*F**F***", "*********", "0FFFFF212", "FF0FFF***"]


def geometries(entity: str) -> Trees:
    return st.one_of(
        st.sampled_from(_WKT).map(lambda text: literal(Geometry(text))), *_paths(entity, Kind.GEOMETRY), *[
            st.just(Literal(None)) for _ in _paths(entity, Kind.GEOMETRY)[:1]
        ],
    )  # fmt: skip


def relations(entity: str) -> Trees:
    one, other = geometries(entity), geometries(entity)
    distance = st.builds(lambda a, b: Call("geo.distance", (a, b)), one, other)
    bound = st.sampled_from([0, 0.27, 1.0, -1, 3]).map(literal)
    return st.one_of(
        st.builds(lambda name, a, b: Call(name, (a, b)), st.sampled_from(_RELATIONS), one, other),
        st.builds(lambda a, b, text: Call("st_relate", (a, b, Literal(text))), one, other, st.sampled_from(_PATTERNS)),
        st.builds(Compare, st.sampled_from(list(Comparison)), distance, bound),
        st.builds(Compare, st.sampled_from(list(Comparison)), bound, distance),
    )


@cache
def texts(entity: str, depth: int) -> Trees:
    leaves: list[Trees] = [st.sampled_from(TEXTS).map(literal), *_paths(entity, Kind.TEXT), *_paths(entity, Kind.JSON)]
    if depth == 0:
        return st.one_of(leaves)
    inner = texts(entity, depth - 1)
    count = st.one_of(st.sampled_from([-1, 0, 1, 2, 1.5, 1e20]).map(literal), numbers(entity, 0))
    return st.one_of(
        *leaves,
        st.builds(lambda name, item: Call(name, (item,)), st.sampled_from(["tolower", "toupper", "trim"]), inner),
        st.builds(lambda a, b: Call("concat", (a, b)), inner, inner),
        st.builds(lambda a, b: Call("substring", (a, b)), inner, count),
        st.builds(lambda a, b, c: Call("substring", (a, b, c)), inner, count, count),
    )


_DURATIONS = [timedelta(0), timedelta(minutes=15), timedelta(days=-1), timedelta(days=366_000)]


@cache
def times(entity: str, depth: int) -> Trees:
    leaves: list[Trees] = [
        st.sampled_from([*TIMES, Interval(TIMES[0], TIMES[1]), Interval(TIMES[1], TIMES[1]), NOW]).map(literal),
        *_paths(entity, Kind.TIME),
        *_paths(entity, Kind.TIME),
    ]
    if depth == 0:
        return st.one_of(leaves)
    inner = times(entity, depth - 1)
    return st.one_of(
        *leaves,
        st.builds(lambda name: Call(name, ()), st.sampled_from(["mindatetime", "maxdatetime"])),
        st.builds(Arithmetic, st.sampled_from([Operator.ADD, Operator.SUB]), inner, durations(entity, depth - 1)),
    )


@cache
def durations(entity: str, depth: int) -> Trees:
    leaves = st.sampled_from(_DURATIONS).map(literal)
    if depth == 0:
        return leaves
    inner = durations(entity, depth - 1)
    return st.one_of(
        leaves,
        st.builds(Negate, inner),
        st.builds(lambda a, b: Arithmetic(Operator.SUB, a, b), times(entity, 0), times(entity, 0)),
        st.builds(Arithmetic, st.sampled_from([Operator.ADD, Operator.SUB]), inner, inner),
    )


@cache
def filters(entity: str, depth: int = 3) -> Trees:
    """Filters of an entity type, up to `depth` levels of logic."""
    comparison = st.sampled_from(list(Comparison))
    equality = st.sampled_from([Comparison.EQ, Comparison.NE])
    number, word, moment = numbers(entity, 1), texts(entity, 1), times(entity, 1)
    days = st.sampled_from([date(2024, 1, 31), date(2024, 2, 1)]).map(literal)
    hours = st.sampled_from([time(23, 30), time(0, 0)]).map(literal)
    anything = st.one_of(number, word, moment, *_paths(entity, Kind.JSON))
    leaf = st.one_of(
        st.builds(Compare, comparison, number, number),
        st.builds(Compare, comparison, word, word),
        st.builds(Compare, comparison, moment, moment),
        st.builds(Compare, equality, anything, st.just(Literal(None))),
        st.builds(Compare, comparison, durations(entity, 1), durations(entity, 1)),
        st.builds(lambda c, a, b: Compare(c, Call("date", (a,)), b), comparison, moment, days),
        st.builds(lambda c, a, b: Compare(c, Call("time", (a,)), b), comparison, moment, hours),
        st.builds(
            lambda name, a, b: Call(name, (a, b)),
            st.sampled_from(["contains", "startswith", "endswith", "substringof"]),
            word,
            word,
        ),
        st.builds(lambda a, b: In(a, tuple(b)), number, st.lists(numbers(entity, 0), min_size=1, max_size=3)),
        st.builds(
            lambda a, b: In(a, tuple(map(literal, b))),
            texts(entity, 0),
            st.lists(st.sampled_from([*TEXTS, None]), min_size=1, max_size=3),
        ),
        *([st.builds(Compare, comparison, item, item) for item in _paths(entity, Kind.JSON)]),
        *_paths(entity, Kind.JSON),
        relations(entity),
        relations(entity),
        st.builds(lambda name, a, b: Call(name, (a, b)), st.sampled_from(TIME_RELATIONS), moment, moment),
        st.booleans().map(literal),
    )
    if depth == 0:
        return leaf
    inner = filters(entity, depth - 1)
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        leaf,
        leaf,
        st.builds(Not, inner),
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(lambda a, b: Compare(Comparison.EQ, a, Literal(b)), inner, st.booleans()),
    )


@cache
def orderings(entity: str) -> st.SearchStrategy[list[tuple[Expression, bool]]]:
    key = st.one_of(numbers(entity, 1), texts(entity, 1), times(entity, 1), *_paths(entity, Kind.JSON))
    return st.lists(st.tuples(key, st.booleans()), max_size=3)
