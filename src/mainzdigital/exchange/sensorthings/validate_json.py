"""JSON of a request body, checked before anybody looks at its meaning.

Refused are what JSON allows and the store or a later reader would stumble over: an object with the same key twice
(RFC 8259, 4: behaviour unpredictable), NUL characters and lone surrogates (PostgreSQL text cannot hold them), numbers
beyond double precision, deep nesting.
"""

import json
import math
import re
from typing import NoReturn

from mainzdigital.kernel.errors import InvalidInput

DEPTH_LIMIT = 40
_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def parse_json(data: bytes, *, depth: int = DEPTH_LIMIT) -> object:
    """The value of a JSON text in UTF-8, at most `depth` levels deep; raises InvalidInput."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("the body is not UTF-8", where=f"byte {error.start}", remedy="send JSON in UTF-8") from None
    if not text.strip():
        raise InvalidInput("the body is empty", where="body", remedy="send a JSON object")
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"the body is not JSON: {error.msg}", where=f"line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep(depth) from None
    # With so few brackets nothing can be deep.
    if text.count("[") + text.count("{") > depth and nesting(value, depth) > depth:
        raise _too_deep(depth)
    if _ESCAPES.search(data):
        _check_text(value, "body")
    return value


def parse_object(data: bytes, *, depth: int = DEPTH_LIMIT) -> dict[str, object]:
    """The JSON object of a body; raises InvalidInput."""
    value = parse_json(data, depth=depth)
    if not isinstance(value, dict):
        raise InvalidInput("the body must be one JSON object", where="body", remedy='send {"name": …}')
    return value


def _too_deep(depth: int) -> InvalidInput:
    return InvalidInput(
        f"the body is nested more than {depth} levels deep (limit MAINZDIGITAL_JSON_DEPTH)", where="body",
        remedy="write it flatter",
    )  # fmt: skip


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise InvalidInput(f"the key '{_printable(key)}' stands twice in one object", where=_printable(key))
            seen.add(key)
    return value


def _constant(name: str) -> NoReturn:
    raise InvalidInput(f"{name} is no JSON number", where=name, remedy="send null, or a text")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise InvalidInput(f"the number {text[:30]} is beyond double precision", where=text[:30])
    return value


def _integer(text: str) -> float | int:
    if len(text) > 309:
        raise InvalidInput(
            f"the number {text[:20]}… is beyond double precision", where=text[:20], remedy="send it as text"
        )
    value = int(text)
    if not -(2**1023) < value < 2**1023:
        raise InvalidInput(
            f"the number {text[:20]}… is beyond double precision", where=text[:20], remedy="send it as text"
        )
    return value if value or text[0] != "-" else -0.0


def nesting(value: object, most: int = DEPTH_LIMIT) -> int:
    """How deep objects and lists stand in one another, counted without recursion and not far beyond `most`."""
    deepest, level = 0, [value]
    while level and deepest <= most + 1:
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not any(isinstance(item, dict | list) for item in level):
            break
        deepest += 1
        level = below
    return deepest


# One decoder for all: making it costs as much as a small body.
_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_integer
).decode


def _check_text(value: object, where: str) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidInput("a text holds the character NUL", where=where, remedy="leave it out")
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidInput(
                "a text holds half of a surrogate pair", where=where, remedy="send whole characters"
            ) from None
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_text(key, where)
            _check_text(item, f"{where}.{key}" if where != "body" else key)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            _check_text(item, f"{where}[{i}]")


def _printable(text: str) -> str:
    return text[:80].encode("utf-8", "replace").decode()
