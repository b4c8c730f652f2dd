"""Statements that read entities: a page, one entity, the related of many parents, counts (architecture §10, §11)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from mainzdigital.kernel.entities import EntityType, Navigation, ValueType
from mainzdigital.kernel.expression import Expression
from mainzdigital.query.types import find_navigation
from mainzdigital.store.compile import TAINTED, Builder, Guard, Scope, Slot, predicate, visible
from mainzdigital.store.compile_order import OrderKey, after, order_keys, unpack
from mainzdigital.store.model import OBSERVATION, STREAMS

MORE = "~more"  # column of observations: what has no column of its own
LATEST_ONLY = "~several"  # of the newest observation: are there others?
_MONTH_BITS = 40


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a resource path: an entity type, reached by `navigation` from the step before, `key` or all."""

    entity: EntityType
    navigation: str = ""
    key: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its values; `keys` say how its rows are ordered, their values stand at the end of each row."""

    sql: str
    values: tuple[object, ...]
    keys: tuple[OrderKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """What the reader may see; `tainted` are datastreams some of whose observations are hidden from it."""

    guard: Guard | None = None
    tainted: tuple[int, ...] = ()
    # What the geospatial functions of the request amount to (`spatial`), by slot.
    geometries: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entities, in which order, which columns: property names, MORE, or `~Thing` for the id of a relation."""

    columns: tuple[str, ...]
    filter: Expression | None = None
    orderings: tuple[tuple[Expression, bool], ...] = ()
    limit: int = 100
    offset: int = 0
    token: bytes | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """Where an observation went whose phenomenonTime left the month its id names."""

    datastream_id: int
    phenomenon_time: object


@dataclass(slots=True)
class _Conditions:
    items: list[str] = field(default_factory=list)

    def add(self, *conditions: str) -> None:
        self.items += [item for item in conditions if item not in ("TRUE", "")]

    @property
    def sql(self) -> str:
        return " AND ".join(self.items) or "TRUE"


def month_bounds(observation_id: int) -> tuple[str, str] | None:
    """Begin and end of the month that an observation's id names; None where no observation can have this id."""
    if not 0 < observation_id < 2**63:
        return None
    month = observation_id >> _MONTH_BITS
    year = 1600 + month // 12
    if year > 9999:
        return None
    following = month + 1
    end = f"{1600 + following // 12:04}-{following % 12 + 1:02}-01T00:00:00Z" if following // 12 < 8400 else "infinity"
    return f"{year:04}-{month % 12 + 1:02}-01T00:00:00Z", end


@dataclass(frozen=True, slots=True)
class _Stop:
    """A step without the id itself, so that one text serves all ids: its slot, and the month of an observation."""

    entity: EntityType
    navigation: str
    slot: Slot | None
    bounds: tuple[str, str] | None
    moved: bool


_STREAM, _TIME = Slot("moved_stream"), Slot("moved_time")


def _stops(steps: Sequence[Step], moved: Moved | None) -> tuple[tuple[_Stop, ...], dict[str, object]]:
    """Steps as the text knows them, and what goes into its slots."""
    slots: dict[str, object] = {}
    stops: list[_Stop] = []
    for step in steps:
        slot = bounds = None
        if step.key is not None:
            slot = Slot(f"key{len(stops)}")
            slots[slot.name] = step.key
            if step.entity.name == "Observation" and moved is None:
                bounds = month_bounds(step.key)
        stops.append(_Stop(step.entity, step.navigation, slot, bounds, moved is not None))
    if moved is not None:
        slots |= {_STREAM.name: moved.datastream_id, _TIME.name: moved.phenomenon_time}
    return tuple(stops), slots


def _keyed(scope: Scope, stop: _Stop) -> list[str]:
    a = scope.alias
    conditions = [f"{a}.id = {scope.bind(stop.slot, 'bigint')}"]
    if scope.entity.name != "Observation":
        return conditions
    if stop.moved:
        conditions.append(f"{a}.datastream_id = {scope.bind(_STREAM, 'int')}")
        conditions.append(f"{a}.phenomenon_time = {scope.bind(_TIME, 'timestamptz')}")
    elif stop.bounds is None:
        conditions.append("FALSE")
    else:
        # Constants in the text, so that every plan prunes the other partitions.
        conditions.append(f"{a}.phenomenon_time >= '{stop.bounds[0]}'::timestamptz")
        conditions.append(f"{a}.phenomenon_time < '{stop.bounds[1]}'::timestamptz")
    return conditions


def related_condition(scope: Scope, navigation: Navigation, parent: str) -> str:
    """Entities of this SELECT that are related to the parent with this id."""
    a = scope.alias
    if navigation.remote:
        own = f"{a}.{navigation.remote} = {parent}"
        if not navigation.through:
            return own
        through = find_navigation(scope.entity, navigation.through, internal=True)
        assert through is not None
        holder = scope.entity.target(through).relation
        return (
            f"({own} OR ({a}.{navigation.remote} IS NULL AND {a}.{through.local} IN "
            f"(SELECT h.id FROM {holder} AS h WHERE h.{navigation.remote} = {parent})))"
        )
    return f"{a}.id IN (SELECT l.{navigation.far} FROM {navigation.link} AS l WHERE l.{navigation.near} = {parent})"


