"""One rule of visibility for all entity types, read by the reference evaluator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.govern.access import guard, visible
from mainzdigital.kernel.access import ANONYMOUS, AccessClass, Reader, Scope, reader_for
from mainzdigital.kernel.expression import TRUE
from mainzdigital.query.evaluate import matches
from mainzdigital.store.model import ENTITY_TYPES
from tests.query.city import City
from tests.query.random_city import cities


@pytest.mark.parametrize("name", sorted(ENTITY_TYPES))
def test_who_sees_everything_is_asked_nothing(name: str) -> None:
    manager = reader_for("user:1", Scope.MANAGE)
    assert visible(name, manager) == TRUE
    assert guard(manager) is None
    assert visible(name, ANONYMOUS) != TRUE


def test_readers_who_see_the_same_share_their_statements() -> None:
    assert guard(ANONYMOUS) is guard(reader_for("user:7", None))
    assert guard(ANONYMOUS) is not guard(reader_for("key:1", Scope.READ))


@given(cities(), st.sets(st.sampled_from(list(AccessClass))))
def test_visible_is_what_deleting_the_hidden_leaves(city: City, classes: set[AccessClass]) -> None:
    """The trees against the deletion that the tests of non-interference are measured by."""
    reader = Reader("somebody", frozenset(), frozenset(classes))
    left = city.without_hidden(frozenset(item.value for item in classes)).nodes()
    for name, rows in city.nodes().items():
        seen = [row["id"] for row in rows if matches(visible(name, reader), row, ENTITY_TYPES[name])]
        assert seen == [row["id"] for row in left[name]], name
