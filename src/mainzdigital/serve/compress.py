"""Content codings of answers and requests (RFC 9110, 8.4 and 12.5.3): gzip, br, zstd.

Levels are low: the api process has a small budget of CPU, and JSON shrinks to a tenth at any level. Who asks for no
coding pays nothing.
"""

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from functools import lru_cache
from typing import Protocol

import brotli

from mainzdigital.kernel.errors import InvalidInput, TooLarge, UnsupportedMediaType

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEAST = 1_024  # bytes; below, the head of the answer is most of it
CODINGS = ("zstd", "br", "gzip")  # the best first, among those that a client likes equally
_GZIP_LEVEL, _BROTLI_QUALITY, _ZSTD_LEVEL = 3, 3, 1
_APART = 256 * 1024  # bytes; more is coded in a thread, so that others need not wait
_COMPRESSIBLE = ("application/json", "text/csv", "text/plain", "text/html", "application/geo+json", "application/xml")


@lru_cache(512)
def chosen(header: str) -> str:
    """The coding for an Accept-Encoding header; empty for identity."""
    given: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name:
            given["gzip" if name == "x-gzip" else name] = quality if 0 <= quality <= 1 else 0.0
    rest = given.get("*", 0.0)
    best = max(CODINGS, key=lambda name: given.get(name, rest))
    quality = given.get(best, rest)
    # Named without a preference, identity is only what is left.
    return best if quality > 0 and quality >= given.get("identity", 0.0) else ""


def compressible(content_type: str) -> bool:
    """Whether coding makes answers of this type smaller; streams of events must not wait in a buffer."""
    return content_type.partition(";")[0].strip().lower() in _COMPRESSIBLE


class _Coder(Protocol):
    def add(self, chunk: bytes) -> bytes: ...
    def end(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 31)

    def add(self, chunk: bytes) -> bytes:
        return self._inner.compress(chunk)

    def end(self) -> bytes:
        return self._inner.flush()


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Compressor(quality=_BROTLI_QUALITY)

    def add(self, chunk: bytes) -> bytes:
        return bytes(self._inner.process(chunk))

    def end(self) -> bytes:
        return bytes(self._inner.finish())


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstd.ZstdCompressor(level=_ZSTD_LEVEL)

    def add(self, chunk: bytes) -> bytes:
        return self._inner.compress(chunk)

    def end(self) -> bytes:
        return self._inner.flush()


_CODERS: dict[str, Callable[[], _Coder]] = {"gzip": _Gzip, "br": _Brotli, "zstd": _Zstd}


def _whole(body: bytes, coding: str) -> bytes:
    coder = _CODERS[coding]()
    return coder.add(body) + coder.end()


async def compress(body: bytes, coding: str) -> bytes:
    """The body in a coding of CODINGS."""
    if len(body) > _APART:
        return await asyncio.to_thread(_whole, body, coding)
    return _whole(body, coding)


async def compress_stream(chunks: AsyncIterator[bytes], coding: str) -> AsyncIterator[bytes]:
    """The same, chunk by chunk."""
    coder = _CODERS[coding]()
    try:
        async for chunk in chunks:
            if coded := coder.add(chunk):
                yield coded
        yield coder.end()
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


async def decode(body: bytes, header: str, *, limit: int) -> bytes:
    """A request body without its Content-Encoding.

    Raises UnsupportedMediaType for a coding other than gzip, InvalidInput where the body is not in it, and TooLarge
    as soon as more than `limit` bytes come out, whatever went in.
    """
    codings = [name for part in header.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if not codings:
        return body
    if codings not in (["gzip"], ["x-gzip"]):
        raise UnsupportedMediaType(
            f"a body in the coding '{header[:80]}' is not taken here", where="Content-Encoding",
            remedy="send it as gzip or as it is",
        )  # fmt: skip
    return await asyncio.to_thread(_gunzip, body, limit) if len(body) > _APART // 16 else _gunzip(body, limit)


def _gunzip(body: bytes, limit: int) -> bytes:
    found: list[bytes] = []
    left = limit + 1
    while body:  # a gzip file may have several members (RFC 1952, 2.2)
        inner = zlib.decompressobj(31)
        try:
            chunk = inner.decompress(body, left)
        except zlib.error:
            raise _broken() from None
        found.append(chunk)
        left -= len(chunk)
        if left <= 0:
            raise too_large(limit)
        if not inner.eof:
            raise _broken()
        body = inner.unused_data
    return b"".join(found)


def too_large(limit: int) -> TooLarge:
    """The refusal of a body of more than `limit` bytes."""
    return TooLarge(
        f"the body is larger than {limit // 1024} KiB (limit MAINZDIGITAL_BODY_LIMIT)", where="body",
        remedy="send it in several smaller requests",
    )  # fmt: skip


def _broken() -> InvalidInput:
    return InvalidInput(
        "the body is not gzip, or not all of it", where="body", remedy="send it again, or without Content-Encoding"
    )