def position(scope: Scope, navigation: Navigation, parent: str) -> tuple[OrderKey, ...]:
    """The order that a relation itself has."""
    if not navigation.position:
        return ()
    sql = (
        f"(SELECT p.{navigation.position}::bigint FROM {navigation.link} AS p WHERE p.{navigation.near} = {parent} "
        f"AND p.{navigation.far} = {scope.alias}.id)"
    )
    return (OrderKey(sql, "bigint", nullable=False),)


def _placed(scope: Scope, stops: Sequence[_Stop]) -> list[str]:
    """Conditions that put the last step's entities at the end of the path."""
    *before, stop = stops
    conditions = [] if stop.slot is None else _keyed(scope, stop)
    if not before:
        return conditions
    parent = before[-1]
    navigation = parent.entity.navigations[stop.navigation]
    holder = Scope(scope.builder, parent.entity, scope.name())
    inner = _Conditions()
    inner.add(visible(holder))
    inner.add(*_placed(holder, before))
    if navigation.local:
        key = holder.key(navigation, navigation.local)
        conditions.append(f"{scope.alias}.id IN (SELECT {key} FROM {holder.source} WHERE {inner.sql})")
    elif parent.slot is not None:
        bound = scope.bind(parent.slot, "bigint")
        conditions.append(related_condition(scope, navigation, bound))
        if len(inner.items) > 1 or parent.entity.shared:
            conditions.append(f"{bound} IN (SELECT {holder.alias}.id FROM {holder.source} WHERE {inner.sql})")
    elif navigation.remote:
        key = scope.key(navigation, navigation.remote)
        conditions.append(f"{key} IN (SELECT {holder.alias}.id FROM {holder.source} WHERE {inner.sql})")
    else:
        table = scope.name()
        conditions.append(
            f"{scope.alias}.id IN (SELECT {table}.{navigation.far} FROM {holder.source} JOIN {navigation.link} "
            f"AS {table} ON {table}.{navigation.near} = {holder.alias}.id WHERE {inner.sql})"
        )
    return conditions


def _column(scope: Scope, name: str) -> str:
    """A column of the answer. JSON comes as text: it goes out as it is."""
    a, entity = scope.alias, scope.entity
    if name == MORE:
        return f"{a}.more::text"
    if name == LATEST_ONLY:
        return f"({a}.phenomenon_start < {a}.phenomenon_time OR {a}.seq > 0)"
    if name.startswith("~"):
        navigation = entity.navigations[name[1:]]
        key = scope.key(navigation, navigation.local)
        if navigation.partial:
            multi = "IS NOT NULL" if navigation.target == "MultiDatastream" else "IS NULL"
            return f"CASE WHEN {a}.more -> 'multi' {multi} THEN {key} END"
        return key
    if entity.name in STREAMS and name in ("phenomenonTime", "resultTime"):
        latest, which = scope.latest(), "phenomenon" if name == "phenomenonTime" else "result"
        return f"{latest}.{which}_start, {latest}.{which}_end"
    if entity.name in STREAMS and name == "observedArea":
        return f"{scope.area()}::text"
    found = entity.properties[name]
    json = found.type in (ValueType.JSON, ValueType.GEOMETRY)
    return f"{a}.{found.column}{'::text' if json else ''}"


def columns_of(scope: Scope, names: Sequence[str], keys: Sequence[OrderKey] = ()) -> str:
    return ", ".join([*(_column(scope, name) for name in names), *(key.sql for key in keys)])


def select_from(
    scope: Scope,
    selection: Selection,
    conditions: _Conditions,
    *,
    one_datastream: bool,
    first: tuple[OrderKey, ...] = (),
) -> tuple[str, tuple[OrderKey, ...]]:
    """Filter, order and cut what `conditions` leave; one row more than `limit` tells whether there are more.

    `first` is the order where the request names none.
    """
    # The filter first: what it leaves is joined with the rules of access, not the other way round.
    if selection.filter is not None:
        conditions.add(predicate(selection.filter, scope))
    conditions.add(visible(scope))
    keys = order_keys(selection.orderings, scope, one_datastream=one_datastream)
    if not selection.orderings:
        keys = [*first, *keys]
    if selection.token is not None:
        conditions.add(after(keys, unpack(selection.token, keys), scope))
    columns = columns_of(scope, selection.columns, keys)
    offset = f" OFFSET {selection.offset}" if selection.offset else ""
    return (
        f"SELECT {columns} FROM {scope.source} WHERE {conditions.sql} "
        f"ORDER BY {', '.join(key.order for key in keys)} LIMIT {selection.limit + 1}{offset}"
    ), tuple(keys)


