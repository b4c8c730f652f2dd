"""Every shape of statement that reading emits is one that PostgreSQL plans against the migrated database."""

from collections.abc import Iterator

import psycopg
import pytest

from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.govern.access import visible
from mainzdigital.kernel.access import ANONYMOUS
from mainzdigital.kernel.entities import EntityType
from mainzdigital.query.odata import parse_filter
from mainzdigital.query.types import FUNCTIONS, Kind
from mainzdigital.store.entities_read import (
    Access,
    Moved,
    Selection,
    Statement,
    count,
    hidden_features,
    moved_observation,
    page,
    single,
    tainted_datastreams,
)
from mainzdigital.store.entities_related import count_related, newest_of_datastreams, related_to_many, related_to_one
from mainzdigital.store.model import DATASTREAM, ENTITY_TYPES, OBSERVATION
from tests.query.city import TIMES, make_partitions, month_id
from tests.query.trees import all_paths

ACCESSES = {
    "all": Access(),
    "some": Access(lambda name: visible(name, ANONYMOUS)),
    "tainted": Access(lambda name: visible(name, ANONYMOUS), (1, 2)),
}
_ARGUMENTS = {Kind.TEXT: "'a'", Kind.NUMBER: "1.5", Kind.TIME: "2024-02-01T00:00:00Z"}


def columns(entity: EntityType) -> tuple[str, ...]:
    names = [
        name for name in entity.properties if entity.name != "Observation" or name in ("id", "phenomenonTime", "result")
    ]
    keys = [f"~{item.name}" for item in entity.navigations.values() if not item.many]
    return (*names, *keys, *(("~more",) if entity.name == "Observation" else ()))


def shapes(access: Access) -> Iterator[Statement]:
    for name, entity in ENTITY_TYPES.items():
        wanted = columns(entity)
        key = month_id(TIMES[0], 1) if name == "Observation" else 1
        own = f"{entity.set_name}({key})"
        yield page(parse_path(entity.set_name).steps, Selection(wanted), access)
        yield single(parse_path(own).steps, wanted, access)
        yield related_to_one(entity, [1, 2], wanted, parse_filter("id gt 1", entity), access)
        for kind, paths in all_paths(name, 2).items():
            for path in paths:
                text = "/".join(path.steps)
                condition = parse_filter(f"{text} ne null and not ({text} eq null)", entity)
                yield count(parse_path(entity.set_name).steps, condition, access)
                if kind is not Kind.GEOMETRY:
                    selection = Selection(("id",), orderings=((path, len(text) % 2 == 0),))
                    yield page(parse_path(entity.set_name).steps, selection, access)
        for navigation in entity.navigations.values():
            target = entity.target(navigation)
            steps = parse_path(f"{own}/{navigation.name}").steps
            selection = Selection(columns(target), orderings=((parse_filter("id eq 1", target), True),), offset=3)
            yield page(steps, selection, access)
            yield page(steps, selection, access, moved=Moved(1, TIMES[0]))
            for further in target.navigations if not navigation.many else ():
                yield page(parse_path(f"{own}/{navigation.name}/{further}").steps, Selection(("id",)), access)
            if navigation.many:
                yield related_to_many(entity, navigation, [1, 2], selection, access)
                yield count_related(entity, navigation, [1, 2], parse_filter("id gt 1", target), access)
    yield newest_of_datastreams([1], columns(OBSERVATION), access)
    yield hidden_features(access)
    yield tainted_datastreams([1])
    yield moved_observation(5)
    entity = DATASTREAM
    for function, takes in FUNCTIONS.items():
        if Kind.GEOMETRY not in takes.takes:
            call = f"{function}({','.join(_ARGUMENTS[kind] for kind in takes.takes)})"
            yield count(parse_path("Datastreams").steps, parse_filter(f"{call} ne null", entity), access)
    for operator in ("add", "sub", "mul", "div", "mod"):
        condition = parse_filter(f"properties/a {operator} id gt -properties/b", entity)
        yield count(parse_path("Datastreams").steps, condition, access)


@pytest.mark.parametrize("access", ACCESSES)
def test_every_shape_can_be_prepared(conn: psycopg.Connection, access: str) -> None:
    make_partitions(conn)
    found = {statement.sql: statement for statement in shapes(ACCESSES[access])}
    assert len(found) > 300
    cursor = psycopg.RawCursor(conn)
    for statement in found.values():
        cursor.execute(f"EXPLAIN {statement.sql}", statement.values)
