"""Compiles the filter tree to SQL fragments (architecture §7, §10).

Conditions on related entities become semi-joins `key IN (SELECT …)`, never correlated EXISTS nor LATERAL. Conditions
that follow the same relation share one semi-join, since the same path is the same entity. A condition that mixes
paths joins what is to-one into its SELECT, or falls back to a semi-join of the entity with itself.

What a reader may see comes in as a `Guard`: a tree per entity type, and-ed into every step of every path.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mainzdigital.kernel.entities import EntityType, Navigation, ValueType
from mainzdigital.kernel.expression import (
    TRUE,
    And,
    AnyOf,
    Call,
    Comparison,
    Expression,
    Literal,
    Or,
    Path,
    conjunction,
)
from mainzdigital.query.evaluate import paths, without_related
from mainzdigital.query.types import Kind, find_navigation, resolve
from mainzdigital.store.compile_geo import as_near, chosen_by_geometry, geo_term
from mainzdigital.store.compile_terms import Term, as_truth, json_term, term
from mainzdigital.store.compile_tree import holds_any, normal, strip
from mainzdigital.store.model import STREAMS

Guard = Callable[[str], Expression]


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that is given when the statement runs, so that one text serves many requests."""

    name: str


@dataclass(slots=True)
class Builder:
    """One statement under construction: its values, `$1` first, and names for its tables.

    `tainted` are datastreams some of whose observations are hidden from the reader: their latest value and extent
    are computed, not read from `datastream_latest`.
    """

    guard: Guard | None = None
    tainted: bool = False
    values: list[object] = field(default_factory=list)
    names: int = 0

    def bind(self, value: object, cast: str) -> str:
        for index, known in enumerate(self.values):
            if known is value:
                return f"${index + 1}::{cast}"
        self.values.append(value)
        return f"${len(self.values)}::{cast}"

    def name(self) -> str:
        self.names += 1
        return f"t{self.names}"

    def visible(self, entity: EntityType) -> Expression:
        return TRUE if self.guard is None else self.guard(entity.name)


TAINTED = Slot("tainted")
# The box around features as GeoJSON: a point or a line where it has no width or height.
_ENVELOPE = (
    "CASE WHEN {b}.w = {b}.e AND {b}.s = {b}.n THEN jsonb_build_object('type', 'Point', 'coordinates', "
    "jsonb_build_array({b}.w, {b}.s)) WHEN {b}.w = {b}.e OR {b}.s = {b}.n THEN jsonb_build_object('type', "
    "'LineString', 'coordinates', jsonb_build_array(jsonb_build_array({b}.w, {b}.s), jsonb_build_array({b}.e, {b}.n))) "
    "WHEN {b}.w IS NOT NULL THEN jsonb_build_object('type', 'Polygon', 'coordinates', jsonb_build_array("
    "jsonb_build_array(jsonb_build_array({b}.w, {b}.s), jsonb_build_array({b}.e, {b}.s), jsonb_build_array({b}.e, "
    "{b}.n), jsonb_build_array({b}.w, {b}.n), jsonb_build_array({b}.w, {b}.s)))) END"
)