_MARK = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Text:
    """A statement with slots, as the cache keeps it."""

    sql: str
    values: tuple[object, ...]
    keys: tuple[OrderKey, ...]

    def fill(self, access: Access, slots: Mapping[str, object]) -> Statement:
        values = tuple(
            value
            if not isinstance(value, Slot)
            else list(access.tainted)
            if value is TAINTED
            else slots[value.name]
            if value.name in slots
            else access.geometries[value.name]
            for value in self.values
        )
        return Statement(self.sql, values, self.keys)


def finish(sql: str, builder: Builder, keys: tuple[OrderKey, ...] = ()) -> Text:
    """Leave out values that no part of the text took up."""
    values = builder.values
    used = sorted({int(mark) for mark in _MARK.findall(sql)})
    if len(used) < len(values):
        places = {mark: index + 1 for index, mark in enumerate(used)}
        sql = _MARK.sub(lambda found: f"${places[int(found[1])]}", sql)
        values = [values[mark - 1] for mark in used]
    return Text(sql, tuple(values), keys)


def begin(entity: EntityType, guard: Guard | None, tainted: bool) -> tuple[Builder, Scope, _Conditions]:
    builder = Builder(guard, tainted=tainted)
    return builder, Scope(builder, entity, builder.name()), _Conditions()


@lru_cache(maxsize=1024)
def _page(stops: tuple[_Stop, ...], selection: Selection, guard: Guard | None, tainted: bool) -> Text:
    builder, scope, conditions = begin(stops[-1].entity, guard, tainted)
    conditions.add(*_placed(scope, stops))
    before = stops[-2] if len(stops) > 1 and stops[-2].slot is not None else None
    one = before is not None and before.entity.name in STREAMS
    first: tuple[OrderKey, ...] = ()
    if before is not None:
        first = position(scope, before.entity.navigations[stops[-1].navigation], scope.bind(before.slot, "bigint"))
    sql, keys = select_from(scope, selection, conditions, one_datastream=one, first=first)
    return finish(sql, builder, keys)


def page(steps: Sequence[Step], selection: Selection, access: Access, *, moved: Moved | None = None) -> Statement:
    """One page of the entities at the end of a path; raises ValueError for a token of another order."""
    stops, slots = _stops(steps, moved)
    # Pages further on come once: they do not push others out of the cache.
    make = _page if selection.token is None else _page.__wrapped__
    return make(stops, selection, access.guard, bool(access.tainted)).fill(access, slots)


@lru_cache(maxsize=1024)
def _single(stops: tuple[_Stop, ...], columns: tuple[str, ...], guard: Guard | None, tainted: bool) -> Text:
    builder, scope, conditions = begin(stops[-1].entity, guard, tainted)
    conditions.add(*_placed(scope, stops), visible(scope))
    wanted = columns_of(scope, columns)
    return finish(f"SELECT {wanted} FROM {scope.source} WHERE {conditions.sql} LIMIT 1", builder)


def single(steps: Sequence[Step], columns: Sequence[str], access: Access, *, moved: Moved | None = None) -> Statement:
    """The one entity at the end of a path."""
    stops, slots = _stops(steps, moved)
    return _single(stops, tuple(columns), access.guard, bool(access.tainted)).fill(access, slots)


@lru_cache(maxsize=512)
def _count(stops: tuple[_Stop, ...], condition: Expression | None, guard: Guard | None, tainted: bool) -> Text:
    builder, scope, conditions = begin(stops[-1].entity, guard, tainted)
    conditions.add(*_placed(scope, stops), visible(scope))
    if condition is not None:
        conditions.add(predicate(condition, scope))
    return finish(f"SELECT count(*) FROM {scope.source} WHERE {conditions.sql}", builder)


def count(
    steps: Sequence[Step], condition: Expression | None, access: Access, *, moved: Moved | None = None
) -> Statement:
    """How many entities a path and filter leave."""
    stops, slots = _stops(steps, moved)
    return _count(stops, condition, access.guard, bool(access.tainted)).fill(access, slots)


def hidden_features(access: Access) -> Statement:
    """Ids of features of interest that the reader may not see."""
    builder, scope, _ = begin(OBSERVATION.types["FeatureOfInterest"], access.guard, False)
    condition = visible(scope)
    sql = f"SELECT {scope.alias}.id FROM {scope.source} WHERE ({condition}) IS NOT TRUE"
    return finish(sql, builder).fill(access, {})


def tainted_datastreams(features: Sequence[int]) -> Statement:
    """Datastreams that have, or by default get, one of these features of interest."""
    return Statement(
        "SELECT p.datastream_id FROM datastream_feature AS p WHERE p.foi_id = ANY($1::int[]) "
        "UNION SELECT d.id FROM datastream AS d WHERE d.foi_id = ANY($1::int[])",
        (list(features),),
    )


def moved_observation(key: int) -> Statement:
    return Statement(
        "SELECT m.datastream_id, m.phenomenon_time FROM observation_moved AS m WHERE m.id = $1::bigint", (key,)
    )
