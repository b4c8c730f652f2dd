"""Values of the filter tree in Python: how they compare, what operators and functions make of them (`query.types`)."""

import math
import operator as op
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mainzdigital.kernel.expression import Comparison, Operator
from mainzdigital.kernel.time import Interval
from mainzdigital.query import geometry
from mainzdigital.query.lexer import MAX_INSTANT, MIN_INSTANT
from mainzdigital.query.types import JSON_LARGEST, JSON_SMALLEST, LARGEST, SMALLEST


@dataclass(frozen=True, slots=True)
class Json:
    """A value found in JSON or in a result: it takes the type the other side asks for."""

    value: object
    exact: bool = False  # a number as the result column holds it


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


def truth(value: object) -> bool | None:
    value = value.value if isinstance(value, Json) else value
    return value if isinstance(value, bool) else None


def _ends(value: object) -> tuple[datetime, datetime] | None:
    if isinstance(value, Interval):
        return value.start, value.end
    return (value, value) if isinstance(value, datetime) else None


def start_of(value: object) -> datetime | None:
    ends = _ends(value)
    return ends[0] if ends else None


def is_null(value: object) -> bool:
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


def compare(operator: Comparison, left: object, right: object) -> bool | None:
    if isinstance(left, Json) and isinstance(right, Json):
        casts: list[Callable[[object], object]] = [number, text, truth]
    elif isinstance(left, Json) or isinstance(right, Json):
        other = right if isinstance(left, Json) else left
        casts = [truth if isinstance(other, bool) else text if isinstance(other, str) else number]
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


def _instant(value: datetime, change: timedelta) -> datetime | None:
    try:
        return value + change
    except OverflowError:
        return None


def arithmetic(operator: Operator, left: object, right: object) -> object:
    if isinstance(right, timedelta):
        change = right if operator is Operator.ADD else -right
        if isinstance(left, timedelta):
            return left + change
        start = start_of(left)
        return None if start is None else _instant(start, change)
    if isinstance(left, datetime | Interval) or isinstance(right, datetime | Interval):
        first, second = start_of(left), start_of(right)
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


def call(name: str, arguments: list[object], now: datetime) -> object:
    if name in _TEXT:
        texts = [text(item) for item in arguments]
        return None if None in texts else _TEXT[name](*texts)
    if name in _TIME:
        start = start_of(arguments[0])
        return None if start is None else _TIME[name](start.astimezone(UTC))
    if name in _NUMBER:
        value = number(arguments[0])
        return None if value is None else _NUMBER[name](value)
    if name == "substring":
        whole, numbers = text(arguments[0]), [number(item) for item in arguments[1:]]
        return None if whole is None or None in numbers else _substring(whole, *(item or 0.0 for item in numbers))
    if name in ("now", "mindatetime", "maxdatetime"):
        return {"now": now, "mindatetime": MIN_INSTANT, "maxdatetime": MAX_INSTANT}[name]
    if name in geometry.FUNCTIONS:
        return geometry.call(name, arguments)
    return related_in_time(name, _ends(arguments[0]), _ends(arguments[1]))


def related_in_time(
    name: str, first: tuple[datetime, datetime] | None, second: tuple[datetime, datetime] | None
) -> bool | None:
    """How two times lie to each other: `before` to `finishes`, by their ends."""
    if first is None or second is None:
        return None
    (a, b), (c, d) = first, second
    return {
        "before": b <= c and a < c,
        "after": a >= d and a > c,
        "meets": b == c or a == d,
        "during": a >= c and b <= d,
        "overlaps": (a < d and c < b) or (a == c and b == d) or (a == b and c <= a < d) or (c == d and a <= c < b),
        "starts": a == c,
        "finishes": b == d,
    }[name]
