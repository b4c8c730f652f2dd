"""OData options and expressions: what they parse to, and how refusals read."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import (
    And,
    Arithmetic,
    Call,
    Compare,
    Comparison,
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
from mainzdigital.query.odata import parse_filter, parse_options
from mainzdigital.store.model import DATASTREAM, ENTITY_TYPES, LOCATION, OBSERVATION, THING

RESULT = Path(("result",))
NAME = Path(("name",))


def eq(left: object, value: object) -> Compare:
    return Compare(Comparison.EQ, left, Literal(value))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("result eq 5", 5),
        ("result eq -5", -5),
        ("result eq 2.50", 2.5),
        ("result eq 1e3", 1000.0),
        ("result eq 1.5E-3", 0.0015),
        ("result eq 1e+3", 1000.0),
        ("result eq 'it''s'", "it's"),
        ("result eq ''", ""),
        ("result eq true", True),
        ("result eq null", None),
    ],
)
def test_literals(text: str, value: object) -> None:
    assert parse_filter(text, OBSERVATION) == eq(RESULT, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("phenomenonTime eq 2024-02-01T10:00:00Z", datetime(2024, 2, 1, 10, tzinfo=UTC)),
        ("phenomenonTime eq 2024-02-01T10:00Z", datetime(2024, 2, 1, 10, tzinfo=UTC)),
        ("phenomenonTime eq 2024-02-01T11:00:00.250+01:00", datetime(2024, 2, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
        (
            "phenomenonTime eq 2024-02-01T10:00:00Z/2024-02-01T12:00:00Z",
            Interval(datetime(2024, 2, 1, 10, tzinfo=UTC), datetime(2024, 2, 1, 12, tzinfo=UTC)),
        ),
        (
            "phenomenonTime eq 2024-02-01T10:00:00Z/PT2H",
            Interval(datetime(2024, 2, 1, 10, tzinfo=UTC), datetime(2024, 2, 1, 12, tzinfo=UTC)),
        ),
        (
            "phenomenonTime eq P1D/2024-02-02T10:00:00Z",
            Interval(datetime(2024, 2, 1, 10, tzinfo=UTC), datetime(2024, 2, 2, 10, tzinfo=UTC)),
        ),
    ],
)
def test_times(text: str, value: object) -> None:
    assert parse_filter(text, OBSERVATION) == eq(Path(("phenomenonTime",)), value)


def test_other_literals() -> None:
    moment = Path(("phenomenonTime",))
    assert parse_filter("date(phenomenonTime) eq 2024-02-29", OBSERVATION) == eq(
        Call("date", (moment,)), date(2024, 2, 29)
    )
    assert parse_filter("time(phenomenonTime) eq 13:45", OBSERVATION) == eq(Call("time", (moment,)), time(13, 45))
    tree = parse_filter("phenomenonTime gt now() sub duration'P1DT2H'", OBSERVATION)
    assert tree == Compare(
        Comparison.GT, moment, Arithmetic(Operator.SUB, Call("now", ()), Literal(timedelta(days=1, hours=2)))
    )
    tree = parse_filter("st_within(location, geography'POLYGON ((0 0, 1 0, 1 1, 0 0))')", LOCATION)
    assert tree == Call("st_within", (Path(("location",)), Literal(Geometry("POLYGON ((0 0, 1 0, 1 1, 0 0))"))))


def test_precedence() -> None:
    a, b, c = (eq(RESULT, value) for value in (1, 2, 3))
    assert parse_filter("result eq 1 or result eq 2 and result eq 3", OBSERVATION) == Or((a, And((b, c))))
    assert parse_filter("(result eq 1 or result eq 2) and result eq 3", OBSERVATION) == And((Or((a, b)), c))
    assert parse_filter("not (result eq 1) and result eq 2", OBSERVATION) == And((Not(a), b))
    one, two, three = Literal(1), Literal(2), Literal(3)
    add, sub, mul = Operator.ADD, Operator.SUB, Operator.MUL
    assert parse_filter("result eq 1 add 2 mul 3", OBSERVATION) == Compare(
        Comparison.EQ, RESULT, Arithmetic(add, one, Arithmetic(mul, two, three))
    )
    assert parse_filter("result eq 1 sub 2 sub 3", OBSERVATION) == Compare(
        Comparison.EQ, RESULT, Arithmetic(sub, Arithmetic(sub, one, two), three)
    )
    assert parse_filter("-result add 1 gt 2", OBSERVATION) == Compare(
        Comparison.GT, Arithmetic(add, Negate(RESULT), one), two
    )
    # Relations bind tighter than equality (OData 4.01 part 2, 5.1.1.17).
    assert parse_filter("result gt 1 eq true", OBSERVATION) == eq(Compare(Comparison.GT, RESULT, one), True)


def test_paths() -> None:
    assert parse_filter("@iot.id eq 1", THING) == parse_filter("id eq 1", THING) == eq(Path(("id",)), 1)
    assert parse_filter("Datastream/Thing/Locations/name in ('a','b')", OBSERVATION) == In(
        Path(("Datastream", "Thing", "Locations", "name")), (Literal("a"), Literal("b"))
    )
    assert parse_filter("properties/owner/first-name eq 'a'", THING) == eq(
        Path(("properties", "owner", "first-name")), "a"
    )
    assert parse_filter("unitOfMeasurement/symbol eq '°C'", DATASTREAM) == eq(
        Path(("unitOfMeasurement", "symbol")), "°C"
    )


@pytest.mark.parametrize(
    ("text", "character", "says"),
    [
        ("nme eq 'a'", 1, "no property 'nme'"),
        ("name eq", 8, "expected"),
        ("name eq 'a' xor true", 13, "'xor'"),
        ("name eq 'a", 9, "no end"),
        ("name gt 5", 6, "cannot compare"),
        ("name eq 2024-01-01T00:00:00Z", 6, "cannot compare"),
        ("name add 1 eq 2", 6, "cannot combine"),
        ("length(name)", 1, "true or false"),
        ("not name eq 'a'", 5, "true or false"),
        ("name gt null", 6, "cannot compare"),
        ("nofunction(name)", 1, "no function"),
        ("contains(name)", 1, "arguments"),
        ("contains(name, 5)", 16, "needs a text"),
        ("name eq 'a')", 12, "expected"),
        ("(name eq 'a'", 13, "expected"),
        ("name/x eq 1", 1, "no parts"),
        ("Datastreams eq 1", 1, "ends at an entity"),
        ("Datastreams/nothing eq 1", 1, "Datastream has no property"),
        ("id eq 1e999", 7, "too large"),
        ("id eq 2024-02-30", 7, "not a date"),
        ("access eq 'open'", 1, "no property"),
        ("name eq 'a' and ;", 17, "not expected"),
        ("id eq 1 sub duration'P1Y'", 13, "not a duration"),
        ("", 1, "expected"),
    ],
)
def test_refusals_name_the_place(text: str, character: int, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_filter(text, THING)
    assert refused.value.where == f"$filter, character {character}"
    assert says in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000,
        "not " * 1_900 + "true",
        "-" * 5_000 + "1 eq 1",
        "1 eq 1 " + "add 1 " * 1_000,
        "id eq 1 or " * 700 + "id eq 2",
        "concat(" * 1_000,
        "name eq '" + "a" * 10_000 + "'",
        "id in (" + "1," * 3_000 + "1)",
        "properties/" + "a/" * 3_000 + "a eq 1",
    ],
)
def test_limits(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_filter(text, THING)


def test_long_rows_of_conditions_are_not_deep() -> None:
    tree = parse_filter(" or ".join(f"id eq {number}" for number in range(120)), THING)
    assert isinstance(tree, Or)
    assert len(tree.items) == 120


def test_options() -> None:
    found = parse_options(
        "$filter=name%20eq%20'a%26b'&$orderby=name+desc,%40iot.id&$top=5&$skip=2&$count=true&$select=name,@iot.id"
        "&$expand=Datastreams($filter=name eq 'a;b)';$expand=Sensor;$top=1),Locations/Things&%24skiptoken=x",
        THING,
    )
    assert found.filter == eq(NAME, "a&b")
    assert [(item.expression, item.descending) for item in found.orderby] == [(NAME, True), (Path(("id",)), False)]
    assert (found.top, found.skip, found.count, found.skip_token) == (5, 2, True, "x")
    assert found.select == (("name",), ("@iot.id",))
    first, second = found.expand
    assert first.path == ("Datastreams",)
    assert first.options.filter == eq(NAME, "a;b)")
    assert first.options.top == 1
    assert first.options.expand[0].path == ("Sensor",)
    assert second.path == ("Locations", "Things")
    assert dict(found.given)["$orderby"] == "name desc,@iot.id"


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("$top=x", "$top"),
        ("$top=%C2%B2", "$top"),
        ("$top=", "$top"),
        ("$count=maybe", "$count"),
        ("$top=1&$top=2", "$top"),
        ("$filtre=x", "$filtre"),
        ("filter=x", "filter"),
        ("$filter=name eq '%zz'", "$filter, character 10"),
        ("$filter=name eq '%FF'", "$filter"),
        ("$filter=name eq 'a%00'", "$filter, character 11"),
        ("$select=nme", "$select, character 1"),
        ("$select=name,id/x/", "$select"),
        ("$orderby=name up", "$orderby, character 6"),
        ("$orderby=location", "$orderby, character 1"),
        ("$expand=Nothing", "$expand, character 1"),
        ("$expand=Datastreams($top=x)", "$expand(Datastreams)/$top"),
        ("$expand=Datastreams($filter=nme eq 1)", "$expand(Datastreams)/$filter, character 1"),
        ("$expand=Datastreams($top=1", "$expand"),
        ("$expand=Datastreams)", "$expand"),
        ("$expand=" + "Datastreams/Thing/" * 5 + "Datastreams", "$expand"),
        ("$expand=" + "Datastreams($expand=Thing($expand=" * 100, "$expand"),
        ("$expand=" + ",".join(["Datastreams"] * 40), "$expand"),
        ("$filter=" + "a" * 60_000, "query"),
    ],
)
def test_refused_options(query: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_options(query, THING)
    assert where in refused.value.where


_PIECES = st.sampled_from(
    [
        "name", "result", "Datastreams", "/", "(", ")", "'", "''", " ", "eq", "and", "not", "-", ",", "1", "1e9",
        "null", "2024-01-01T00:00:00Z", "contains", "$filter=", "$expand=", "$top=", ";", "&", "%", "%41", "\x00",
        "é", "in", "+", "phenomenonTime", "duration'P1D'", "geography'x'", "@iot.id", "div", "0", "lt", ".", "\ud800",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.text(max_size=40), st.lists(_PIECES, max_size=25).map("".join)), st.sampled_from(sorted(ENTITY_TYPES))
)
def test_no_input_breaks_the_parser(text: str, name: str) -> None:
    for query in (text, f"$filter={text}", f"$orderby={text}", f"$expand={text}", f"$select={text}"):
        try:
            parse_options(query, ENTITY_TYPES[name])
        except InvalidInput as refused:
            named = refused.where
        else:
            named = "nothing to name"
        assert named
