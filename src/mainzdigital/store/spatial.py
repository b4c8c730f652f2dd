"""Resolves geospatial functions of a filter to ids, before the filter becomes SQL (architecture §2.6).

A plan, like all reading: the index of boxes gives candidates that the reader may see, GEOS decides. What is hidden is
never looked at, so that no limit and no time tells of it.
"""

from collections.abc import Generator, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import shapely

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.query import geometry
from mainzdigital.query.geometry import Geometries
from mainzdigital.query.types import resolve
from mainzdigital.store.arrays import Floats, Ints
from mainzdigital.store.compile import visible
from mainzdigital.store.compile_geo import NEAR, Asked, Key, Place, column
from mainzdigital.store.entities_read import Access, Statement, begin, finish
from mainzdigital.store.model import ENTITY_TYPES
from mainzdigital.store.select import Compute, Rows

MAX_BYTES = 64 * 1024 * 1024  # of all of them, as WKB
Part = Generator[Statement | Compute, Any, Access]
_Box = tuple[float, float, float, float]


def resolve_geometries(asked: Iterable[Asked], access: Access, *, most: int) -> Part:
    """The access, with what the functions amount to; raises InvalidInput where one looks at `most` geometries."""
    found: dict[str, object] = dict(access.geometries)
    pairs: dict[Key, list[Asked]] = {}
    for one in dict.fromkeys(asked):
        if len(one.key.places) == 2:
            pairs.setdefault(one.key, []).append(one)
        elif one.key.slot("ids") not in found:
            found |= yield from _of_one(one.key, access, most)
    for key, uses in pairs.items():
        found |= yield from _of_two(key, uses, access, most)
    return Access(access.guard, access.tainted, found)


def _of_one(key: Key, access: Access, most: int) -> Generator[Statement | Compute, Any, dict[str, object]]:
    (place,) = key.places
    box = _box(key)
    yield from _bounded(place, access, most, box=box)
    rows: Rows = yield _geometries(place, access, box=box)
    result: dict[str, object] = yield Compute(partial(_decide, key, rows))
    return result


def _of_two(
    key: Key, uses: Sequence[Asked], access: Access, most: int
) -> Generator[Statement | Compute, Any, dict[str, object]]:
    pairs: set[tuple[int, int]] = set()
    for one in uses:
        rows: Rows = yield _pairs(one, access, most)
        pairs.update((row[0], row[1]) for row in rows)
        if len(pairs) > most:
            raise _too_many(most)
    sides: list[Rows] = []
    for place, ids in zip(key.places, zip(*pairs, strict=True) if pairs else ((), ()), strict=True):
        wanted = sorted(set(ids))
        yield from _bounded(place, access, most, ids=wanted)
        sides.append((yield _geometries(place, access, ids=wanted)))
    result: dict[str, object] = yield Compute(partial(_decide_pairs, key, sorted(pairs), sides))
    return result


def _too_many(most: int) -> InvalidInput:
    return InvalidInput(
        "a geospatial function would look at too many geometries", where="$filter",
        remedy=f"at most {most} (MAINZDIGITAL_GEOMETRIES): ask for a smaller area",
    )  # fmt: skip


def _bounded(
    place: Place, access: Access, most: int, *, box: _Box | None = None, ids: Sequence[int] | None = None
) -> Generator[Statement | Compute, Any, None]:
    """Raises InvalidInput where there are more geometries, or larger ones, than may be looked at."""
    ((count, size),) = yield _sizes(place, access, box=box, ids=ids)
    if count > most or (size or 0) > MAX_BYTES:
        raise _too_many(most)


def _box(key: Key) -> _Box | None:
    """Where the geometries lie for which the function can be true; None: anywhere."""
    literal = next((item for item in key.operands if isinstance(item, str)), None)
    if literal is None:
        return None
    west, south, east, north = (float(one) for one in shapely.bounds(geometry.parse_wkt(literal)))
    if key.function == NEAR:
        # A little more than asked for: the exact answer is GEOS's.
        beyond = max(key.bound, 0.0) * (1 + 1e-9)
        return west - beyond, south - beyond, east + beyond, north + beyond
    near = key.function in geometry.NEEDS_MEETING or (key.function == "st_relate" and geometry.meets(key.pattern))
    # What is disjoint is found as what is not: the index then helps as well.
    return (west, south, east, north) if near else None


