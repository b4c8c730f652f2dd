"""GeoJSON (RFC 7946) to what the tables keep: the JSON as it came, WKB for exact predicates, `box` for the index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

import shapely
from shapely.errors import GEOSException
from shapely.geometry import shape as shapely_shape

from mainzdigital.kernel.errors import InvalidInput

GEOJSON_TYPES = frozenset({"application/geo+json", "application/vnd.geo+json"})
POSITION_LIMIT = 200_000  # positions in one geometry

_DEPTH = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
_LIKE = 'write it like {"type": "Point", "coordinates": [8.27, 49.99]} (longitude, latitude in degrees, EPSG:4326)'


@dataclass(frozen=True, slots=True)
class Shape:
    """`content` as given; `wkb` and `box` (text of PostgreSQL's type) are None where it is no GeoJSON."""

    content: object
    wkb: bytes | None = None
    box: str | None = None


def shape_of(content: object, *, encoding: str, where: str) -> Shape:
    """The shape of a location or feature: checked if `encoding` says GeoJSON, else kept as it is."""
    if encoding not in GEOJSON_TYPES:
        return Shape(content)
    return geojson_shape(content, where=where)


def geojson_shape(content: object, *, where: str) -> Shape:
    """Check a GeoJSON geometry or Feature; raises InvalidInput that names the place of the mistake."""
    if not isinstance(content, Mapping):
        raise InvalidInput("this is no GeoJSON object", where=where, remedy=_LIKE)
    geometry: object = content
    inside = where
    if content.get("type") == "Feature":
        geometry, inside = content.get("geometry"), f"{where}.geometry"
        if geometry is None:
            raise InvalidInput("the GeoJSON Feature has no geometry", where=inside, remedy=_LIKE)
    count = _check(geometry, inside, depth=0)
    if count > POSITION_LIMIT:
        raise InvalidInput(f"the geometry has more than {POSITION_LIMIT} positions", where=inside, remedy="simplify it")
    try:
        parsed = shapely_shape(cast("dict[str, Any]", geometry))
        if not shapely.is_valid(parsed):
            raise InvalidInput(
                f"the geometry is not valid: {shapely.is_valid_reason(parsed)}", where=inside,
                remedy="rings must not cross themselves or each other",
            )  # fmt: skip
    except (GEOSException, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InvalidInput(f"the geometry cannot be read: {error}", where=inside, remedy=_LIKE) from None
    west, south, east, north = parsed.bounds
    return Shape(content, shapely.to_wkb(parsed, output_dimension=3), f"(({east!r},{north!r}),({west!r},{south!r}))")


def _check(geometry: object, where: str, *, depth: int) -> int:
    """Number of positions in a geometry whose structure is right."""
    if not isinstance(geometry, Mapping):
        raise InvalidInput("this is no GeoJSON geometry", where=where, remedy=_LIKE)
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
        if not _is_list(parts) or not parts:
            raise InvalidInput("a GeometryCollection needs a list of geometries", where=f"{where}.geometries")
        if depth >= 4:
            raise InvalidInput("GeometryCollections are nested too deeply", where=where)
        return sum(_check(part, f"{where}.geometries[{i}]", depth=depth + 1) for i, part in enumerate(parts))
    if not isinstance(kind, str) or kind not in _DEPTH:
        raise InvalidInput(
            f"'{str(kind)[:40]}' is no type of GeoJSON geometry", where=f"{where}.type",
            remedy=f"use one of {', '.join(_DEPTH)}, GeometryCollection, or a Feature with one of them",
        )  # fmt: skip
    coordinates = geometry.get("coordinates")
    return _check_coordinates(coordinates, kind, _DEPTH[kind], f"{where}.coordinates")


def _check_coordinates(value: object, kind: str, depth: int, where: str) -> int:
    if not _is_list(value):
        raise InvalidInput("coordinates must be a list", where=where, remedy=_LIKE)
    if depth == 0:
        _check_position(value, where)
        return 1
    if not value:
        raise InvalidInput("there are no coordinates", where=where, remedy=_LIKE)
    count = sum(_check_coordinates(part, kind, depth - 1, f"{where}[{i}]") for i, part in enumerate(value))
    if depth == 1 and "LineString" in kind and count < 2:
        raise InvalidInput("a line needs two positions or more", where=where)
    if depth == 1 and "Polygon" in kind:
        if count < 4:
            raise InvalidInput("a ring needs four positions or more", where=where)
        if value[0] != value[-1]:
            raise InvalidInput("the ring is not closed", where=where, remedy="repeat its first position as the last")
    return count


def _check_position(value: Sequence[object], where: str) -> None:
    if len(value) not in {2, 3}:
        raise InvalidInput("a position is longitude, latitude and perhaps height", where=where, remedy=_LIKE)
    numbers: list[float] = []
    for i, number in enumerate(value):
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < 1e300:
            raise InvalidInput("a coordinate must be a finite number", where=f"{where}[{i}]", remedy=_LIKE)
        numbers.append(number)
    if not -180 <= numbers[0] <= 180:
        raise InvalidInput(
            f"longitude {numbers[0]:g} is outside -180 to 180", where=f"{where}[0]",
            remedy="the order is longitude, latitude, in degrees (EPSG:4326)",
        )  # fmt: skip
    if not -90 <= numbers[1] <= 90:
        raise InvalidInput(
            f"latitude {numbers[1]:g} is outside -90 to 90", where=f"{where}[1]",
            remedy="the order is longitude, latitude, in degrees (EPSG:4326)",
        )  # fmt: skip


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)
