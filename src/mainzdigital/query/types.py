"""What the operands of the filter tree are, and which may be compared: shared by parsers, evaluator and compiler.

- Numbers are IEEE doubles, in arithmetic as in comparison; `div` never rounds. An operand of `mul`, `div`, `mod`,
  `add`, `sub` whose magnitude lies outside 1e-150 to 1e150 (and is not zero) makes the result null, as does dividing
  by zero.
- JSON (`properties/…`, `parameters/…`, `result`) takes the type the other side asks for: compared with a number it is
  its number or null, with a text its text or null. JSON with JSON compares number with number, text with text,
  truth with truth, and is null otherwise. Objects and arrays are null in comparisons, but not `eq null`. Numbers in
  JSON outside 1e-300 to 1e300 are null, zero aside.
- Text compares by code point. `tolower` and `toupper` map single characters to single characters.
- An instant is an interval whose ends are equal. With A = [a, b] and B = [c, d]: `eq` a = c and b = d;
  `gt` a >= d and a > c; `ge` a >= c; `lt` b <= c and a < c; `le` b <= d; so intervals that meet do not overlap.
  Functions and arithmetic take the start. Results outside the years 1 to 9999 are null.
- Of two times `before` is `lt` and `after` is `gt`; `meets` b = c or a = d; `during` a >= c and b <= d; `starts`
  a = c; `finishes` b = d; `overlaps` where they have more than an end in common, or are the same.
- Geometry: `query.geometry`.
- `substring` counts from zero; a negative start counts as zero, a negative length as zero. `round` rounds halves
  away from zero. Times of the day and dates are those of UTC.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from mainzdigital.kernel.entities import EntityType, Navigation, Property, ValueType
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import Geometry, Value
from mainzdigital.kernel.time import Interval

LARGEST = 1e150  # magnitude of operands of arithmetic
SMALLEST = 1e-150
JSON_LARGEST = 1e300
JSON_SMALLEST = 1e-300


class Kind(StrEnum):
    NULL = "null"
    NUMBER = "a number"
    TEXT = "a text"
    BOOLEAN = "true or false"
    TIME = "a time"
    DATE = "a date"
    CLOCK = "a time of day"
    DURATION = "a duration"
    JSON = "JSON"
    GEOMETRY = "a geometry"


_KINDS: dict[ValueType, Kind] = {
    ValueType.INTEGER: Kind.NUMBER,
    ValueType.NUMBER: Kind.NUMBER,
    ValueType.TEXT: Kind.TEXT,
    ValueType.BOOLEAN: Kind.BOOLEAN,
    ValueType.INSTANT: Kind.TIME,
    ValueType.TIME: Kind.TIME,
    ValueType.JSON: Kind.JSON,
    ValueType.GEOMETRY: Kind.GEOMETRY,
    ValueType.RESULT: Kind.JSON,
}
_JSON_TAKES = frozenset({Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN, Kind.JSON})
ACCESS = Property("access", ValueType.TEXT, "access", required=True, writable=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path leads: the navigations it follows, the entity type and property it ends at, keys inside JSON."""

    navigations: tuple[Navigation, ...]
    entity: EntityType
    attribute: Property
    keys: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        return Kind.JSON if self.keys else _KINDS[self.attribute.type]


def find_navigation(entity: EntityType, name: str, *, internal: bool = False) -> Navigation | None:
    found = entity.navigations.get(name)
    return entity.internal.get(name) if found is None and internal else found


def _near(name: str, entity: EntityType) -> str:
    known = sorted({"@iot.id", *entity.properties, *entity.navigations} - {"id"})
    return f"use one of {', '.join(known)}"


def resolve(entity: EntityType, steps: tuple[str, ...], *, internal: bool = False) -> Target:
    """Follow a path; raises InvalidInput that says which step leads nowhere.

    `internal`: access rules may also ask for `access` and follow `EntityType.internal`.
    """
    navigations: list[Navigation] = []
    for index, step in enumerate(steps):
        navigation = find_navigation(entity, step, internal=internal)
        if navigation is not None:
            navigations.append(navigation)
            entity = entity.target(navigation)
            continue
        name = "id" if step == "@iot.id" else step
        found = entity.properties.get(name)
        if found is None and internal and name == "access" and entity.has_access:
            found = ACCESS
        if found is None:
            raise InvalidInput(f"{entity.name} has no property '{step[:80]}'", remedy=_near(step, entity))
        keys = steps[index + 1 :]
        if keys and found.type not in {ValueType.JSON, ValueType.GEOMETRY, ValueType.RESULT}:
            raise InvalidInput(f"'{found.name}' of {entity.name} has no parts", remedy=f"end the path at '{step}'")
        return Target(tuple(navigations), entity, found, keys)
    raise InvalidInput(
        f"the path '{'/'.join(steps)[:80]}' ends at an entity", remedy="name a property, for example @iot.id"
    )


