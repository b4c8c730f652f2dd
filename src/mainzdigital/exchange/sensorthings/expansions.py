"""What `$expand` asks for, by relation, and what an answer depends on beside the rows it shows."""

from collections.abc import Iterator

from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.expression import Expression, Path
from mainzdigital.query.evaluate import paths
from mainzdigital.query.odata import Expand, OrderBy, QueryOptions
from mainzdigital.query.types import resolve
from mainzdigital.store.compile_geo import Asked, asked_in
from mainzdigital.store.model import STREAMS

_EXTENTS = frozenset({"phenomenonTime", "resultTime", "observedArea"})
_NEWEST = (OrderBy(Path(("phenomenonTime",)), True),)


def _text_of(expand: Expand) -> str:
    inner = ";".join(f"{name}={value}" for name, value in expand.options.given)
    return "/".join(expand.path) + (f"({inner})" if inner else "")


def expansions(options: QueryOptions) -> dict[str, QueryOptions]:
    """`$expand` by relation; chains become nested, and items that begin alike become one."""
    found: dict[str, QueryOptions] = {}
    for item in options.expand:
        name, inner = item.path[0], item.options
        if len(item.path) > 1:
            rest = Expand(item.path[1:], item.options)
            inner = QueryOptions(expand=(rest,), given=(("$expand", _text_of(rest)),))
        found[name] = _merge(found[name], inner, name) if name in found else inner
    return found


def _merge(first: QueryOptions, second: QueryOptions, name: str) -> QueryOptions:
    own = [[pair for pair in item.given if pair[0] != "$expand"] for item in (first, second)]
    if own[0] and own[1]:
        raise InvalidInput(f"'{name}' is expanded twice with options", where="$expand", remedy="expand it once")
    base = first if own[0] else second
    expand = first.expand + second.expand
    given = (*(own[0] or own[1]), ("$expand", ",".join(map(_text_of, expand))))
    return QueryOptions(
        base.filter, base.orderby, base.top, base.skip, base.count, base.select, expand, None, base.skip_token,
        given if expand else tuple(own[0] or own[1]),
    )  # fmt: skip


def _speaks_of_times(expression: Expression, entity: EntityType) -> bool:
    """Does an expression ask for the extent of a datastream?"""
    for path in paths(expression):
        target = resolve(entity, path.steps)
        if target.entity.name in STREAMS and target.attribute.name in _EXTENTS:
            return True
    return False


def needs_extents(entity: EntityType, options: QueryOptions) -> bool:
    """Does the answer depend on what is kept in `datastream_latest`?"""
    if entity.name in STREAMS:
        names = None if options.select is None else {steps[0] for steps in options.select}
        if names is None or names & _EXTENTS:
            return True
    asked = [*((options.filter,) if options.filter is not None else ()), *(item.expression for item in options.orderby)]
    if any(_speaks_of_times(item, entity) for item in asked):
        return True
    for name, inner in expansions(options).items():
        if entity.name in STREAMS and is_newest(name, inner):
            return True
        if needs_extents(entity.target(entity.navigations[name]), inner):
            return True
    return False


def geometries(entity: EntityType, options: QueryOptions) -> Iterator[Asked]:
    """The geospatial functions of a request and of what it expands."""
    if options.filter is not None:
        yield from asked_in(options.filter, entity)
    for item in options.orderby:
        yield from asked_in(item.expression, entity)
    for name, inner in expansions(options).items():
        yield from geometries(entity.target(entity.navigations[name]), inner)


def is_newest(name: str, options: QueryOptions) -> bool:
    """The newest observation only: there is a table of those."""
    return (
        name == "Observations"
        and options.orderby == _NEWEST
        and options.top == 1
        and not options.skip
        and options.filter is None
        and options.skip_token is None
    )