@dataclass(slots=True)
class Scope:
    """One SELECT: the table of an entity type and what is joined to it."""

    builder: Builder
    entity: EntityType
    alias: str
    guarded: bool = True
    joins: list[str] = field(default_factory=list)
    found: dict[tuple[bool, tuple[str, ...]], "Scope"] = field(default_factory=dict)
    relation: str = ""

    @property
    def source(self) -> str:
        return " ".join([f"{self.relation or self.entity.relation} AS {self.alias}", *self.joins])

    def bind(self, value: object, cast: str) -> str:
        return self.builder.bind(value, cast)

    def name(self) -> str:
        return self.builder.name()

    def unguarded(self) -> "Scope":
        """The same SELECT as access rules read it: nothing is hidden from them."""
        if not self.guarded:
            return self
        raw = copy.copy(self)
        raw.guarded = False
        return raw

    def hides(self, entity: EntityType) -> bool:
        return self.guarded and self.builder.visible(entity) != TRUE

    def column(self, path: Path) -> Term:
        target = resolve(self.entity, path.steps, internal=True)
        depth = len(target.navigations)
        if depth and target.attribute.name == "id" and depth == len(path.steps) - 1:
            key = self.follow(path.steps[: depth - 1]).foreign_key(target.navigations[-1])
            if key:
                return Term(Kind.NUMBER, key, integer=True)
        return self.follow(path.steps[:depth]).own(target.attribute.name, target.keys)

    def foreign_key(self, navigation: Navigation) -> str:
        """The column that holds the id of the related entity, where it alone tells it.

        What a visible entity requires is visible, so nothing hidden shows by it.
        """
        if not navigation.local or navigation.through or navigation.partial:
            return ""
        if not navigation.required and self.hides(self.entity.target(navigation)):
            return ""
        return f"{self.alias}.{navigation.local}"

    def own(self, name: str, keys: tuple[str, ...] = ()) -> Term:
        """A property of this entity as an operand."""
        a = self.alias
        if name == "id":
            return Term(Kind.NUMBER, f"{a}.id", integer=True)
        if self.entity.name == "Observation":
            return _observation_term(name, keys, a, self)
        if self.entity.name in STREAMS and name in ("phenomenonTime", "resultTime"):
            latest, which = self.latest(), "phenomenon" if name == "phenomenonTime" else "result"
            return Term(Kind.TIME, f"{latest}.{which}_start", end=f"{latest}.{which}_end")
        found = resolve(self.entity, (name, *keys), internal=True)
        column = f"{a}.{found.attribute.column}"
        if self.entity.name in STREAMS and name == "observedArea":
            column = self.area()
        if keys or found.attribute.type is ValueType.JSON:
            return json_term(self.dig(column, keys))
        return Term(found.kind, column)

    def dig(self, sql: str, keys: tuple[str, ...]) -> str:
        return f"({sql} #> {self.bind(list(keys), 'text[]')})" if keys else sql

    def area(self) -> str:
        """observedArea: as it was given, else around the features of the observations that the reader may see."""
        latest, named, feature = self.latest(), self.name(), Scope(
            self.builder, self.entity.types["FeatureOfInterest"], self.name(), guarded=self.guarded
        )  # fmt: skip
        f, box, condition = feature.alias, self.name(), visible(feature) if self.guarded else "TRUE"
        return (
            f"coalesce({self.alias}.observed_area, (SELECT {_ENVELOPE.format(b=box)} FROM (SELECT min(({f}.box[1])[0]) "
            f"AS w, min(({f}.box[1])[1]) AS s, max(({f}.box[0])[0]) AS e, max(({f}.box[0])[1]) AS n "
            f"FROM {feature.source} WHERE {f}.id IN (SELECT {named}.foi_id FROM datastream_feature AS {named} "
            f"WHERE {named}.datastream_id = {self.alias}.id UNION ALL SELECT {self.alias}.foi_id "
            f"WHERE {latest}.phenomenon_start IS NOT NULL) AND {condition}) AS {box}))"
        )

    def latest(self) -> str:
        """Join extent and latest value of this datastream."""
        key = (self.guarded, ("~latest",))
        if key not in self.found:
            alias = self.name()
            self.joins.append(
                f"LEFT JOIN {self.latest_relation()} AS {alias} ON {alias}.datastream_id = {self.alias}.id"
            )
            self.found[key] = Scope(self.builder, self.entity, alias)
        return self.found[key].alias

    def latest_relation(self) -> str:
        if not (self.builder.tainted and self.guarded):
            return "datastream_latest"
        observation = Scope(self.builder, self.entity.types["Observation"], self.name())
        o, condition = observation.alias, visible(observation)
        ids = self.bind(TAINTED, "int[]")
        return (
            "(SELECT l.datastream_id, l.phenomenon_start, l.phenomenon_end, l.result_start, l.result_end "
            f"FROM datastream_latest AS l WHERE l.datastream_id <> ALL({ids}) UNION ALL "
            f"SELECT {o}.datastream_id, min({o}.phenomenon_time), max({observation_end(o)}), min({o}.result_time), "
            f"max({o}.result_time) FROM {observation.source} WHERE {o}.datastream_id = ANY({ids}) AND {condition} "
            "GROUP BY 1)"
        )

    def raw(self, name: str) -> "Scope":
        """Join a required relation to one, hidden or not: it only lends a column."""
        navigation = find_navigation(self.entity, name, internal=True)
        assert navigation is not None
        key = (False, ("~raw", name))
        if key not in self.found:
            target = self.entity.target(navigation)
            joined = Scope(self.builder, target, self.name(), guarded=False)
            self.joins.append(
                f"LEFT JOIN {target.relation} AS {joined.alias} ON {joined.alias}.id = {self.alias}.{navigation.local}"
            )
            self.found[key] = joined
        return self.found[key]

    def key(self, navigation: Navigation, column: str) -> str:
        """The column of this entity that relates it, with what speaks for it where it is null."""
        own = f"{self.alias}.{column}"
        return f"coalesce({own}, {self.raw(navigation.through).alias}.{column})" if navigation.through else own

    def follow(self, steps: tuple[str, ...]) -> "Scope":
        """Join the related entities of a path, null where there is none the reader may see."""
        if not steps:
            return self
        key = (self.guarded, steps)
        if key in self.found:
            return self.found[key]
        holder = self.follow(steps[:-1])
        navigation = find_navigation(holder.entity, steps[-1], internal=True)
        assert navigation is not None
        target = holder.entity.target(navigation)
        inner = Scope(self.builder, target, self.name(), guarded=self.guarded)
        alias, columns = inner.alias, [f"{inner.alias}.*"]
        if navigation.remote and navigation.through:
            columns.append(f"{inner.key(navigation, navigation.remote)} AS related_to")
        condition = visible(inner) if self.guarded and not navigation.required else "TRUE"
        relation = f"{target.relation} AS {alias}"
        if condition != "TRUE" or inner.joins:
            inner_source, alias = inner.source, self.name()
            relation = f"(SELECT {', '.join(columns)} FROM {inner_source} WHERE {condition}) AS {alias}"
        a = holder.alias
        if navigation.local:
            join = f"LEFT JOIN {relation} ON {alias}.id = {holder.key(navigation, navigation.local)}"
        elif navigation.remote:
            column = "related_to" if navigation.through else navigation.remote
            join = f"LEFT JOIN {relation} ON {alias}.{column} = {a}.id"
        else:
            link = self.name()
            join = (
                f"LEFT JOIN ({navigation.link} AS {link} JOIN {relation} ON {alias}.id = {link}.{navigation.far}) "
                f"ON {link}.{navigation.near} = {a}.id"
            )
        self.joins.append(join)
        # What the joined table needs joined in turn goes into this SELECT.
        self.found[key] = Scope(self.builder, target, alias, self.guarded, joins=self.joins)
        return self.found[key]

    def geo(self, expression: Call) -> Term:
        return geo_term(expression, self)

    def near(self, operator: Comparison, left: Expression, right: Expression) -> Term | None:
        call = as_near(operator, left, right)
        return None if call is None else geo_term(call, self)

    def any_of(self, expression: AnyOf) -> str:
        return f"({self.semi_join(expression.navigation, expression.predicate)} IS TRUE)"

    def semi_join(self, name: str, inner: Expression) -> str:
        """`key IN (SELECT …)`: entities related by `name` for which `inner`, read from there, is true."""
        navigation = find_navigation(self.entity, name, internal=True)
        assert navigation is not None
        other = Scope(self.builder, self.entity.target(navigation), self.name(), guarded=self.guarded)
        conditions = [predicate(inner, other)]
        # What a visible entity requires is visible.
        if self.guarded and not navigation.required:
            conditions.append(visible(other))
        left, wanted = f"{self.alias}.id", f"{other.alias}.id"
        link = ""
        if navigation.local:
            left = self.key(navigation, navigation.local)
        if navigation.remote:
            wanted = other.key(navigation, navigation.remote)
        elif navigation.link:
            table = self.name()
            link = f" JOIN {navigation.link} AS {table} ON {table}.{navigation.far} = {other.alias}.id"
            wanted = f"{table}.{navigation.near}"
        where = " AND ".join(item for item in conditions if item != "TRUE") or "TRUE"
        return f"({left} IN (SELECT {wanted} FROM {other.source}{link} WHERE {where}))"


