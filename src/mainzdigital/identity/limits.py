"""A limit on how often one network may do something, for forms that need no account. Sign-in has allauth's limits."""

import hashlib
import time

from django.core.cache import cache
from django.http import HttpRequest

from mainzdigital.identity.origin import client_address


def allowed(request: HttpRequest, *, action: str, count: int, seconds: int) -> bool:
    """Whether this is at most the `count`-th time in the present stretch of `seconds`; counts it.

    Two requests at the same moment may pass as one: this keeps floods away, it is no lock.
    """
    stretch = int(time.time()) // seconds
    address = hashlib.sha256(client_address(request).encode()).hexdigest()[:32]
    key = f"limit:{action}:{stretch}:{address}"
    so_far = int(cache.get(key, 0))
    if so_far >= count:
        return False
    cache.set(key, so_far + 1, seconds)
    return True
