"""JSON that the store or a later reader would stumble over is refused at the door."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.exchange.sensorthings.validate_json import DEPTH_LIMIT, parse_json, parse_object
from mainzdigital.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "body"),
        (b"  ", "body"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1,\n}', "line 2, column 1"),
        (b'{"a": 1, "a": 2}', "a"),
        (b'{"x": {"a": 1, "a": 2}}', "a"),
        (b'{"a": "\\u0000"}', "a"),
        (b'{"a": ["\\ud800"]}', "a[0]"),
        (b'{"\\udfff": 1}', "body"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "1e400"),
        (b'{"a": ' + b"9" * 400 + b"}", "9" * 20),
        (b'{"a": ' + b"9" * 100_000 + b"}", "9" * 20),
        (b'"\xff"', "byte 1"),
        (b'"\xed\xa0\x80"', "byte 1"),
        (b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1), "body"),
        (b"[" * 200_000, "body"),
        (b"[" * 200_000 + b"]" * 200_000, "body"),
    ],
)
def test_refused(data: bytes, where: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse_json(data)
    assert refusal.value.where == where


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_a_body_is_an_object(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_object(data)


def test_whole_surrogate_pairs_and_byte_order_marks_are_fine() -> None:
    assert parse_object(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_the_limit_itself_is_fine() -> None:
    parse_json(b"[" * DEPTH_LIMIT + b"]" * DEPTH_LIMIT)


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=5)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5), inner),
    max_leaves=30,
)  # fmt: skip


@given(_plain, st.booleans())
def test_everything_else_comes_through_unchanged(value: object, plain: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=plain).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        parse_json(data)