def kind_of(value: Value) -> Kind:
    match value:
        case None:
            return Kind.NULL
        case bool():
            return Kind.BOOLEAN
        case int() | float():
            return Kind.NUMBER
        case str():
            return Kind.TEXT
        case datetime() | Interval():
            return Kind.TIME
        case date():
            return Kind.DATE
        case time():
            return Kind.CLOCK
        case timedelta():
            return Kind.DURATION
        case Geometry():
            return Kind.GEOMETRY


def fits(given: Kind, wanted: Kind) -> bool:
    """May an operand of kind `given` stand where `wanted` is asked for?"""
    return given in (wanted, Kind.NULL) or (given == Kind.JSON and wanted in _JSON_TAKES)


def comparable(left: Kind, right: Kind) -> bool:
    if Kind.NULL in (left, right):
        return True
    if Kind.GEOMETRY in (left, right):
        return False
    return fits(left, right) or fits(right, left)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: what it takes (the last `optional` may be left out) and what it yields."""

    takes: tuple[Kind, ...]
    yields: Kind
    optional: int = 0


# Of FROST, beside those of the standard.
TIME_RELATIONS = ("before", "after", "meets", "during", "overlaps", "starts", "finishes")
_T, _N, _B, _I, _G = Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.TIME, Kind.GEOMETRY
FUNCTIONS: dict[str, Function] = {
    "substringof": Function((_T, _T), _B),
    "contains": Function((_T, _T), _B),
    "startswith": Function((_T, _T), _B),
    "endswith": Function((_T, _T), _B),
    "length": Function((_T,), _N),
    "indexof": Function((_T, _T), _N),
    "substring": Function((_T, _N, _N), _T, optional=1),
    "tolower": Function((_T,), _T),
    "toupper": Function((_T,), _T),
    "trim": Function((_T,), _T),
    "concat": Function((_T, _T), _T),
    "year": Function((_I,), _N),
    "month": Function((_I,), _N),
    "day": Function((_I,), _N),
    "hour": Function((_I,), _N),
    "minute": Function((_I,), _N),
    "second": Function((_I,), _N),
    "fractionalseconds": Function((_I,), _N),
    "totaloffsetminutes": Function((_I,), _N),
    "date": Function((_I,), Kind.DATE),
    "time": Function((_I,), Kind.CLOCK),
    "now": Function((), _I),
    "mindatetime": Function((), _I),
    "maxdatetime": Function((), _I),
    "round": Function((_N,), _N),
    "floor": Function((_N,), _N),
    "ceiling": Function((_N,), _N),
    **dict.fromkeys(TIME_RELATIONS, Function((_I, _I), _B)),
    "geo.distance": Function((_G, _G), _N),
    "geo.length": Function((_G,), _N),
    "geo.intersects": Function((_G, _G), _B),
    "st_equals": Function((_G, _G), _B),
    "st_disjoint": Function((_G, _G), _B),
    "st_touches": Function((_G, _G), _B),
    "st_within": Function((_G, _G), _B),
    "st_overlaps": Function((_G, _G), _B),
    "st_crosses": Function((_G, _G), _B),
    "st_intersects": Function((_G, _G), _B),
    "st_contains": Function((_G, _G), _B),
    "st_relate": Function((_G, _G, _T), _B),
}


def arithmetic_kind(operator: str, left: Kind, right: Kind) -> Kind | None:
    """Kind of `left operator right`; None where it has no meaning."""
    if fits(left, Kind.NUMBER) and fits(right, Kind.NUMBER):
        return Kind.NUMBER
    if operator in ("add", "sub"):
        if left == Kind.TIME and right == Kind.DURATION:
            return Kind.TIME
        if left == right == Kind.DURATION:
            return Kind.DURATION
    if operator == "sub" and left == right == Kind.TIME:
        return Kind.DURATION
    return None
