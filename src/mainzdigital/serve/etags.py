"""Entity tags (RFC 9110, 8.8.3): a digest of the representation.

Strong for one entity without query options, which is what If-Match compares; weak for every other answer. A coded
answer has a strong tag of its own, `"…-gzip"`, that stands for the same state.
"""

import hashlib
import re

import xxhash

_CODED = re.compile(r'-(?:gzip|br|zstd)"$')


def etag(body: bytes, *, weak: bool = False) -> str:
    """The entity tag of a representation, quotes included."""
    if weak:  # stands on every page of every collection, and nothing is written by it
        return f'W/"{xxhash.xxh3_128_hexdigest(body)}"'
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def coded(tag: str, coding: str) -> str:
    """The tag of the same representation in a content coding; a weak one stays."""
    return tag if tag.startswith("W/") else f'{tag[:-1]}-{coding}"'


def matches(header: str, tag: str, *, weak: bool) -> bool:
    """Whether If-Match (`weak` False) or If-None-Match (`weak` True) names a tag (RFC 9110, 13.1)."""
    if header.strip() == "*":
        return True
    given = (_CODED.sub('"', item.strip()) for item in header.split(","))
    if not weak:
        return not tag.startswith("W/") and any(item == tag for item in given)
    plain = tag.removeprefix("W/")
    return any(item.removeprefix("W/") == plain for item in given)
