"""Geometries of the filter tree: WKT literals, and what the geospatial functions make of two geometries.

As the coordinates are degrees (EPSG:4326), lengths and distances are degrees too: OGC 18-088, table 24, takes them
from OData, which measures in the reference system of the two geometries. Relations are those of OGC 06-103r4.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException
from shapely.geometry import shape

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import Geometry

_LIKE = "write it like geography'POINT (8.27 49.99)', longitude before latitude"
_SRID = "SRID=4326;"

RELATIONS: dict[str, Callable[..., Any]] = {
    "geo.intersects": shapely.intersects,
    "st_intersects": shapely.intersects,
    "st_equals": shapely.equals,
    "st_disjoint": shapely.disjoint,
    "st_touches": shapely.touches,
    "st_within": shapely.within,
    "st_overlaps": shapely.overlaps,
    "st_crosses": shapely.crosses,
    "st_contains": shapely.contains,
}
# True only where the boxes meet.
NEEDS_MEETING = frozenset(RELATIONS) - {"st_disjoint"}
NUMBERS = frozenset({"geo.distance", "geo.length"})
FUNCTIONS = NUMBERS | {*RELATIONS, "st_relate"}
Geometries = NDArray[np.object_]


@lru_cache(maxsize=256)
def parse_wkt(text: str, where: str = "") -> shapely.Geometry:
    """The geometry of a WKT literal, EPSG:4326 in x y order; raises InvalidInput that says what is wrong."""
    plain = text.strip()
    if plain[:5].upper() == "SRID=":
        if plain[: len(_SRID)].upper() != _SRID:
            raise InvalidInput(
                f"the reference system of '{plain[:40]}' is not known here", where=where,
                remedy="give coordinates in EPSG:4326, longitude before latitude",
            )  # fmt: skip
        plain = plain[len(_SRID) :]
    try:
        found = shapely.from_wkt(plain)
    except (GEOSException, ValueError, TypeError) as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise InvalidInput(f"'{plain[:60]}' is no geometry: {reason[:120]}", where=where, remedy=_LIKE) from None
    if found is None or found.is_empty:
        raise InvalidInput("the geometry is empty", where=where, remedy=_LIKE)
    coordinates = shapely.get_coordinates(found)
    if not np.isfinite(coordinates).all():
        raise InvalidInput("a coordinate is not a finite number", where=where, remedy=_LIKE)
    west, south, east, north = (float(one) for one in shapely.bounds(found))
    for name, least, greatest, most in (("longitude", west, east, 180), ("latitude", south, north, 90)):
        beyond = greatest if greatest > most else least
        if abs(beyond) > most:
            raise InvalidInput(
                f"{name} {beyond:g} is outside -{most} to {most}", where=where,
                remedy="the order is longitude, latitude, in degrees (EPSG:4326)",
            )  # fmt: skip
    if not shapely.is_valid(found):
        raise InvalidInput(
            f"the geometry is not valid: {shapely.is_valid_reason(found)}", where=where,
            remedy="rings must not cross themselves or each other",
        )  # fmt: skip
    return found


def check_pattern(pattern: str, where: str = "") -> None:
    """Raises InvalidInput for what is no DE-9IM pattern."""
    if len(pattern) != 9 or set(pattern.upper()) - set("TF*012"):
        raise InvalidInput(
            f"'{pattern[:20]}' is no pattern", where=where, remedy="write nine of T, F, *, 0, 1, 2, like 'T*F**F***'"
        )


def meets(pattern: str) -> bool:
    """Does the pattern ask for geometries that have a point in common?"""
    return any(pattern[at] in "T012" for at in (0, 1, 3, 4))


def from_geojson(content: object) -> shapely.Geometry | None:
    """The geometry of a GeoJSON geometry or Feature; None for what is none."""
    if isinstance(content, Mapping) and content.get("type") == "Feature":
        content = content.get("geometry")
    if not isinstance(content, Mapping):
        return None
    try:
        found = shape(cast("dict[str, Any]", content))
    except (GEOSException, ValueError, TypeError, KeyError, IndexError, AttributeError):
        return None
    return None if found.is_empty else found


def apply(name: str, *sides: Geometries, pattern: str = "") -> NDArray[Any]:
    """What the function yields for each pair: doubles, NaN for null; truth as 1 and 0.

    One geometry may stand for all on either side: an array of length 1. Pairs that GEOS cannot work out (overlays of
    nested collections, for example) are not related, and have no distance.
    """
    work = _function(name, pattern)
    for side in sides:
        if len(side) == 1:
            shapely.prepare(side)
    try:
        return np.asarray(work(*sides), dtype=float)
    except GEOSException:
        # One of them: look at each.
        failed = float("nan") if name in NUMBERS else 0.0
        return np.array([_one(work, pair, failed) for pair in np.broadcast(*sides)])


def _one(work: Callable[..., Any], pair: tuple[Any, ...], failed: float) -> float:
    try:
        return float(work(*pair))
    except GEOSException:
        return failed


def _function(name: str, pattern: str) -> Callable[..., Any]:
    if name == "geo.distance":
        return shapely.distance
    if name == "geo.length":
        return shapely.length
    if name == "st_relate":
        return lambda one, other: shapely.relate_pattern(one, other, pattern.upper())
    return RELATIONS[name]


def call(name: str, arguments: list[object]) -> bool | float | None:
    """The function for single values: literals, GeoJSON or None."""
    geometries = [_geometry(item) for item in arguments[: 1 if name == "geo.length" else 2]]
    pattern = arguments[2] if name == "st_relate" else ""
    if None in geometries or not isinstance(pattern, str):
        return None
    arrays = [_array(one) for one in geometries]
    value = float(apply(name, *arrays, pattern=pattern)[0])
    if name in NUMBERS:
        return None if math.isnan(value) else value
    return bool(value)


def _array(geometry: object) -> Geometries:
    found: Geometries = np.empty(1, dtype=object)
    found[0] = geometry
    return found


def _geometry(value: object) -> shapely.Geometry | None:
    return parse_wkt(value.wkt) if isinstance(value, Geometry) else from_geojson(value)