def observation_end(alias: str) -> str:
    return f"coalesce(({alias}.more ->> 'end')::timestamptz, {alias}.phenomenon_time)"


def _observation_term(name: str, keys: tuple[str, ...], a: str, scope: Scope) -> Term:
    match name:
        case "phenomenonTime":
            return Term(Kind.TIME, f"{a}.phenomenon_time", end=observation_end(a))
        case "resultTime":
            return Term(Kind.TIME, f"{a}.result_time")
        case "validTime":
            begin, end = (f"({a}.more ->> 'valid_{which}')::timestamptz" for which in ("start", "end"))
            return Term(Kind.TIME, begin, end=end)
        case "result" if not keys:
            other = json_term(f"({a}.more -> 'result')")
            return Term(
                Kind.JSON, "", number=f"{a}.number", text=other.text, truth=other.truth,
                null=f"({a}.number IS NULL AND {other.null})",
            )  # fmt: skip
        case _:
            column = {"result": "result", "resultQuality": "quality", "parameters": "parameters"}[name]
            return json_term(scope.dig(f"({a}.more -> '{column}')", keys))


def visible(scope: Scope) -> str:
    """The condition that the reader may see the entity of this SELECT."""
    return predicate(scope.builder.visible(scope.entity), scope.unguarded())


