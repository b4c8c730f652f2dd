"""The compiled SQL keeps and orders the rows that the reference evaluator keeps and orders (architecture §7)."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainzdigital.kernel.expression import Path
from mainzdigital.query.evaluate import matches, sort
from mainzdigital.store.compile_geo import asked_in
from mainzdigital.store.entities_read import Access, Selection, Step, page
from mainzdigital.store.model import ENTITY_TYPES
from mainzdigital.store.select import Plan, Rows, run
from mainzdigital.store.spatial import resolve_geometries
from tests.query.city import City, Row, ends, make_partitions
from tests.query.random_city import cities
from tests.query.trees import NOW, filters, orderings

_SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def city_db(conn: psycopg.Connection) -> psycopg.Connection:
    make_partitions(conn)
    return conn


def tied(rows: list[Row], entity: str) -> list[Row]:
    """The order of rows that all keys call equal."""
    if entity != "Observation":
        return sorted(rows, key=lambda row: row["id"])
    return sorted(rows, key=lambda row: (ends(row["phenomenonTime"])[0], row["stream"]["id"], row["seq"]))


def ask(conn: psycopg.Connection, entity: str, selection: Selection) -> list[tuple[object, ...]]:
    expressions = [item for item, _ in selection.orderings]
    if selection.filter is not None:
        expressions.append(selection.filter)

    def plan() -> Plan[Rows]:
        asked = [one for item in expressions for one in asked_in(item, ENTITY_TYPES[entity])]
        access = yield from resolve_geometries(asked, Access(), most=1000)
        rows: Rows = yield page([Step(ENTITY_TYPES[entity])], selection, access)
        return rows

    return list(run(conn, plan()))


@settings(max_examples=80, deadline=None, suppress_health_check=_SLOW)
@given(data=st.data(), city=cities())
def test_filters(city_db: psycopg.Connection, data: st.DataObject, city: City) -> None:
    city.insert(city_db)
    nodes = city.nodes()
    for _ in range(6):
        name = data.draw(st.sampled_from(sorted(ENTITY_TYPES)))
        tree = data.draw(filters(name))
        expected = [row for row in nodes[name] if matches(tree, row, ENTITY_TYPES[name], now=NOW)]
        rows = ask(city_db, name, Selection(("id",), filter=tree))
        assert [row[0] for row in rows] == [row["id"] for row in tied(expected, name)], tree


@settings(max_examples=40, deadline=None, suppress_health_check=_SLOW)
@given(data=st.data(), city=cities())
def test_orders_and_pages(city_db: psycopg.Connection, data: st.DataObject, city: City) -> None:
    city.insert(city_db)
    nodes = city.nodes()
    for _ in range(5):
        name = data.draw(st.sampled_from(sorted(ENTITY_TYPES)))
        entity = ENTITY_TYPES[name]
        keys = data.draw(orderings(name))
        before = tied(nodes[name], name)
        if name == "Observation" and keys and keys[-1] == (Path(("phenomenonTime",)), True):
            before = sorted(before, key=lambda row: (row["stream"]["id"], row["seq"]), reverse=True)
        expected = [row["id"] for row in sort(before, keys, entity, now=NOW)]
        whole = ask(city_db, name, Selection(("id",), orderings=tuple(keys)))
        assert [row[0] for row in whole] == expected, keys
