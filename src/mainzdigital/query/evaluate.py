"""The meaning of the filter tree over plain Python data: what `store.compile` must agree with (architecture §7).

An entity is a mapping: properties by their standard names (times as datetime or Interval, JSON as Python values,
`access` as text), a relation to one as a mapping or None, a relation to many as a sequence of mappings.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mainzdigital.kernel.entities import EntityType, ValueType
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
    Or,
    Path,
)
from mainzdigital.kernel.time import Interval
from mainzdigital.query.types import find_navigation, resolve
from mainzdigital.query.values import Json, arithmetic, call, compare, is_null, number, start_of, text, truth

Row = Mapping[str, object]
_INDEX = re.compile(r"-?\d{1,9}", re.ASCII)


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
    return any(truth(_value(expression, choice)) is True for choice in _choices(expression, row, entity, now))


def values(expression: Expression, row: Row, entity: EntityType, *, now: datetime | None = None) -> list[object]:
    """The value of an expression, once for every choice of related entities."""
    now = now or datetime.now(UTC)
    return [_value(expression, choice) for choice in _choices(expression, row, entity, now)]


def without_related(expression: Expression, entity: EntityType, *, now: datetime | None = None) -> bool:
    """Is the filter true where no path leads anywhere?"""
    chosen: dict[tuple[str, ...], Row | None] = dict.fromkeys(_prefixes(expression, entity))
    return truth(_value(expression, _Choice({}, entity, now or datetime.now(UTC), chosen))) is True


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
    value = None if row is None else row.get(target.attribute.name)
    if target.keys or target.attribute.type in (ValueType.JSON, ValueType.RESULT):
        return Json(_dig(value, target.keys), exact=target.attribute.type is ValueType.RESULT and not target.keys)
    return value


def _compare_trees(operator: Comparison, left: Expression, right: Expression, choice: _Choice) -> bool | None:
    if operator in (Comparison.EQ, Comparison.NE) and Literal(None) in (left, right):
        same = all(is_null(_value(item, choice)) for item in (left, right))
        return same == (operator is Comparison.EQ)
    return compare(operator, _value(left, choice), _value(right, choice))


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
            return _and(truth(_value(item, choice)) for item in items)
        case Or(items):
            return _or(truth(_value(item, choice)) for item in items)
        case Not(item):
            found = truth(_value(item, choice))
            return None if found is None else not found
        case Compare(operator, left, right):
            return _compare_trees(operator, left, right, choice)
        case In(item, candidates):
            return _or(_compare_trees(Comparison.EQ, item, other, choice) for other in candidates)
        case Arithmetic(operation, left, right):
            return arithmetic(operation, _value(left, choice), _value(right, choice))
        case Negate(item):
            operand = _value(item, choice)
            if isinstance(operand, timedelta):
                return -operand
            plain = number(operand)
            return None if plain is None else -plain
        case Call(name, arguments):
            return call(name, [_value(item, choice) for item in arguments], choice.now)
        case AnyOf(name, predicate):
            navigation = find_navigation(choice.entity, name, internal=True)
            assert navigation is not None
            related = choice.root[name]
            assert isinstance(related, Sequence)
            target = choice.entity.target(navigation)
            return any(matches(predicate, row, target, now=choice.now) for row in related)


_RANK = (number, text, truth)


def order_key(value: object) -> tuple[tuple[bool, object], ...]:
    """Sort key of one value, null first: JSON by its number, then its text, then its truth; a time by its start."""
    parts: list[object]
    if isinstance(value, Json):
        parts = [cast(value) for cast in _RANK]
    elif isinstance(value, datetime | Interval):
        parts = [start_of(value)]
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
