"""Operands of the filter tree as SQL. No input makes any of this fail at run time: casts are guarded, division by
zero and numbers out of range are null. The meaning stands in `query.types`, `query.evaluate` is its twin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from mainzdigital.kernel.expression import (
    And,
    AnyOf,
    Arithmetic,
    Call,
    Compare,
    Comparison,
    Expression,
    In,
    Literal,
    Negate,
    Not,
    Operator,
    Or,
    Path,
    Value,
)
from mainzdigital.kernel.time import Interval
from mainzdigital.query.types import (
    FUNCTIONS,
    JSON_LARGEST,
    JSON_SMALLEST,
    LARGEST,
    SMALLEST,
    TIME_RELATIONS,
    Kind,
    kind_of,
)

_SYMBOLS = {
    Comparison.EQ: "=",
    Comparison.NE: "<>",
    Comparison.GT: ">",
    Comparison.GE: ">=",
    Comparison.LT: "<",
    Comparison.LE: "<=",
}
_EQUALITY = frozenset({Comparison.EQ, Comparison.NE})
_CASTS = {
    Kind.TEXT: "text",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: "date",
    Kind.CLOCK: "time",
    Kind.DURATION: "interval",
}
_FIRST = "'0001-01-01T00:00:00Z'::timestamptz"
_LAST = "'9999-12-31T23:59:59.999999Z'::timestamptz"
_LONGEST = "'3660000 days'::interval"


@dataclass(frozen=True, slots=True)
class Term:
    """An operand. `sql` is its value (of a time: the start); JSON has one SQL for each type it may take."""

    kind: Kind
    sql: str
    end: str = ""  # of a time; empty: an instant
    integer: bool = False  # `sql` is an integer column
    literal: int | float | None = None  # a number not bound yet, since the other side says as what
    number: str = ""
    text: str = ""
    truth: str = ""
    null: str = ""  # test for null, where it is not `sql IS NULL`


class Place(Protocol):
    """Where an expression stands: finds columns, binds values, names subselects."""

    def bind(self, value: object, cast: str) -> str: ...

    def name(self) -> str: ...

    def column(self, path: Path) -> Term: ...

    def any_of(self, expression: AnyOf) -> str: ...

    def geo(self, expression: Call) -> Term: ...

    def near(self, operator: Comparison, left: Expression, right: Expression) -> Term | None: ...


def json_term(sql: str) -> Term:
    """An operand out of a jsonb expression."""
    kind = f"jsonb_typeof({sql})"
    size = f"abs(({sql})::numeric)"
    return Term(
        Kind.JSON,
        sql,
        number=(
            f"(CASE WHEN {kind} = 'number' THEN CASE WHEN {size} = 0 THEN 0::float8 "
            f"WHEN {size} BETWEEN {JSON_SMALLEST!r} AND {JSON_LARGEST!r} THEN ({sql})::float8 END END)"
        ),
        text=f"(CASE WHEN {kind} = 'string' THEN ({sql}) #>> '{{}}' END)",
        truth=f"(CASE WHEN {kind} = 'boolean' THEN ({sql})::boolean END)",
        null=f"(coalesce({kind}, 'null') = 'null')",
    )


def _let(place: Place, body: Callable[..., str], *operands: str) -> str:
    """Name operands so that each is written, and evaluated, once; OFFSET 0 keeps the planner from copying them."""
    alias = place.name()
    columns = ", ".join(f"{sql} AS v{index}" for index, sql in enumerate(operands))
    names = [f"{alias}.v{index}" for index in range(len(operands))]
    return f"(SELECT {body(*names)} FROM (SELECT {columns} OFFSET 0) AS {alias})"


def as_number(term: Term, place: Place, *, integer: bool = False) -> str:
    if term.kind == Kind.JSON:
        return term.number
    if term.kind == Kind.NULL:
        return "NULL::float8"
    if term.literal is not None:
        return place.bind(term.literal, "bigint") if integer else place.bind(float(term.literal), "float8")
    return f"({term.sql})::float8" if term.integer and not integer else term.sql


def as_text(term: Term) -> str:
    if term.kind == Kind.JSON:
        return term.text
    return "NULL::text" if term.kind == Kind.NULL else term.sql


def as_truth(term: Term) -> str:
    if term.kind == Kind.JSON:
        return term.truth
    return "NULL::boolean" if term.kind == Kind.NULL else term.sql


def is_null(term: Term) -> str:
    if term.kind == Kind.NULL:
        return "TRUE"
    if term.literal is not None:
        return "FALSE"
    return term.null or f"({term.sql}) IS NULL"


def _literal(value: Value, place: Place) -> Term:
    kind = kind_of(value)
    if value is None:
        return Term(kind, "NULL")
    if isinstance(value, bool):
        return Term(kind, "TRUE" if value else "FALSE")
    if isinstance(value, int | float):
        return Term(kind, "", literal=value)
    if isinstance(value, Interval):
        return Term(kind, place.bind(value.start, "timestamptz"), end=place.bind(value.end, "timestamptz"))
    if isinstance(value, datetime):
        return Term(kind, place.bind(value.astimezone(UTC), "timestamptz"))
    if kind == Kind.GEOMETRY:
        return Term(kind, "NULL::jsonb")
    return Term(kind, place.bind(value, _CASTS[kind]))


def _is_integer(term: Term) -> bool:
    return term.integer or (isinstance(term.literal, int) and -(2**63) <= term.literal < 2**63)


def _infix(operator: Comparison, left: str, right: str, *, text: bool = False) -> str:
    collate = ' COLLATE "C"' if text and operator not in _EQUALITY else ""
    return f"({left}{collate} {_SYMBOLS[operator]} {right})"


def _compare_times(operator: Comparison, left: Term, right: Term) -> str:
    a, b, c, d = left.sql, left.end or left.sql, right.sql, right.end or right.sql
    # The tests of the start alone are implied; they let the planner prune partitions.
    match operator:
        case Comparison.EQ:
            return f"({a} = {c} AND {b} = {d})" if left.end or right.end else f"({a} = {c})"
        case Comparison.NE:
            return f"({a} <> {c} OR {b} <> {d})" if left.end or right.end else f"({a} <> {c})"
        case Comparison.GT:
            return f"({a} > {c} AND {a} >= {d})" if right.end else f"({a} > {c})"
        case Comparison.GE:
            return f"({a} >= {c})"
        case Comparison.LT:
            return f"({a} < {c} AND {b} <= {c})" if left.end else f"({a} < {c})"
        case Comparison.LE:
            return f"({a} <= {d} AND {b} <= {d})" if left.end else f"({a} <= {d})"


def _compare(operator: Comparison, left: Term, right: Term, place: Place) -> str:
    kinds = {left.kind, right.kind}
    if Kind.NULL in kinds:
        return "NULL::boolean"
    if kinds == {Kind.JSON}:
        return (
            f"coalesce({_infix(operator, left.number, right.number)}, "
            f"{_infix(operator, left.text, right.text, text=True)}, {_infix(operator, left.truth, right.truth)})"
        )
    if Kind.TIME in kinds and len(kinds) == 1:
        return _compare_times(operator, left, right)
    if Kind.TEXT in kinds:
        return _infix(operator, as_text(left), as_text(right), text=True)
    if Kind.NUMBER in kinds:
        integer = _is_integer(left) and _is_integer(right) and (left.integer or right.integer)
        return _infix(operator, as_number(left, place, integer=integer), as_number(right, place, integer=integer))
    if Kind.BOOLEAN in kinds:
        return _infix(operator, as_truth(left), as_truth(right))
    return _infix(operator, left.sql, right.sql)


def _compare_trees(operator: Comparison, left: Expression, right: Expression, place: Place) -> str:
    if operator in _EQUALITY and Literal(None) in (left, right):
        tests = [is_null(term(item, place)) for item in (left, right)]
        test = " AND ".join(item for item in tests if item != "TRUE") or "TRUE"
        return f"({test})" if operator is Comparison.EQ else f"(NOT ({test}))"
    if (near := place.near(operator, left, right)) is not None:
        return near.sql
    return _compare(operator, term(left, place), term(right, place), place)


def _membership(item: Expression, candidates: Sequence[Expression], place: Place) -> str:
    given = [candidate.value for candidate in candidates if isinstance(candidate, Literal)]
    if len(given) == len(candidates):
        left = term(item, place)
        if all(isinstance(value, str) for value in given) and left.kind in (Kind.TEXT, Kind.JSON):
            return f"({as_text(left)} = ANY({place.bind(given, 'text[]')}))"
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in given) and (
            left.kind in (Kind.NUMBER, Kind.JSON) and left.literal is None
        ):
            if left.integer and all(isinstance(value, int) and abs(value) < 2**63 for value in given):
                return f"({left.sql} = ANY({place.bind(given, 'bigint[]')}))"
            floats = [float(value) for value in given if isinstance(value, int | float)]
            return f"({as_number(left, place)} = ANY({place.bind(floats, 'float8[]')}))"
    return "(" + " OR ".join(_compare_trees(Comparison.EQ, item, other, place) for other in candidates) + ")"


def _usable(name: str) -> str:
    return f"({name} = 0 OR abs({name}) BETWEEN {SMALLEST!r}::float8 AND {LARGEST!r}::float8)"


def _arithmetic(operator: Operator, left: Term, right: Term, place: Place) -> Term:
    sign = "+" if operator is Operator.ADD else "-"
    if left.kind == Kind.TIME and right.kind == Kind.TIME:
        return Term(Kind.DURATION, f"({left.sql} - {right.sql})")
    if right.kind == Kind.DURATION:
        first, last = (_FIRST, _LAST) if left.kind == Kind.TIME else (f"-{_LONGEST}", _LONGEST)

        def within(value: str) -> str:
            return f"CASE WHEN {value} BETWEEN {first} AND {last} THEN {value} END"

        return Term(left.kind, _let(place, within, f"{left.sql} {sign} {right.sql}"))
    bodies = {
        Operator.ADD: "{0} + {1}",
        Operator.SUB: "{0} - {1}",
        Operator.MUL: "{0} * {1}",
        Operator.DIV: "{0} / nullif({1}, 0)",
        Operator.MOD: "{0} - {1} * trunc({0} / nullif({1}, 0))",
    }

    def body(a: str, b: str) -> str:
        return f"CASE WHEN {_usable(a)} AND {_usable(b)} THEN {bodies[operator].format(a, b)} END"

    return Term(Kind.NUMBER, _let(place, body, as_number(left, place), as_number(right, place)))


def _substring(place: Place, arguments: list[Term]) -> str:
    operands = [as_text(arguments[0]), *(as_number(item, place) for item in arguments[1:])]

    def body(whole: str, begin: str, length: str = "") -> str:
        nulls = " OR ".join(f"{item} IS NULL" for item in (whole, begin, length) if item)
        count = f", least(greatest(floor({length}), 0), char_length({whole}))::int" if length else ""
        return (
            f"CASE WHEN {nulls} THEN NULL WHEN {begin} >= char_length({whole}) THEN '' "
            f"ELSE substr({whole}, greatest(floor({begin}), 0)::int + 1{count}) END"
        )

    return _let(place, body, *operands)


_TEXT_CALLS: dict[str, Callable[..., str]] = {
    "substringof": lambda part, whole: f"(strpos({whole}, {part}) > 0)",
    "contains": lambda whole, part: f"(strpos({whole}, {part}) > 0)",
    "startswith": lambda whole, part: f"starts_with({whole}, {part})",
    "length": lambda value: f"char_length({value})::float8",
    "indexof": lambda whole, part: f"(strpos({whole}, {part}) - 1)::float8",
    "tolower": lambda value: f"lower({value})",
    "toupper": lambda value: f"upper({value})",
    "trim": lambda value: f"btrim({value}, E' \\t\\n\\r\\f\\x0b')",
    "concat": lambda first, second: f"({first} || {second})",
}
_FIELDS = frozenset({"year", "month", "day", "hour", "minute"})
_TIME_CALLS: dict[str, Callable[[str], str]] = {
    "second": lambda value: f"floor(extract(second FROM {value} AT TIME ZONE 'UTC'))::float8",
    "fractionalseconds": lambda value: (
        f"((extract(microseconds FROM {value} AT TIME ZONE 'UTC')::bigint % 1000000)::float8 / 1000000)"
    ),
    "totaloffsetminutes": lambda value: f"(CASE WHEN {value} IS NOT NULL THEN 0::float8 END)",
    "date": lambda value: f"({value} AT TIME ZONE 'UTC')::date",
    "time": lambda value: f"({value} AT TIME ZONE 'UTC')::time",
}
_CONSTANT_CALLS = {"now": "now()", "mindatetime": _FIRST, "maxdatetime": _LAST}


def _related_in_time(name: str, left: Term, right: Term) -> str:
    if Kind.NULL in (left.kind, right.kind):
        return "NULL::boolean"
    if name in ("before", "after"):
        return _compare_times(Comparison.LT if name == "before" else Comparison.GT, left, right)
    a, b, c, d = left.sql, left.end or left.sql, right.sql, right.end or right.sql
    return {
        "meets": f"({b} = {c} OR {a} = {d})",
        "during": f"({a} >= {c} AND {a} <= {d} AND {b} <= {d})",
        "overlaps": (
            f"(({a} < {d} AND {c} < {b}) OR ({a} = {c} AND {b} = {d}) OR ({a} = {b} AND {c} <= {a} AND {a} < {d}) "
            f"OR ({c} = {d} AND {a} <= {c} AND {c} < {b}))"
        ),
        "starts": f"({a} = {c})",
        "finishes": f"({b} = {d})",
    }[name]


def _call(expression: Call, place: Place) -> Term:
    name = expression.function
    if name.startswith("~"):
        return place.geo(expression)
    function = FUNCTIONS[name]
    if name in _CONSTANT_CALLS:
        return Term(function.yields, _CONSTANT_CALLS[name])
    if Kind.GEOMETRY in function.takes:
        return place.geo(expression)
    arguments = [term(item, place) for item in expression.arguments]
    if name in TIME_RELATIONS:
        return Term(function.yields, _related_in_time(name, *arguments))
    if name in _TIME_CALLS or name in _FIELDS:
        start = "NULL::timestamptz" if arguments[0].kind == Kind.NULL else arguments[0].sql
        if name in _FIELDS:
            return Term(function.yields, f"extract({name} FROM {start} AT TIME ZONE 'UTC')::float8")
        return Term(function.yields, _TIME_CALLS[name](start))
    if name == "substring":
        return Term(function.yields, _substring(place, arguments))
    if name == "endswith":
        return Term(
            function.yields,
            _let(place, lambda whole, part: f"right({whole}, char_length({part})) = {part}", *map(as_text, arguments)),
        )
    if name in _TEXT_CALLS:
        return Term(function.yields, _TEXT_CALLS[name](*map(as_text, arguments)))
    value = as_number(arguments[0], place)
    if name == "round":
        return Term(
            function.yields,
            _let(place, lambda v: f"CASE WHEN {v} < 0 THEN -floor(0.5 - {v}) ELSE floor({v} + 0.5) END", value),
        )
    return Term(function.yields, f"{'floor' if name == 'floor' else 'ceil'}({value})")


def term(expression: Expression, place: Place) -> Term:
    """An expression as an operand; conditions become booleans."""
    match expression:
        case Literal(value):
            return _literal(value, place)
        case Path():
            return place.column(expression)
        case Compare(comparison, left, right):
            return Term(Kind.BOOLEAN, _compare_trees(comparison, left, right, place))
        case In(item, candidates):
            return Term(Kind.BOOLEAN, _membership(item, candidates, place))
        case And(items):
            return Term(Kind.BOOLEAN, "(" + " AND ".join(as_truth(term(item, place)) for item in items) + ")")
        case Or(items):
            return Term(Kind.BOOLEAN, "(" + " OR ".join(as_truth(term(item, place)) for item in items) + ")")
        case Not(item):
            return Term(Kind.BOOLEAN, f"(NOT {as_truth(term(item, place))})")
        case Arithmetic(operator, left, right):
            return _arithmetic(operator, term(left, place), term(right, place), place)
        case Negate(item):
            inner = term(item, place)
            sql = inner.sql if inner.kind == Kind.DURATION else as_number(inner, place)
            return Term(inner.kind if inner.kind == Kind.DURATION else Kind.NUMBER, f"(-{sql})")
        case Call():
            return _call(expression, place)
        case AnyOf():
            return Term(Kind.BOOLEAN, place.any_of(expression))
