"""A small typed ASGI toolkit: request, response, and nothing that the data APIs do not need."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from mainzdigital.kernel.errors import InvalidInput, NotAcceptable, UnsupportedMediaType
from mainzdigital.serve import compress

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

JSON_TYPE = "application/json"
STUCK = 30.0  # seconds a client may take for one chunk of a stream
BODY_LIMIT = 20 * 1024 * 1024  # bytes; larger loads go as files


class Disconnected(Exception):
    """The client went away before its request was complete; nobody is there to answer."""


@dataclass(slots=True)
class Request:
    """One HTTP request. `path` is percent-decoded, `query` is as sent, header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    client: str
    scheme: str
    receive: Receive
    # What a handler needs to know of its mount: the part of the path before it.
    mount: str = ""
    body_limit: int = BODY_LIMIT
    given: bytes | None = None  # the body of a request that stands in another one

    def cookie(self, name: str) -> str:
        """The first cookie of that name, or an empty text."""
        for part in self.headers.get("cookie", "").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name:
                return value
        return ""

    async def body(self, *, limit: int | None = None) -> bytes:
        """The whole body, out of its Content-Encoding.

        Raises TooLarge above `limit` bytes (those of the request, if none), as sent and as decoded; Disconnected.
        """
        most = self.body_limit if limit is None else limit
        if self.given is not None:
            return self.given
        body = await self._sent(most)
        coding = self.headers.get("content-encoding")
        return body if coding is None else await compress.decode(body, coding, limit=most)

    async def _sent(self, limit: int) -> bytes:
        declared = self.headers.get("content-length", "")
        if declared.isascii() and declared.isdigit() and int(declared[:19]) > limit:
            raise compress.too_large(limit)
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        if not message.get("more_body"):
            if len(chunk) > limit:
                raise compress.too_large(limit)
            return chunk
        chunks, size = [chunk], len(chunk)
        while message.get("more_body"):
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise compress.too_large(limit)
            chunks.append(chunk)
        return b"".join(chunks)


@dataclass(slots=True)
class Response:
    """One answer; `body` is bytes or, for a streaming answer, an iterator of bytes."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def decode_path(raw: bytes) -> str:
    """Percent-decode a path; raises InvalidInput where it is not UTF-8 or holds control characters."""
    text = raw.decode("latin-1")
    if broken := _ESCAPE.search(text):
        raise InvalidInput(
            "the path has a % that is no escape",
            where=f"path, character {broken.start() + 1}",
            remedy="write it as %25",
        )
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("the path is not UTF-8", where="path", remedy="percent-encode it as UTF-8") from None
    if _CONTROL.search(path):
        raise InvalidInput("the path has a control character", where="path")
    return path


def request_of(
    scope: Scope, receive: Receive, *, client_of: Callable[[str, Sequence[str]], str] = lambda peer, forwarded: peer
) -> Request:
    """The request of an ASGI scope; a header sent twice is joined by commas, cookies by semicolons.

    `client_of` tells the client's address from the peer's and the values of X-Forwarded-For. Raises InvalidInput.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        if name in headers:
            value = f"{headers[name]}{'; ' if name == 'cookie' else ', '}{value}"
        headers[name] = value
    raw_path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    client, forwarded = scope.get("client"), "x-forwarded-for" in headers
    return Request(
        method=scope["method"].upper(),
        path=decode_path(raw_path.partition(b"?")[0]) if scope.get("raw_path") else _checked(scope["path"]),
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=headers,
        client=client_of(client[0] if client else "", [headers["x-forwarded-for"]] if forwarded else []),
        scheme=scope.get("scheme", "http"),
        receive=receive,
    )


def _checked(path: str) -> str:
    """A path the server decoded itself."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput("the path is not UTF-8", where="path", remedy="percent-encode it as UTF-8") from None
    if "�" in path or _CONTROL.search(path):
        raise InvalidInput("the path has a control character or is not UTF-8", where="path")
    return path


def require_type(request: Request, *types: str) -> str:
    """The media type of the body, one of `types`; a missing one counts as the first. Raises UnsupportedMediaType."""
    given = request.headers.get("content-type", "")
    name, _, parameters = given.partition(";")
    name = name.strip().lower()
    if not name:
        return types[0]
    if name not in types:
        raise UnsupportedMediaType(
            f"a body of type '{name[:80]}' is not taken here", where="Content-Type", remedy=f"send {' or '.join(types)}"
        )
    for parameter in parameters.split(";"):
        key, _, value = parameter.strip().partition("=")
        if key.lower() == "charset" and value.strip('"').lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise UnsupportedMediaType("only UTF-8 is taken here", where="Content-Type", remedy="send UTF-8")
    return name


def require_accept(request: Request, *types: str) -> str:
    """The best of the offered `types` for the request's Accept header (RFC 9110, 12.5.1); raises NotAcceptable."""
    header = request.headers.get("accept", "").strip()
    if not header:
        return types[0]
    ranges: list[tuple[str, float]] = []
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        ranges.append((name, quality))

    def rank(offered: str) -> float:
        best, specificity = 0.0, -1
        for name, quality in ranges:
            if name == offered:
                level = 2
            elif name.endswith("/*") and name != "*/*" and offered.startswith(name[:-1]):
                level = 1
            elif name in {"*/*", "*"}:
                level = 0
            else:
                continue
            if level > specificity:
                best, specificity = quality, level
        return best

    chosen = max(types, key=rank)
    if rank(chosen) <= 0:
        raise NotAcceptable(
            f"nothing of '{header[:80]}' is offered here", where="Accept", remedy=f"accept {' or '.join(types)}"
        )
    return chosen


Headers = Sequence[tuple[bytes, bytes]]


def _head(response: Response, common: Headers) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]
    headers += common
    if response.content_type:
        headers.append((b"content-type", response.content_type.encode("latin-1")))
    return headers


async def send_response(response: Response, send: Send, *, head: bool, common: Headers = ()) -> None:
    """Send an answer, with `head` its headers only; `common` are headers of every answer, encoded already."""
    headers = _head(response, common)
    body = response.body if isinstance(response.body, bytes) else b""
    if isinstance(response.body, bytes) and response.status not in {204, 304}:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def send_stream(response: Response, receive: Receive, send: Send, *, common: Headers = ()) -> None:
    """Send a streaming answer until it ends, the client leaves, or takes longer than STUCK seconds for a chunk."""
    assert not isinstance(response.body, bytes)
    body = response.body
    await send({"type": "http.response.start", "status": response.status, "headers": _head(response, common)})

    async def sending() -> None:
        async for chunk in body:
            await asyncio.wait_for(send({"type": "http.response.body", "body": chunk, "more_body": True}), STUCK)
        await send({"type": "http.response.body", "body": b""})

    tasks = [asyncio.ensure_future(sending()), asyncio.ensure_future(_left(receive))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        if isinstance(body, AsyncGenerator):
            await body.aclose()  # gives back what it holds
    # What failed in the midst must not look like an end.
    if isinstance(results[0], Exception) and not isinstance(results[0], TimeoutError | OSError):
        raise results[0]


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def origin_header(value: str) -> str:
    """A text that may stand in a header: no line breaks, latin-1 only."""
    return "".join(character if 32 <= ord(character) < 256 and ord(character) != 127 else "?" for character in value)
