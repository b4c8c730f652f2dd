"""The one filter tree. OData, CQL2 and NGSI-LD q parse to it; `query.evaluate` and `store.compile` give it its meaning.

Logic is three-valued as in SQL: a comparison with null is null, a row is kept only where the whole is true;
`eq null` and `ne null` test for null (OData 4.01, 5.1.1.1). What is compared with what, and what mixed types in JSON
mean, stands in `query.types`.

A path through a relation to many asks for any of the related: the filter keeps a row where it is true for at least
one choice of related entities, the same path being the same entity throughout the filter; where there is none, or
none the reader may see, the path is null.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from mainzdigital.kernel.time import Interval


class Comparison(StrEnum):
    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GE = "ge"
    LT = "lt"
    LE = "le"


class Operator(StrEnum):
    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    MOD = "mod"


@dataclass(frozen=True, slots=True)
class Geometry:
    """A geometry literal: WKT as given, coordinates EPSG:4326 in x y order."""

    wkt: str


Value = None | bool | int | float | str | datetime | date | time | timedelta | Interval | Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A value. Literals are equal where type and value are: 1, 1.0 and true are three."""

    value: Value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and type(other.value) is type(self.value) and other.value == self.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True, slots=True)
class Path:
    """Steps through navigations to a property, then through its JSON keys: `("Thing", "properties", "owner")`."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    operator: Comparison
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class In:
    item: "Expression"
    values: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class And:
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: "Expression"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: Operator
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Negate:
    item: "Expression"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where the predicate, read from the related entity, is true for one of them; else false, never null."""

    navigation: str
    predicate: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    """A function by its standard name in lower case, e.g. `contains`, `geo.distance`, `st_within`, `year`."""

    function: str
    arguments: tuple["Expression", ...]


Expression = Literal | Path | Compare | In | And | Or | Not | Arithmetic | Negate | AnyOf | Call

TRUE = Literal(True)


def conjunction(*items: Expression | None) -> Expression:
    """All of the items that are given; true when there are none."""
    kept = tuple(item for item in items if item is not None and item != TRUE)
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else And(kept)