@dataclass(slots=True)
class _Group:
    """Conditions that speak of the same related entities."""

    items: list[Expression]
    many: set[tuple[str, ...]]  # prefixes that end in a relation to many
    first: str | None  # the one relation all paths begin with


def _group_of(item: Expression, entity: EntityType) -> _Group:
    many: set[tuple[str, ...]] = set()
    firsts: set[str | None] = {None} if holds_any(item) else set()
    for path in paths(item):
        navigations = resolve(entity, path.steps, internal=True).navigations
        firsts.add(path.steps[0] if navigations else None)
        many |= {path.steps[: index + 1] for index, navigation in enumerate(navigations) if navigation.many}
    return _Group([item], many, firsts.pop() if len(firsts) == 1 else None)


def _groups(items: Sequence[Expression], entity: EntityType) -> Iterator[_Group]:
    groups: list[_Group] = []
    for item in items:
        merged = _group_of(item, entity)
        apart: list[_Group] = []
        for other in groups:
            if merged.many & other.many or (merged.first is not None and merged.first == other.first):
                first = merged.first if merged.first == other.first else None
                merged = _Group([*other.items, *merged.items], merged.many | other.many, first)
            else:
                apart.append(other)
        groups = [*apart, merged]
    yield from groups


def _joined(items: Sequence[str], word: str) -> str:
    return items[0] if len(items) == 1 else "(" + f" {word} ".join(items) + ")"


def _key_leaf(expression: Expression, scope: Scope) -> bool:
    """Does the condition ask for nothing but the id that a column of this table holds?"""
    return all(
        len(path.steps) == 2
        and path.steps[1] == "id"
        and (navigation := find_navigation(scope.entity, path.steps[0], internal=True)) is not None
        and scope.foreign_key(navigation) != ""
        for path in paths(expression)
    )


def _group_sql(group: _Group, scope: Scope) -> str:
    item = conjunction(*group.items)
    if group.first is not None and not _key_leaf(item, scope):
        navigation = find_navigation(scope.entity, group.first, internal=True)
        assert navigation is not None
        # A required relation always leads somewhere visible.
        also_without = not navigation.required and without_related(item, scope.entity)
        if not also_without:
            return scope.semi_join(group.first, strip(item))
        if group.many:
            return f"({scope.semi_join(group.first, strip(item))} OR {scope.semi_join(group.first, TRUE)} IS NOT TRUE)"
    if not group.many:
        # Relations to one, joined by their key; under `or` a semi-join would be worked out for all of them.
        return _scalar(item, scope)
    if isinstance(item, Or):
        return _joined([predicate(part, scope) for part in item.items], "OR")
    other = Scope(scope.builder, scope.entity, scope.name(), guarded=scope.guarded)
    condition = _scalar(item, other)
    return f"({scope.alias}.id IN (SELECT {other.alias}.id FROM {other.source} WHERE {condition}))"


def _scalar(expression: Expression, scope: Scope) -> str:
    """True where the expression is; elsewhere false or null."""
    if isinstance(expression, And):
        return _joined([_scalar(item, scope) for item in expression.items], "AND")
    if (chosen := chosen_by_geometry(expression, scope)) is not None:
        return chosen
    return as_truth(term(expression, scope))


def predicate(expression: Expression, scope: Scope) -> str:
    """SQL that is true where the filter is; elsewhere false or null."""
    if expression == TRUE:
        return "TRUE"
    if isinstance(expression, Literal):
        return "TRUE" if expression.value is True else "FALSE"
    flat = normal(expression)
    items = flat.items if isinstance(flat, And) else (flat,)
    return _joined([_group_sql(group, scope) for group in _groups(items, scope.entity)], "AND")
