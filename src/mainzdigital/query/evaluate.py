"""The meaning of the filter tree over plain Python data: what `store.compile` must agree with (architecture §7).

An entity is a mapping: properties by their standard names (times as datetime or Interval, JSON as Python values,
`access` as text), a relation to one as a mapping or None, a relation to many as a sequence of mappings.
"""

import itertools
import math
import operator as op
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.kernel.errors import InvalidInput
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
)
from mainzdigital.kernel.time import Interval
from mainzdigital.query.lexer import MAX_INSTANT, MIN_INSTANT
from mainzdigital.query.types import (
    JSON_LARGEST,
    JSON_SMALLEST,
    LARGEST,
    SMALLEST,
    find_navigation,
    resolve,
)

Row = Mapping[str, object]
_INDEX = re.compile(r"-?\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Json:
    """A value found in JSON or in a result: it takes the type the other side asks for."""

    value: object
    exact: bool = False  # a number as the result column holds it


@dataclass(frozen=True, slots=True)
class _Choice:
    """One choice of related entities, by the path to them."""

    root: Row
    entity: EntityType
    now: datetime
    chosen: dict[tuple[str, ...], Row | None] = field(default_factory=dict)


def paths(expression: Expression) -> Iterator[Path]:
    """The paths of an expression, those inside AnyOf left out: they begin elsewhere."""
    match expression:
        case Path():
            yield expression
        case Literal() | AnyOf():
            return
        case And(items) | Or(items) | Call(_, items):
            for item in items:
                yield from paths(item)
        case Not(item) | Negate(item):
            yield from paths(item)
        case In(item, values):
            yield from paths(item)
            for value in values:
                yield from paths(value)
        case Compare(_, left, right) | Arithmetic(_, left, right):
            yield from paths(left)
            yield from paths(right)


def _prefixes(expression: Expression, entity: EntityType) -> list[tuple[str, ...]]:
    """Paths to the related entities that an expression speaks of, the shorter before the longer."""
    found: dict[tuple[str, ...], None] = {}
    for path in paths(expression):
        depth = len(resolve(entity, path.steps, internal=True).navigations)
        for length in range(1, depth + 1):
            found[path.steps[:length]] = None
    return sorted(found, key=len)


def _choices(expression: Expression, row: Row, entity: EntityType, now: datetime) -> Iterator[_Choice]:
    prefixes = _prefixes(expression, entity)

    def extend(chosen: dict[tuple[str, ...], Row | None], rest: list[tuple[str, ...]]) -> Iterator[_Choice]:
        if not rest:
            yield _Choice(row, entity, now, chosen)
            return
        prefix = rest[0]
        holder = row if len(prefix) == 1 else chosen[prefix[:-1]]
        related = None if holder is None else holder[prefix[-1]]
        candidates: Sequence[Row | None]
        if isinstance(related, Mapping) or related is None:
            candidates = [related]
        else:
            assert isinstance(related, Sequence)
            candidates = related or [None]
        for candidate in candidates:
            yield from extend({**chosen, prefix: candidate}, rest[1:])

    yield from extend({}, prefixes)


def matches(expression: Expression, row: Row, entity: EntityType, *, now: datetime | None = None) -> bool:
    """Is the filter true for this entity?"""
    now = now or datetime.now(UTC)
    return any(_truth(_value(expression, choice)) is True for choice in _choices(expression, row, entity, now))


def values(expression: Expression, row: Row, entity: EntityType, *, now: datetime | None = None) -> list[object]:
    """The value of an expression, once for every choice of related entities."""
    now = now or datetime.now(UTC)
    return [_value(expression, choice) for choice in _choices(expression, row, entity, now)]


def without_related(expression: Expression, entity: EntityType, *, now: datetime | None = None) -> bool:
    """Is the filter true where no path leads anywhere?"""
    chosen: dict[tuple[str, ...], Row | None] = dict.fromkeys(_prefixes(expression, entity))
    return _truth(_value(expression, _Choice({}, entity, now or datetime.now(UTC), chosen))) is True


def number(value: object) -> float | None:
    """A double, or null for what is no number (or beyond the range, inside JSON)."""
    if isinstance(value, Json):
        inner = value.value
        if isinstance(inner, bool) or not isinstance(inner, int | float):
            return None
        if not value.exact and inner and not JSON_SMALLEST <= abs(inner) <= JSON_LARGEST:
            return None
        return float(inner)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def text(value: object) -> str | None:
    value = value.value if isinstance(value, Json) else value
    return value if isinstance(value, str) else None


def _truth(value: object) -> bool | None:
    value = value.value if isinstance(value, Json) else value
    return value if isinstance(value, bool) else None


def _ends(value: object) -> tuple[datetime, datetime] | None:
    if isinstance(value, Interval):
        return value.start, value.end
    return (value, value) if isinstance(value, datetime) else None


def _start(value: object) -> datetime | None:
    ends = _ends(value)
    return ends[0] if ends else None


def _dig(value: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, list) and _INDEX.fullmatch(key) and -len(value) <= int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _path(path: Path, choice: _Choice) -> object:
    target = resolve(choice.entity, path.steps, internal=True)
    depth = len(target.navigations)
    row = choice.chosen[path.steps[:depth]] if depth else choice.root
    if row is None:
        return None
    value = row.get(target.attribute.name)
    if target.keys or target.attribute.type in (ValueType.JSON, ValueType.RESULT):
        return Json(_dig(value, target.keys), exact=target.attribute.type is ValueType.RESULT and not target.keys)
    return value


def _is_null(value: object) -> bool:
    return (value.value if isinstance(value, Json) else value) is None


_ORDERED: dict[Comparison, Callable[[Any, Any], object]] = {
    Comparison.EQ: op.eq,
    Comparison.NE: op.ne,
    Comparison.GT: op.gt,
    Comparison.GE: op.ge,
    Comparison.LT: op.lt,
    Comparison.LE: op.le,
}


def _ordered(operator: Comparison, left: object, right: object) -> bool:
    return bool(_ORDERED[operator](left, right))


def _compare_times(operator: Comparison, left: object, right: object) -> bool | None:
    first, second = _ends(left), _ends(right)
    if first is None or second is None:
        return None
    (a, b), (c, d) = first, second
    return {
        Comparison.EQ: a == c and b == d,
        Comparison.NE: a != c or b != d,
        Comparison.GT: a >= d and a > c,
        Comparison.GE: a >= c,
        Comparison.LT: b <= c and a < c,
        Comparison.LE: b <= d,
    }[operator]


def _compare(operator: Comparison, left: object, right: object) -> bool | None:
    if isinstance(left, Json) and isinstance(right, Json):
        casts: list[Callable[[object], object]] = [number, text, _truth]
    elif isinstance(left, Json) or isinstance(right, Json):
        other = right if isinstance(left, Json) else left
        casts = [_truth if isinstance(other, bool) else text if isinstance(other, str) else number]
    elif isinstance(left, datetime | Interval) or isinstance(right, datetime | Interval):
        return _compare_times(operator, left, right)
    elif isinstance(left, int | float) and isinstance(right, int | float) and not isinstance(left, bool):
        casts = [number]
    else:
        casts = [lambda value: value]
    for cast in casts:
        first, second = cast(left), cast(right)
        if first is not None and second is not None:
            return _ordered(operator, first, second)
    return None


def _compare_trees(operator: Comparison, left: Expression, right: Expression, choice: _Choice) -> bool | None:
    if operator in (Comparison.EQ, Comparison.NE) and Literal(None) in (left, right):
        same = all(_is_null(_value(item, choice)) for item in (left, right))
        return same == (operator is Comparison.EQ)
    return _compare(operator, _value(left, choice), _value(right, choice))


def _instant(value: datetime, change: timedelta) -> datetime | None:
    try:
        return value + change
    except OverflowError:
        return None


def _arithmetic(operator: Operator, left: object, right: object) -> object:
    if isinstance(right, timedelta):
        change = right if operator is Operator.ADD else -right
        if isinstance(left, timedelta):
            return left + change
        start = _start(left)
        return None if start is None else _instant(start, change)
    if isinstance(left, datetime | Interval) or isinstance(right, datetime | Interval):
        first, second = _start(left), _start(right)
        return None if first is None or second is None else first - second
    a, b = number(left), number(right)
    if a is None or b is None or any(x and not SMALLEST <= abs(x) <= LARGEST for x in (a, b)):
        return None
    match operator:
        case Operator.ADD:
            return a + b
        case Operator.SUB:
            return a - b
        case Operator.MUL:
            return a * b
        case Operator.DIV:
            return a / b if b else None
        case Operator.MOD:
            return a - b * float(math.trunc(a / b)) if b else None


def _single(change: Callable[[str], str]) -> Callable[[str], str]:
    """Case mapping of single characters to single characters, as the database's."""
    return lambda value: "".join(new if len(new := change(item)) == 1 else item for item in value)


_LOWER, _UPPER = _single(str.lower), _single(str.upper)


def _substring(value: str, begin: float, length: float = math.inf) -> str:
    first = max(0, math.floor(max(begin, -1)))
    count = max(0, math.floor(length)) if length < len(value) else len(value)
    return value[first : first + count] if first < len(value) else ""


def _round(value: float) -> float:
    return math.copysign(float(math.floor(abs(value) + 0.5)), value)


_TEXT: dict[str, Callable[..., object]] = {
    "substringof": lambda part, whole: part in whole,
    "contains": lambda whole, part: part in whole,
    "startswith": lambda whole, part: whole.startswith(part),
    "endswith": lambda whole, part: whole.endswith(part),
    "length": lambda value: float(len(value)),
    "indexof": lambda whole, part: float(whole.find(part)),
    "tolower": _LOWER,
    "toupper": _UPPER,
    "trim": lambda value: value.strip(" \t\n\r\f\v"),
    "concat": lambda first, second: first + second,
}
_TIME: dict[str, Callable[[datetime], object]] = {
    "year": lambda value: float(value.year),
    "month": lambda value: float(value.month),
    "day": lambda value: float(value.day),
    "hour": lambda value: float(value.hour),
    "minute": lambda value: float(value.minute),
    "second": lambda value: float(value.second),
    "fractionalseconds": lambda value: value.microsecond / 1_000_000,
    "totaloffsetminutes": lambda value: 0.0,
    "date": lambda value: value.date(),
    "time": lambda value: value.time(),
}
_NUMBER: dict[str, Callable[[float], float]] = {
    "round": _round,
    "floor": lambda value: float(math.floor(value)),
    "ceiling": lambda value: float(math.ceil(value)),
}


def _call(name: str, arguments: list[object], now: datetime) -> object:
    if name in _TEXT:
        texts = [text(item) for item in arguments]
        return None if None in texts else _TEXT[name](*texts)
    if name in _TIME:
        start = _start(arguments[0])
        return None if start is None else _TIME[name](start.astimezone(UTC))
    if name in _NUMBER:
        value = number(arguments[0])
        return None if value is None else _NUMBER[name](value)
    if name == "substring":
        whole, numbers = text(arguments[0]), [number(item) for item in arguments[1:]]
        return None if whole is None or None in numbers else _substring(whole, *(item or 0.0 for item in numbers))
    if name in ("now", "mindatetime", "maxdatetime"):
        return {"now": now, "mindatetime": MIN_INSTANT, "maxdatetime": MAX_INSTANT}[name]
    raise InvalidInput(f"the function '{name}' is not offered", where=name)


def _and(items: Iterator[bool | None]) -> bool | None:
    found = list(items)
    return False if False in found else None if None in found else True


def _or(items: Iterator[bool | None]) -> bool | None:
    found = list(items)
    return True if True in found else None if None in found else False


def _value(expression: Expression, choice: _Choice) -> object:
    match expression:
        case Literal(value):
            return value
        case Path():
            return _path(expression, choice)
        case And(items):
            return _and(_truth(_value(item, choice)) for item in items)
        case Or(items):
            return _or(_truth(_value(item, choice)) for item in items)
        case Not(item):
            truth = _truth(_value(item, choice))
            return None if truth is None else not truth
        case Compare(operator, left, right):
            return _compare_trees(operator, left, right, choice)
        case In(item, candidates):
            return _or(_compare_trees(Comparison.EQ, item, other, choice) for other in candidates)
        case Arithmetic(operation, left, right):
            return _arithmetic(operation, _value(left, choice), _value(right, choice))
        case Negate(item):
            operand = _value(item, choice)
            if isinstance(operand, timedelta):
                return -operand
            plain = number(operand)
            return None if plain is None else -plain
        case Call(name, arguments):
            return _call(name, [_value(item, choice) for item in arguments], choice.now)
        case AnyOf(name, predicate):
            navigation = find_navigation(choice.entity, name, internal=True)
            assert navigation is not None
            related = choice.root[name]
            assert isinstance(related, Sequence)
            target = choice.entity.target(navigation)
            return any(matches(predicate, row, target, now=choice.now) for row in related)


_RANK = (number, text, _truth)


def order_key(value: object) -> tuple[tuple[bool, object], ...]:
    """Sort key of one value, null first: JSON by its number, then its text, then its truth; a time by its start."""
    parts: list[object]
    if isinstance(value, Json):
        parts = [cast(value) for cast in _RANK]
    elif isinstance(value, datetime | Interval):
        parts = [_start(value)]
    else:
        parts = [value]
    return tuple((part is not None, part if part is not None else 0) for part in parts)


def sort(
    rows: Sequence[Row],
    orderings: Sequence[tuple[Expression, bool]],
    entity: EntityType,
    *,
    now: datetime | None = None,
) -> list[Row]:
    """Order by several keys (expression, descending), stable; over relations to many by the least or greatest."""
    result = list(rows)
    for expression, descending in reversed(orderings):

        def key(row: Row, expression: Expression = expression, descending: bool = descending) -> object:
            found = [order_key(value) for value in values(expression, row, entity, now=now)]
            if len(found) == 1:
                return found[0]
            columns = list(itertools.zip_longest(*found, fillvalue=(False, 0)))
            pick = max if descending else min
            return tuple(pick([part for part in column if part[0]], default=(False, 0)) for column in columns)

        result.sort(key=key, reverse=descending)  # type: ignore[arg-type]
    return result
