"""Geospatial functions as SQL (architecture §2.6): resolved first (`spatial`), they enter the statement as ids.

Of a function of one stored geometry the ids are those of the entities for which it is true, or their values; of two
stored geometries it is the pairs of ids. Null is where a geometry is not there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    Or,
    Path,
)
from mainzdigital.query import geometry
from mainzdigital.query.types import Kind, resolve
from mainzdigital.store.compile_terms import Term

if TYPE_CHECKING:
    from mainzdigital.store.compile import Scope

NEAR = "~near"  # geo.distance compared with a number: the index of boxes finds what is near enough
_NUMBERS = frozenset({"geo.distance", "geo.length"})
_SWAPPED = {Comparison.GT: Comparison.LT, Comparison.GE: Comparison.LE}
_WITHIN = frozenset({Comparison.LT, Comparison.LE})


@dataclass(frozen=True, slots=True)
class Place:
    """Where geometries of one kind stand: an entity type and its property."""

    entity: str
    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """A function with its operands, whatever path led to them: WKT, or a place. `bound` belongs to NEAR."""

    function: str
    operands: tuple[str | Place, ...]
    pattern: str = ""
    bound: float = 0.0
    closed: bool = False  # NEAR: up to and with `bound`

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(item for item in self.operands if isinstance(item, Place))

    @property
    def is_number(self) -> bool:
        return self.function in _NUMBERS

    def slot(self, part: str) -> str:
        """The name under which its ids, its other ids, its values go into a statement."""
        return f"{part} of {self!r}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A key, and the paths to its places from the entity type whose filter it stands in."""

    key: Key
    entity: EntityType
    paths: tuple[Path, ...]


def as_near(comparison: Comparison, left: Expression, right: Expression) -> Call | None:
    """`geo.distance(path, literal) lt 1` as one function; None for everything else."""
    if comparison in _SWAPPED:
        comparison, left, right = _SWAPPED[comparison], right, left
    if comparison not in _WITHIN or not isinstance(left, Call) or left.function != "geo.distance":
        return None
    value = right.value if isinstance(right, Literal) else None
    kinds = {type(item) for item in left.arguments}
    if isinstance(value, bool) or not isinstance(value, int | float) or kinds != {Path, Literal}:
        return None
    if any(isinstance(item, Literal) and not isinstance(item.value, Geometry) for item in left.arguments):
        return None
    return Call(NEAR, (*left.arguments, Literal(float(value)), Literal(comparison is Comparison.LE)))


def key_of(call: Call, entity: EntityType) -> Key | None:
    """The key of a call; None where an operand is null."""
    count = 1 if call.function == "geo.length" else 2
    operands: list[str | Place] = []
    for item in call.arguments[:count]:
        if isinstance(item, Path):
            target = resolve(entity, item.steps)
            operands.append(Place(target.entity.name, target.attribute.name))
        elif isinstance(item, Literal) and isinstance(item.value, Geometry):
            operands.append(item.value.wkt)
        else:
            return None
    rest = [item.value for item in call.arguments[count:] if isinstance(item, Literal)]
    if call.function == NEAR:
        bound, closed = rest
        assert isinstance(bound, float)
        return Key(NEAR, tuple(operands), bound=bound, closed=bool(closed))
    return Key(call.function, tuple(operands), pattern=str(rest[0]) if rest else "")


def asked_in(expression: Expression, entity: EntityType) -> Iterator[Asked]:
    """The geospatial functions of an expression that have to be resolved before it becomes SQL."""
    match expression:
        case Compare(comparison, left, right):
            if (near := as_near(comparison, left, right)) is not None:
                yield from asked_in(near, entity)
                return
            yield from asked_in(left, entity)
            yield from asked_in(right, entity)
        case Call(name, items):
            if name in geometry.FUNCTIONS or name == NEAR:
                key = key_of(expression, entity)
                if key is not None and key.places:
                    yield Asked(key, entity, tuple(item for item in items if isinstance(item, Path)))
                return
            for item in items:
                yield from asked_in(item, entity)
        case And(items) | Or(items):
            for item in items:
                yield from asked_in(item, entity)
        case Not(item) | Negate(item):
            yield from asked_in(item, entity)
        case In(item, candidates):
            for part in (item, *candidates):
                yield from asked_in(part, entity)
        case Arithmetic(_, left, right):
            yield from asked_in(left, entity)
            yield from asked_in(right, entity)


def column(holder: "Scope", name: str) -> str:
    """What is null where there is no geometry."""
    return holder.area() if name == "observedArea" else f"{holder.alias}.geometry"


def geo_term(call: Call, scope: "Scope") -> Term:
    """The function as an operand."""
    from mainzdigital.store.compile import Slot

    key = key_of(call, scope.entity)
    kind = Kind.NUMBER if call.function in _NUMBERS else Kind.BOOLEAN
    if key is None:
        return Term(kind, f"NULL::{'float8' if kind is Kind.NUMBER else 'boolean'}")
    if not key.places:
        values: list[object] = [Geometry(item) for item in key.operands if isinstance(item, str)]
        found = geometry.call(key.function, [*values, key.pattern] if key.pattern else values)
        if kind is Kind.NUMBER:
            return Term(kind, "NULL::float8" if found is None else scope.bind(found, "float8"))
        return Term(kind, "NULL::boolean" if found is None else "TRUE" if found else "FALSE")
    holders: list[Scope] = []
    for item in call.arguments:
        if isinstance(item, Path):
            depth = len(resolve(scope.entity, item.steps).navigations)
            holders.append(scope.follow(item.steps[:depth]))
    ids = scope.bind(Slot(key.slot("ids")), "int[]")
    if len(holders) == 1 and kind is Kind.BOOLEAN:
        (place,) = key.places
        return Term(
            kind,
            f"(CASE WHEN {column(holders[0], place.name)} IS NOT NULL "
            f"THEN {holders[0].alias}.id IN (SELECT unnest({ids})) END)",
        )
    alias = scope.name()
    columns, condition = [f"unnest({ids}) AS id"], f"{alias}.id = {holders[0].alias}.id"
    if len(holders) == 2:
        columns.append(f"unnest({scope.bind(Slot(key.slot('others')), 'int[]')}) AS other")
        condition += f" AND {alias}.other = {holders[1].alias}.id"
    columns.append(f"unnest({scope.bind(Slot(key.slot('values')), 'float8[]')}) AS value")
    scope.joins.append(f"LEFT JOIN (SELECT {', '.join(columns)}) AS {alias} ON {condition}")
    return Term(kind, f"{alias}.value" if kind is Kind.NUMBER else f"({alias}.value = 1)")


def chosen_by_geometry(expression: Expression, scope: "Scope") -> str | None:
    """The ids alone, which an index finds, where only truth counts; None for what is no relation of one place."""
    from mainzdigital.store.compile import Slot

    call = as_near(expression.operator, expression.left, expression.right) if isinstance(expression, Compare) else None
    call = expression if isinstance(expression, Call) else call
    if call is None or not (call.function in geometry.FUNCTIONS - _NUMBERS or call.function == NEAR):
        return None
    key = key_of(call, scope.entity)
    if key is None or len(key.places) != 1:
        return None
    (path,) = (item for item in call.arguments if isinstance(item, Path))
    holder = scope.follow(path.steps[: len(resolve(scope.entity, path.steps).navigations)])
    return f"({holder.alias}.id = ANY({scope.bind(Slot(key.slot('ids')), 'int[]')}))"
