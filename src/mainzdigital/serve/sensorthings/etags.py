"""Entity tags: a digest of an entity's representation without query options (RFC 9110, 8.8.3)."""

import hashlib


def etag(body: bytes) -> str:
    """The strong entity tag of a representation, quotes included."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def matches(header: str, tag: str, *, weak: bool) -> bool:
    """Whether If-Match (`weak` False) or If-None-Match (`weak` True) names a tag (RFC 9110, 13.1)."""
    if header.strip() == "*":
        return True
    given = (item.strip() for item in header.split(","))
    return any(item == tag or (weak and item == f"W/{tag}") for item in given)
