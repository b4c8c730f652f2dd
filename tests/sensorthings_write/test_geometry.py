"""GeoJSON at the door: what is right is stored for exact predicates and the index, what is wrong is named."""

import contextlib
import math

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.store.geometry import geojson_shape, shape_of

RING = [[8.0, 50.0], [8.2, 50.0], [8.2, 50.1], [8.0, 50.0]]


def test_a_point_becomes_wkb_and_box() -> None:
    shape = geojson_shape({"type": "Point", "coordinates": [8.27, 49.99]}, where="location")
    assert shapely.equals(shapely.from_wkb(shape.wkb), shapely.Point(8.27, 49.99))
    assert shape.box == "((8.27,49.99),(8.27,49.99))"


def test_a_feature_is_its_geometry() -> None:
    shape = geojson_shape(
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [RING]}}, where="feature"
    )
    assert shape.box == "((8.2,50.1),(8.0,50.0))"


def test_height_is_kept() -> None:
    shape = geojson_shape({"type": "Point", "coordinates": [8.27, 49.99, 89.5]}, where="location")
    assert shapely.get_z(shapely.from_wkb(shape.wkb)) == 89.5


def test_what_is_no_geojson_is_kept_as_it_is() -> None:
    shape = shape_of("POINT (8 50)", encoding="text/plain", where="location")
    assert (shape.content, shape.wkb, shape.box) == ("POINT (8 50)", None, None)


@pytest.mark.parametrize(
    ("geometry", "where"),
    [
        (None, "location"),
        ([], "location"),
        ("POINT (8 50)", "location"),
        ({}, "location.type"),
        ({"type": "Circle", "coordinates": [8, 50]}, "location.type"),
        ({"type": ["Point"], "coordinates": [8, 50]}, "location.type"),
        ({"type": "Point"}, "location.coordinates"),
        ({"type": "Point", "coordinates": []}, "location.coordinates"),
        ({"type": "Point", "coordinates": [8]}, "location.coordinates"),
        ({"type": "Point", "coordinates": [8, 50, 1, 2]}, "location.coordinates"),
        ({"type": "Point", "coordinates": ["8", 50]}, "location.coordinates[0]"),
        ({"type": "Point", "coordinates": [8, None]}, "location.coordinates[1]"),
        ({"type": "Point", "coordinates": [True, 50]}, "location.coordinates[0]"),
        ({"type": "Point", "coordinates": [math.inf, 50]}, "location.coordinates[0]"),
        ({"type": "Point", "coordinates": [10**400, 50]}, "location.coordinates[0]"),
        ({"type": "Point", "coordinates": [181, 50]}, "location.coordinates[0]"),
        ({"type": "Point", "coordinates": [49.99, 98.27]}, "location.coordinates[1]"),
        ({"type": "LineString", "coordinates": [[8, 50]]}, "location.coordinates"),
        ({"type": "MultiPoint", "coordinates": []}, "location.coordinates"),
        ({"type": "Polygon", "coordinates": [RING[:3]]}, "location.coordinates[0]"),
        ({"type": "Polygon", "coordinates": [[*RING[:3], [1, 1]]]}, "location.coordinates[0]"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}, "location"),
        ({"type": "GeometryCollection", "geometries": []}, "location.geometries"),
        ({"type": "GeometryCollection", "geometries": [{"type": "Point"}]}, "location.geometries[0].coordinates"),
        ({"type": "Feature", "geometry": None}, "location.geometry"),
        ({"type": "Feature", "geometry": {"type": "Point", "coordinates": [8, 91]}},
         "location.geometry.coordinates[1]"),
        ({"type": "FeatureCollection", "features": []}, "location.type"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(geometry: object, where: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        geojson_shape(geometry, where="location")
    assert refusal.value.where == where


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "coordinates", "x"]), inner),
    max_leaves=20,
)


@given(st.fixed_dictionaries({"type": st.sampled_from(["Point", "LineString", "Polygon", "Feature"])}), _json)
def test_any_geometry_is_taken_or_refused(kind: dict[str, object], content: object) -> None:
    with contextlib.suppress(InvalidInput):
        shape = geojson_shape({**kind, "coordinates": content, "geometry": content}, where="location")
        assert shape.wkb is not None
        assert shapely.is_valid(shapely.from_wkb(shape.wkb))