def _select(place: Place, access: Access, columns: str, *, box: _Box | None, ids: Sequence[int] | None) -> Statement:
    entity = ENTITY_TYPES[place.entity]
    builder, scope, conditions = begin(entity, access.guard, bool(access.tainted))
    a, shape = scope.alias, column(scope, place.name)
    conditions.add(visible(scope), f"{shape} IS NOT NULL")
    if ids is not None:
        conditions.add(f"{a}.id = ANY({scope.bind(Ints(ids), 'int[]')})")
    if box is not None and place.name != "observedArea":
        west, south, east, north = box
        conditions.add(f"{a}.box && {scope.bind(f'(({east!r},{north!r}),({west!r},{south!r}))', 'box')}")
    sql = f"SELECT {columns.format(a=a, shape=shape)} FROM {scope.source} WHERE {conditions.sql}"
    return finish(sql, builder).fill(access, {})


def _sizes(place: Place, access: Access, *, box: _Box | None, ids: Sequence[int] | None) -> Statement:
    size = "pg_column_size({shape})" if place.name == "observedArea" else "octet_length({shape})"
    return _select(place, access, f"count(*), sum({size})", box=box, ids=ids)


def _geometries(
    place: Place, access: Access, *, box: _Box | None = None, ids: Sequence[int] | None = None
) -> Statement:
    text = "::text" if place.name == "observedArea" else ""
    return _select(place, access, f"{{a}}.id, {{shape}}{text}", box=box, ids=ids)


def _pairs(one: Asked, access: Access, most: int) -> Statement:
    builder, scope, conditions = begin(one.entity, access.guard, bool(access.tainted))
    conditions.add(visible(scope))
    wanted: list[str] = []
    for path, place in zip(one.paths, one.key.places, strict=True):
        depth = len(resolve(one.entity, path.steps).navigations)
        holder = scope.follow(path.steps[:depth])
        conditions.add(f"{column(holder, place.name)} IS NOT NULL")
        wanted.append(f"{holder.alias}.id")
    sql = f"SELECT DISTINCT {', '.join(wanted)} FROM {scope.source} WHERE {conditions.sql} LIMIT {most + 1}"
    return finish(sql, builder).fill(access, {})


def _shapes(rows: Rows) -> Geometries:
    found: Geometries = np.empty(len(rows), dtype=object)
    if rows and isinstance(rows[0][1], str):
        found[:] = shapely.from_geojson([row[1] for row in rows], on_invalid="ignore")
    elif rows:
        found[:] = shapely.from_wkb([bytes(row[1]) for row in rows], on_invalid="ignore")
    return found


def _literal(wkt: str) -> Geometries:
    found: Geometries = np.empty(1, dtype=object)
    found[0] = geometry.parse_wkt(wkt)
    return found


def _decide(key: Key, rows: Rows) -> dict[str, object]:
    """Ids for which the function is true, or all with its values."""
    ids = np.array([row[0] for row in rows], dtype=int)
    shapes = _shapes(rows)
    sides = [shapes if isinstance(item, Place) else _literal(item) for item in key.operands]
    name = "geo.distance" if key.function == NEAR else key.function
    values = geometry.apply(name, *sides, pattern=key.pattern) if rows else np.array([])
    if key.is_number:
        known = ~np.isnan(values)
        return {
            key.slot("ids"): Ints(ids[known].tolist()),
            key.slot("values"): Floats(values[known].tolist()),
        }
    near = values <= key.bound if key.closed else values < key.bound
    chosen = near if key.function == NEAR else values == 1
    return {key.slot("ids"): Ints(ids[chosen].tolist())}


def _decide_pairs(key: Key, pairs: Sequence[tuple[int, int]], sides: Sequence[Rows]) -> dict[str, object]:
    by_id = [dict(zip((row[0] for row in rows), _shapes(rows), strict=True)) for rows in sides]
    kept = [pair for pair in pairs if all(pair[at] in by_id[at] for at in (0, 1))]
    values = np.array([])
    if kept:
        arrays: list[Geometries] = []
        for at in (0, 1):
            array: Geometries = np.empty(len(kept), dtype=object)
            array[:] = [by_id[at][pair[at]] for pair in kept]
            arrays.append(array)
        values = geometry.apply(key.function, *arrays, pattern=key.pattern)
    known = [at for at in range(len(kept)) if not np.isnan(values[at])]
    return {
        key.slot("ids"): Ints([kept[at][0] for at in known]),
        key.slot("others"): Ints([kept[at][1] for at in known]),
        key.slot("values"): Floats([float(values[at]) for at in known]),
    }
