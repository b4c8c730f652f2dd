"""Entity types: what a standard's resources are made of, and where their columns and relations lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ValueType(StrEnum):
    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    INSTANT = "instant"
    TIME = "time"  # an instant or an interval
    JSON = "json"
    GEOMETRY = "geometry"  # GeoJSON outside, WKB and box inside
    RESULT = "result"  # number, text, boolean or object


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an entity type.

    `column` is its column; GEOMETRY has `column` (the JSON as given) beside `geometry` (WKB) and `box`,
    TIME has `column` (start) and `end_column`.
    """

    name: str
    type: ValueType
    column: str
    end_column: str = ""
    required: bool = False
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Navigation:
    """A relation to another entity type, by exactly one of three ways.

    `local` column here = target.id; `remote` column there = this id;
    `link` table with the column `near` for this id (or for `local` here) and `far` for the target's, in the order of
    its column `position` where there is one. `partial`: the column `local` may hold ids of another type too.
    `through` names the navigation of the holder of the column whose target speaks for it where the column is null:
    an observation without feature of interest has its datastream's.
    """

    name: str
    target: str
    many: bool
    local: str = ""
    remote: str = ""
    link: str = ""
    near: str = ""
    far: str = ""
    required: bool = False
    through: str = ""
    partial: bool = False
    position: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class EntityType:
    """`types` is the model this type belongs to, by name; `internal` are relations only access rules may follow.

    `shared`: its table holds entities of another type too, the relation leaves them out.

    There is one object for each type: they are compared, and kept in caches, by identity.
    """

    name: str
    set_name: str
    relation: str
    properties: Mapping[str, Property]
    navigations: Mapping[str, Navigation]
    has_access: bool = True
    shared: bool = False
    default_order: tuple[str, ...] = field(default=("id",))
    internal: Mapping[str, Navigation] = field(default_factory=dict)
    types: Mapping[str, "EntityType"] = field(default_factory=dict, repr=False)

    def target(self, navigation: Navigation) -> "EntityType":
        return self.types[navigation.target]
