"""Who may see which entity: one rule, as filter trees that the store and-s into every query (architecture §7).

- Thing, Location, Sensor, ObservedProperty, FeatureOfInterest: their own class is among the reader's.
- Datastream: its own, and its Thing, Sensor and ObservedProperty are visible.
- MultiDatastream: its own, its Thing and Sensor are visible, and none of its ObservedProperties is hidden.
- HistoricalLocation: its Thing is visible and none of its Locations is hidden.
- Observation: its Datastream or MultiDatastream is visible, and its FeatureOfInterest (its own, else the datastream's)
  too if it has one.
"""

from collections.abc import Callable
from functools import lru_cache, partial

from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.expression import (
    TRUE,
    And,
    AnyOf,
    Compare,
    Comparison,
    Expression,
    In,
    Literal,
    Not,
    Or,
    Path,
    conjunction,
)

_ALL = frozenset(AccessClass)
_REQUIRED = ("Thing", "Sensor", "ObservedProperty")


def _among(classes: frozenset[AccessClass], *steps: str) -> Expression:
    return In(Path((*steps, "access")), tuple(Literal(item.value) for item in AccessClass if item in classes))


def _absent(*steps: str) -> Expression:
    return Compare(Comparison.EQ, Path((*steps, "id")), Literal(None))


def _datastream(classes: frozenset[AccessClass], *steps: str) -> Expression:
    return conjunction(_among(classes, *steps), *(_among(classes, *steps, name) for name in _REQUIRED))


@lru_cache(maxsize=256)
def _visible(entity_name: str, classes: frozenset[AccessClass]) -> Expression:
    if classes == _ALL:
        return TRUE
    if not classes:
        return Literal(False)
    match entity_name:
        case "Datastream":
            return _datastream(classes)
        case "MultiDatastream":
            hidden = AnyOf("ObservedProperties", Not(_among(classes)))
            return conjunction(_among(classes), _among(classes, "Thing"), _among(classes, "Sensor"), Not(hidden))
        case "HistoricalLocation":
            hidden = AnyOf("Locations", Not(_among(classes)))
            return And((_among(classes, "Thing"), Not(hidden)))
        case "Observation":
            # Said of the column and of the datastream apart, so that for one datastream the latter is asked once.
            default = Or((_absent("stream", "defaultFeature"), _among(classes, "stream", "defaultFeature")))
            feature = Or((And((_absent("ownFeature"), default)), _among(classes, "ownFeature")))
            hidden = AnyOf("streamProperties", Not(_among(classes)))
            return conjunction(_datastream(classes, "stream"), Not(hidden), feature)
        case _:
            return _among(classes)


def visible(entity_name: str, reader: Reader) -> Expression:
    """The condition under which `reader` sees an entity of this type; TRUE where it sees all classes."""
    return _visible(entity_name, reader.classes)


@lru_cache(maxsize=64)
def _guard(classes: frozenset[AccessClass]) -> Callable[[str], Expression] | None:
    return None if classes == _ALL else partial(_visible, classes=classes)


def guard(reader: Reader) -> Callable[[str], Expression] | None:
    """`visible` for all entity types, the same object for readers who see the same; None where all is seen."""
    return _guard(reader.classes)
