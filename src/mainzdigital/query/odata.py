"""The query options of OData 4.01 that SensorThings asks for (18-088, 9.3): what stands behind the `?`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import Expression
from mainzdigital.query.expressions import parse_filter, parse_orderings
from mainzdigital.query.lexer import MAX_LENGTH, refuse
from mainzdigital.query.limits import STANDARD, QueryLimits

MAX_QUERY = 60_000  # characters of a whole query, percent-encoded; the operator's limit for URLs lies below
MAX_NUMBER = 10**12  # of $top and $skip

__all__ = ["OPTIONS", "Expand", "OrderBy", "QueryOptions", "decode", "parse_filter", "parse_options"]

OPTIONS = frozenset(
    {"$filter", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$resultFormat", "$skiptoken"}
)
_NESTED = OPTIONS - {"$resultFormat"}


@dataclass(frozen=True, slots=True)
class OrderBy:
    expression: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Expand:
    """One item of `$expand`: navigations to follow; `options` belong to the last of them."""

    path: tuple[str, ...]
    options: "QueryOptions"


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """What a request asks for. `given` are the options as they came, decoded, so that links can repeat them.

    `select` holds paths: a property, `@iot.id`, `@iot.selfLink`, a navigation, or keys inside a JSON property.
    """

    filter: Expression | None = None
    orderby: tuple[OrderBy, ...] = ()
    top: int | None = None
    skip: int | None = None
    count: bool = False
    select: tuple[tuple[str, ...], ...] | None = None
    expand: tuple[Expand, ...] = ()
    result_format: str | None = None
    skip_token: str | None = None
    given: tuple[tuple[str, str], ...] = ()


# A plus sign is a space in a query, but not where a zone or an exponent was written without encoding it.
_PLUS = re.compile(r"(?<=\d)\+(?=\d\d(?::|%3[aA])?\d\d(?!\d))|(?<=\d[eE])\+(?=\d)")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode(text: str, *, where: str) -> str:
    """Undo percent-encoding; raises InvalidInput for what is no UTF-8 or holds a NUL character."""
    if (broken := _BROKEN.search(text)) is not None:
        raise refuse(
            where, broken.start(), "a % is not followed by two hexadecimal digits", "write a percent sign as %25"
        )
    try:
        value = unquote_to_bytes(_PLUS.sub("%2B", text).replace("+", " ")).decode("utf-8")
    except UnicodeError:
        raise InvalidInput("the text is not UTF-8", where=where, remedy="percent-encode the bytes of UTF-8") from None
    if "\x00" in value:
        raise refuse(where, value.index("\x00"), "the character NUL cannot be stored or searched", "leave it out")
    return value


def _number(value: str, option: str) -> int:
    text = value.strip()
    if not (text.isascii() and text.isdecimal()):
        raise InvalidInput(f"'{value[:40]}' is not a whole number from zero", where=option, remedy=f"write {option}=10")
    return min(int(text[:20]), MAX_NUMBER) if len(text) <= 4000 else MAX_NUMBER


def _pieces(text: str, separator: str, option: str) -> Iterator[tuple[int, str]]:
    """Split at separators outside of parentheses and quotes; yields (place, piece)."""
    begin = depth = 0
    quoted = False
    for place, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                raise refuse(option, place, "')' closes nothing")
        elif character == separator and depth == 0:
            yield begin, text[begin:place]
            begin = place + 1
    if quoted or depth:
        raise refuse(option, len(text), "a quote or a parenthesis is not closed")
    yield begin, text[begin:]


def _select(text: str, entity: EntityType, option: str) -> tuple[tuple[str, ...], ...] | None:
    found: list[tuple[str, ...]] = []
    for place, piece in _pieces(text, ",", option):
        steps = tuple(piece.strip().split("/"))
        name = steps[0]
        if name == "*":
            return None
        if name in ("id", "@iot.id", "@iot.selfLink") and len(steps) == 1:
            steps = ("@iot.id",) if name == "id" else steps
        elif name in entity.navigations and len(steps) == 1:
            pass
        elif (item := entity.properties.get(name)) is None or "" in steps:
            known = ", ".join(sorted({"@iot.id", *entity.properties, *entity.navigations} - {"id"}))
            raise refuse(option, place, f"{entity.name} has no property '{piece.strip()[:80]}'", f"use one of {known}")
        elif len(steps) > 1 and item.type not in {ValueType.JSON, ValueType.GEOMETRY, ValueType.RESULT}:
            raise refuse(option, place, f"'{name}' has no parts", f"select '{name}'")
        if len(steps) > 40:
            raise refuse(option, place, "the path has more than 40 steps")
        found.append(steps)
    return tuple(dict.fromkeys(found))


class _Budget:
    """Counts the items of `$expand` over the whole request."""

    def __init__(self, limits: QueryLimits) -> None:
        self.limits = limits
        self.left = limits.expand_items

    def too_deep(self) -> str:
        return f"nested deeper than {self.limits.expand_depth} levels (limit MAINZDIGITAL_EXPAND_DEPTH)"


def _expand(text: str, entity: EntityType, option: str, depth: int, budget: _Budget) -> tuple[Expand, ...]:
    found: list[Expand] = []
    if depth > budget.limits.expand_depth:
        raise InvalidInput(budget.too_deep(), where=option[:200], remedy="split the request")
    for place, piece in _pieces(text, ",", option):
        name, bracket, rest = piece.strip().partition("(")
        rest = rest.rstrip()
        if bracket and not rest.endswith(")"):
            raise refuse(option, place, f"'{piece.strip()[:80]}' does not end with ')'")
        steps = tuple(name.strip().split("/"))
        budget.left -= 1
        if budget.left < 0:
            message = f"more than {budget.limits.expand_items} relations to expand (limit MAINZDIGITAL_EXPAND_ITEMS)"
            raise refuse(option, place, message, "split the request")
        if depth + len(steps) - 1 > budget.limits.expand_depth:
            raise refuse(option, place, budget.too_deep(), "split the request")
        target = entity
        for step in steps:
            navigation = target.navigations.get(step)
            if navigation is None:
                known = ", ".join(sorted(target.navigations))
                raise refuse(option, place, f"{target.name} has no relation '{step[:80]}'", f"use one of {known}")
            target = target.target(navigation)
        pairs: list[tuple[str, str]] = []
        if bracket and rest[:-1].strip():
            for at, item in _pieces(rest[:-1], ";", option):
                key, equals, value = item.partition("=")
                if not item.strip():
                    continue  # Masterportal ends its options with a semicolon
                if not equals:
                    raise refuse(option, place + at, f"'{item.strip()[:80]}' is no option", "write it like $top=5")
                pairs.append((key.strip(), value))
        found.append(Expand(steps, _options(pairs, target, f"{option}({name.strip()})/", depth + len(steps), budget)))
    return tuple(found)


def _options(
    pairs: list[tuple[str, str]], entity: EntityType, prefix: str, depth: int, budget: _Budget
) -> QueryOptions:
    values: dict[str, str] = {}
    allowed = OPTIONS if depth == 0 else _NESTED
    for name, value in pairs:
        option = prefix + name
        if name not in allowed:
            remedy = f"did you mean ${name}?" if f"${name}" in allowed else f"use one of {', '.join(sorted(allowed))}"
            raise InvalidInput(f"there is no option '{name[:80]}' here", where=option[:200] or "query", remedy=remedy)
        if name in values:
            raise InvalidInput("the option is given twice", where=option, remedy="give it once")
        if len(value) > MAX_LENGTH:
            raise InvalidInput(f"longer than {MAX_LENGTH} characters", where=option, remedy="ask for less at once")
        if not value.strip():
            raise InvalidInput("the option is empty", where=option, remedy="leave it out or give it a value")
        values[name] = value

    def number(name: str) -> int | None:
        return _number(values[name], prefix + name) if name in values else None

    count = values.get("$count", "false").strip()
    if count not in ("true", "false"):
        raise InvalidInput(f"'{count[:40]}' is neither true nor false", where=f"{prefix}$count", remedy="$count=true")
    filter_text, order_text, limits = values.get("$filter"), values.get("$orderby"), budget.limits
    return QueryOptions(
        filter=None
        if filter_text is None
        else parse_filter(filter_text, entity, option=f"{prefix}$filter", limits=limits),
        orderby=()
        if order_text is None
        else tuple(
            OrderBy(*item) for item in parse_orderings(order_text, entity, option=f"{prefix}$orderby", limits=limits)
        ),
        top=number("$top"),
        skip=number("$skip"),
        count=count == "true",
        select=_select(values["$select"], entity, f"{prefix}$select") if "$select" in values else None,
        expand=_expand(values["$expand"], entity, f"{prefix}$expand", depth + 1, budget) if "$expand" in values else (),
        result_format=values.get("$resultFormat"),
        skip_token=values.get("$skiptoken"),
        given=tuple((name, value) for name, value in values.items()),
    )


@lru_cache(maxsize=512)
def _parse(raw_query: str, entity: EntityType, limits: QueryLimits) -> QueryOptions:
    pairs: list[tuple[str, str]] = []
    for piece in raw_query.split("&"):
        if not piece:
            continue
        key, _, value = piece.partition("=")
        option = decode(key, where="query").strip()
        pairs.append((option, decode(value, where=option[:200])))
    return _options(pairs, entity, "", 0, _Budget(limits))


def parse_options(raw_query: str, entity: EntityType, limits: QueryLimits = STANDARD) -> QueryOptions:
    """The options of a raw query, such as `$top=5&$filter=name%20eq%20'x'`; raises InvalidInput.

    The error's `where` names the option and the character in it (`$filter, character 17`), counted after decoding.
    """
    if len(raw_query) > MAX_QUERY:
        raise InvalidInput(f"longer than {MAX_QUERY} characters", where="query", remedy="split the request")
    if not raw_query:
        return _NOTHING
    return _parse(raw_query, entity, limits)


_NOTHING = QueryOptions()
