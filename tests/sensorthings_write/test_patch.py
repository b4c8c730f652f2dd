"""JSON Patch, held against the examples of RFC 6902, appendix A, and against a well-kept library."""

import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.exchange.sensorthings.write_patch import apply, changes
from mainzdigital.kernel.errors import Conflict, InvalidInput, TooLarge


@pytest.mark.parametrize(
    ("before", "operations", "after"),
    [
        ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
        ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "q"}], {"foo": ["bar", "q", "baz"]}),
        ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["a"]}], {"foo": ["bar", ["a"]]}),
        ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
        ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
        ({"foo": [1, 2]}, [{"op": "replace", "path": "/foo/0", "value": 5}], {"foo": [5, 2]}),
        ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
        ({"a": {"b": [1]}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": [1]}, "c": {"b": [1]}}),
        ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
        ({"foo": None}, [{"op": "replace", "path": "/foo", "value": 1}], {"foo": 1}),
        ({"foo": 1}, [{"op": "add", "path": "", "value": {"a": 2}}], {"a": 2}),
    ],
)
def test_operations(before: dict[str, object], operations: object, after: dict[str, object]) -> None:
    kept = copy.deepcopy(before)
    assert apply(before, operations) == after
    assert before == kept


@pytest.mark.parametrize(
    "operations",
    [
        {}, "x", [1], [{}], [{"op": "add"}], [{"op": "add", "path": "/a"}], [{"op": "jump", "path": "/a"}],
        [{"op": ["add"], "path": "/a", "value": 1}], [{"op": "add", "path": "a", "value": 1}],
        [{"op": "remove", "path": "/zz"}], [{"op": "replace", "path": "/zz", "value": 1}],
        [{"op": "add", "path": "/zz/a", "value": 1}], [{"op": "add", "path": "/list/5", "value": 1}],
        [{"op": "add", "path": "/list/01", "value": 1}], [{"op": "add", "path": "/list/-1", "value": 1}],
        [{"op": "remove", "path": "/list/-"}], [{"op": "remove", "path": ""}],
        [{"op": "add", "path": "/text/a", "value": 1}], [{"op": "move", "from": "/map", "path": "/map/a"}],
        [{"op": "move", "path": "/a"}], [{"op": "add", "path": "", "value": []}],
        [{"op": "test", "path": "/text", "value": "t"}] * 201,
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused(operations: object) -> None:
    with pytest.raises(InvalidInput):
        apply({"text": "t", "list": [1], "map": {}}, operations)


@pytest.mark.parametrize("value", [True, 2, "1", None, [1]])
def test_a_test_that_fails_is_a_conflict(value: object) -> None:
    with pytest.raises(Conflict):
        apply({"a": 1}, [{"op": "test", "path": "/a", "value": value}])


def test_copies_of_copies_are_bounded() -> None:
    wide = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 100
    deep = [{"op": "copy", "from": "", "path": "/b"}] * 100
    for operations in (wide, deep):
        with pytest.raises(TooLarge):
            apply({"a": [1]}, operations)


_json = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "~", "/"]), inner),
    max_leaves=10,
)
_objects = st.dictionaries(st.sampled_from(["a", "b", "c", "~", "/"]), _json)


@given(_objects, _objects)
def test_patches_made_by_another_program_lead_to_its_result(before: dict[str, Any], after: dict[str, Any]) -> None:
    operations = json.loads(jsonpatch.make_patch(before, after).to_string())
    assert apply(before, operations) == after


@given(_objects, _objects)
def test_changes_say_all_that_differs(before: dict[str, object], after: dict[str, object]) -> None:
    changed = changes(before, after)
    assert {**{name: None for name in before if name not in after}, **after} == {**before, **changed}
    assert not any(name in after and changed[name] == before.get(name, ...) for name in changed)
