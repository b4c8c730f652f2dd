"""One polite question to a server on the web: bounded in time and size, honest about who asks."""

import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from mainzdigital.kernel.errors import CityError

_SECONDS = 30.0  # between two pieces of an answer
_WHOLE_SECONDS = 120.0
_MOST_BYTES = 20_000_000
_BLOCK = 1 << 16
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 6 * 3600


class Failed(CityError):
    """The source did not give what it should; `retry_after` where it says when to come again."""

    status = 502


class _SameServer(HTTPRedirectHandler):
    """An answer that sends us to another server is not followed: who runs the city named this one."""

    def redirect_request(  # noqa: PLR0917 - as the library has it
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (new.scheme, new.netloc) != (old.scheme, old.netloc):
            raise Failed(
                f"{old.netloc} sends us to {newurl[:200]}", where="address", remedy="correct `address` in city.toml"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_open = build_opener(_SameServer()).open


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks as `agent`, which names the platform and a way to reach who runs it."""

    agent: str

    def json(self, address: str) -> object:
        """The JSON at an address. Raises Failed, whatever goes wrong on the way or there."""
        host = urlsplit(address).netloc
        headers = {"User-Agent": self.agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
        try:
            with _open(Request(address, headers=headers), timeout=_SECONDS) as answer:  # noqa: S310 - city.toml names it
                kind = answer.headers.get_content_type()
                body = _read(answer, host, packed=answer.headers.get("Content-Encoding", "") == "gzip")
        except HTTPError as error:
            with error:
                raise _refusal(host, error) from None
        except (OSError, HTTPException, zlib.error, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise Failed(f"{host} does not answer: {str(reason) or type(error).__name__}", where=host) from None
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            shown = body[:60].decode("utf-8", "replace").strip()
            raise Failed(f"{host} answers with {kind} instead of JSON: {shown!r}", where=host) from None


def _read(answer: IO[bytes], host: str, *, packed: bool) -> bytes:
    until = time.monotonic() + _WHOLE_SECONDS
    unpack = zlib.decompressobj(wbits=31) if packed else None
    blocks: list[bytes] = []
    size = 0
    while block := answer.read(_BLOCK):
        if unpack is not None:
            block = unpack.decompress(block, _MOST_BYTES + 1)
        blocks.append(block)
        size += len(block)
        if size > _MOST_BYTES:
            raise Failed(f"{host} answers with more than {_MOST_BYTES // 1_000_000} MB", where=host)
        if time.monotonic() > until:
            raise Failed(f"{host} takes more than {_WHOLE_SECONDS:.0f} s to answer", where=host)
    return b"".join(blocks)


def _refusal(host: str, error: HTTPError) -> Failed:
    wait = None
    if error.code in _LATER:
        wait = retry_after(error.headers.get("Retry-After", ""), now=datetime.now(UTC))
    if error.code == 429:
        return Failed(f"{host} asks us to come less often (HTTP 429)", where=host, retry_after=wait)
    return Failed(f"{host} answers with HTTP {error.code}", where=host, retry_after=wait)


def retry_after(text: str, *, now: datetime) -> int | None:
    """Seconds of a Retry-After field (RFC 9110, 10.2.3), a number or a date; None where it says nothing. Most: 6 h."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(0, round((until - now).total_seconds())), _LONGEST_WAIT)
