"""The city as a drawing: boundary, districts and things in pixels. Web Mercator would tell a city nothing more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import MultiPoint, mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from mainzdigital.web import shell

WIDTH = 800


@dataclass(frozen=True, slots=True)
class Sheet:
    """A drawing of `WIDTH` × `height`; `place` turns degrees into its units."""

    west: float
    north: float
    scale: float
    squeeze: float
    height: int

    def place(self, lon: float, lat: float) -> tuple[float, float]:
        return round((lon - self.west) * self.squeeze * self.scale, 1), round((self.north - lat) * self.scale, 1)


@dataclass(frozen=True, slots=True)
class Outline:
    """The city's boundary as GeoJSON geometry; `schematic` when it was drawn around the districts only."""

    geometry: BaseGeometry
    schematic: bool

    @property
    def geojson(self) -> dict[str, Any]:
        return dict(mapping(self.geometry))


def sheet(bounds: tuple[float, float, float, float]) -> Sheet:
    """A sheet for west, south, east, north in degrees."""
    west, south, east, north = bounds
    squeeze = cos(radians((south + north) / 2))
    scale = WIDTH / ((east - west) * squeeze)
    return Sheet(west, north, scale, squeeze, round((north - south) * scale))


def outline(frame: shell.Shell) -> Outline | None:
    """The boundary that the operator gave, else a hull around the districts, which says that it is one."""
    if frame.boundary is not None:
        found = _geometry(frame.boundary)
        if found is not None:
            return Outline(found, schematic=_says_schematic(frame.boundary))
    if len(frame.districts) < 3:
        return None
    hull = MultiPoint([place.point for place in frame.districts]).convex_hull
    return Outline(hull.buffer(0.014).simplify(0.0008), schematic=True)


def _says_schematic(given: Mapping[str, Any]) -> bool:
    """Whether the file itself says `schematic: true` in a feature's properties."""
    features = given.get("features", [given])
    found = [item.get("properties") for item in features if isinstance(item, Mapping)]
    return any(isinstance(item, Mapping) and item.get("schematic") is True for item in found)


def _geometry(given: Mapping[str, Any]) -> BaseGeometry | None:
    try:
        match given.get("type"):
            case "FeatureCollection":
                return unary_union([shape(item["geometry"]) for item in given["features"] if item.get("geometry")])
            case "Feature":
                return shape(given["geometry"])
            case _:
                return shape(dict(given))
    except (ShapelyError, KeyError, TypeError, ValueError, AttributeError):
        return None


def outline_path(found: Outline | None, on: Sheet) -> str:
    """Path data of the boundary."""
    if found is None:
        return ""
    parts = getattr(found.geometry, "geoms", [found.geometry])
    rings = [ring for part in parts if part.geom_type == "Polygon" for ring in (part.exterior, *part.interiors)]
    return "".join(_ring(ring.coords, on) for ring in rings)


def _ring(coordinates: Iterable[tuple[float, ...]], on: Sheet) -> str:
    return "M" + "L".join("{:g} {:g}".format(*on.place(point[0], point[1])) for point in coordinates) + "Z"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the template prints: size, boundary, district labels, and points as (x, y, thing)."""

    width: int
    height: int
    boundary: str
    schematic: bool
    districts: list[tuple[float, float, str]]
    points: list[tuple[float, float, Any]]


def drawing(points: Iterable[tuple[float, float, Any]]) -> Drawing:
    """The whole city with these points (longitude, latitude, thing); what lies outside its bounds is left out."""
    frame = shell.current()
    west, south, east, north = frame.bounds
    found = outline(frame)
    inside = [item for item in points if west <= item[0] <= east and south <= item[1] <= north]
    on = sheet(_extent(frame, found, inside))
    return Drawing(
        width=WIDTH,
        height=on.height,
        boundary=outline_path(found, on),
        schematic=found is not None and found.schematic,
        districts=[(*on.place(*place.point), place.name) for place in frame.districts],
        points=[(*on.place(lon, lat), thing) for lon, lat, thing in inside],
    )


def _extent(
    frame: shell.Shell, found: Outline | None, inside: Sequence[tuple[float, float, Any]]
) -> tuple[float, float, float, float]:
    """The outline and all points with a margin, instead of the wider bounds."""
    if found is None:
        return frame.bounds
    west, south, east, north = found.geometry.bounds
    lons, lats = [item[0] for item in inside], [item[1] for item in inside]
    west, east = min([west, *lons]), max([east, *lons])
    south, north = min([south, *lats]), max([north, *lats])
    margin = 0.03 * (east - west)
    return west - margin, south - margin * 0.6, east + margin, north + margin * 0.6
