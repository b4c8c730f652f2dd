"""API keys and the portal's read cookie: pure functions, no Django, no I/O; `serve` and the portal share them.

A key is 256 random bits, so its plain SHA-256 is a safe thing to store. The cookie lets a signed-in browser read the
data APIs with GET and HEAD from the portal's own pages; it says who reads and how far, and ends by itself.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from mainzdigital.kernel.access import Scope

KEY_MARK = "mzd_"
SHOWN = len(KEY_MARK) + 6  # characters of a key that lists show; 208 bits stay unseen
PORTAL_COOKIE = "md_read"
PORTAL_LIFE = timedelta(minutes=15)
_SUBJECT = re.compile(r"[a-z]{1,10}:[0-9]{1,18}")


def new_key() -> tuple[str, str]:
    """A new API key: (plain text, shown once; digest, stored)."""
    plain = KEY_MARK + secrets.token_urlsafe(32)
    return plain, digest(plain)


def digest(plain: str) -> str:
    """SHA-256 of a key, 64 hexadecimal digits; any text is answered, also what is no key."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def shown(plain: str) -> str:
    """The beginning of a key, by which its owner tells it from others."""
    return plain[:SHOWN]


def sign_portal(secret_key: str, subject: str, scope: Scope | None, *, now: datetime) -> str:
    """The value of the cookie `md_read` for a subject such as `user:7`; good for 15 minutes from `now` (aware)."""
    if not _SUBJECT.fullmatch(subject):
        raise ValueError(f"'{subject}' is not a subject")
    payload = f"{subject}|{scope.value if scope else ''}|{int((now + PORTAL_LIFE).timestamp())}"
    return f"{_encode(payload.encode())}.{_encode(_signature(secret_key, payload))}"


def read_portal(secret_key: str, cookie: str, *, now: datetime) -> tuple[str, Scope | None] | None:
    """Subject and scope of a cookie that we signed and that has not ended; else None, whatever the text."""
    content = _content(secret_key, cookie)
    if content is None or content[2] <= now.timestamp():
        return None
    return content[0], content[1]


def portal_seconds_left(secret_key: str, cookie: str, *, now: datetime) -> float:
    """Seconds until the cookie ends; 0 where it is not ours or has ended."""
    content = _content(secret_key, cookie)
    return max(0.0, content[2] - now.timestamp()) if content else 0.0


def _content(secret_key: str, cookie: str) -> tuple[str, Scope | None, int] | None:
    if len(cookie) > 200 or not cookie.isascii() or cookie.count(".") != 1:
        return None
    first, second = cookie.split(".")
    payload_bytes, given = _decode(first), _decode(second)
    if payload_bytes is None or given is None:
        return None
    payload = payload_bytes.decode("ascii", "replace")
    if not hmac.compare_digest(_signature(secret_key, payload), given):
        return None
    subject, scope, end = payload.split("|")
    return subject, Scope(scope) if scope else None, int(end)


def _signature(secret_key: str, payload: str) -> bytes:
    # A key of its own: what Django signs with the same secret can never pass for a cookie of ours.
    key = hashlib.sha256(b"mainzdigital.portal-read\0" + secret_key.encode()).digest()
    return hmac.digest(key, payload.encode("utf-8", "surrogatepass"), "sha256")


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decode(text: str) -> bytes | None:
    try:
        value = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return value if _encode(value) == text else None  # one spelling only: nobody alters a cookie unseen
