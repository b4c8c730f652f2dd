"""Everything that is no data API goes on to `web` over its Unix socket, streaming both ways (architecture §2, 7).

Both ends are parsers of their own: what goes on is written anew from the parsed request, without the headers that
belong to one connection (RFC 9110, 7.6.1) and without any that could be taken for ours.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import yarl
from multidict import CIMultiDict

from mainzdigital.serve.proxies import Proxies

_logger = logging.getLogger(__name__)

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "expect",
    }
)  # fmt: skip
# What tells of the client is ours to say.
_OURS = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port",
                   "x-forwarded-prefix", "x-forwarded-server", "x-real-ip", "content-length"})  # fmt: skip
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_AS_IT_CAME = "!$&'()*+,;=:@/?%-._~[]{}|^`\"<>\\"
_SLOWEST = 120  # seconds that web may be silent

_PAGE = """<!doctype html>
<html lang="de"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title></head>
<body><main><h1>{title}</h1>
<p>{german}</p>
<p lang="en">{english}</p>
</main></body></html>
"""
_DOWN = _PAGE.format(
    title="Gleich wieder da",
    german="Die Seiten werden gerade neu gestartet. Bitte laden Sie diese Seite in einigen Sekunden noch einmal.",
    english="The pages are being restarted. Please reload in a few seconds.",
).encode()
_BROKEN = _PAGE.format(
    title="Die Antwort blieb aus",
    german="Ihre Anfrage wurde angenommen, aber nicht beantwortet. Bitte prüfen Sie, ob Ihre Änderung angekommen ist, "
    "bevor Sie sie wiederholen.",
    english="Your request was taken but not answered. Please check whether your change was made before you repeat it.",
).encode()


class Relay:
    """An ASGI application that passes requests to `web`. `origin` is the public address, `proxies` who is believed."""

    def __init__(self, *, socket: Path, origin: str, proxies: Proxies) -> None:
        self._socket = socket
        parts = urlsplit(origin)
        self._origin_host, self._origin_scheme = parts.netloc.lower(), parts.scheme
        self._proxies = proxies
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # A connection each: a Unix socket costs little, a worker that is busy takes none, and no request is
                # ever lost to a connection that web was just closing.
                connector=aiohttp.UnixConnector(str(self._socket), force_close=True, limit=0),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SLOWEST),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["method"] not in _METHODS:
            await _answer(send, 501, b"", head=True)
            return
        # aiohttp writes headers as UTF-8, so they are read as that.
        given = [
            (name.decode("utf-8", "replace").lower(), value.decode("utf-8", "replace"))
            for name, value in scope["headers"]
        ]
        lengths = {value.strip() for name, value in given if name == "content-length"}
        chunked = any(name == "transfer-encoding" for name, _ in given)
        if chunked or len(lengths) > 1 or not all(length.isascii() and length.isdigit() for length in lengths):
            # WSGI knows bodies of a stated length only; all browsers state it.
            await _answer(send, 411 if chunked else 400, b"", head=True)
            return
        length = int(lengths.pop()) if lengths else 0
        headers = self._headers(scope, given)
        if lengths or length or scope["method"] not in {"GET", "HEAD", "OPTIONS"}:
            headers["Content-Length"] = str(length)
        await self._pass(scope, receive, send, headers, length)

    def _headers(self, scope: _Scope, given: list[tuple[str, str]]) -> CIMultiDict[str]:
        named = {token.strip().lower() for name, value in given if name == "connection" for token in value.split(",")}
        headers: CIMultiDict[str] = CIMultiDict()
        host, forwarded, proto = "", [], ""
        for name, value in given:
            if name == "host":
                host = value
            elif name == "x-forwarded-for":
                forwarded.append(value)
            elif name == "x-forwarded-proto":
                proto = value
            # WSGI cannot tell X_Forwarded_For from X-Forwarded-For.
            if name in _HOP_BY_HOP or name in _OURS or name in named or "_" in name:
                continue
            headers.add(name, value)
        peer = (scope.get("client") or ("",))[0]
        believed = self._proxies.trusts(peer)
        if not (believed and proto in {"http", "https"}):
            proto = self._origin_scheme if host.lower() == self._origin_host else scope.get("scheme", "http")
        headers["X-Forwarded-For"] = self._proxies.client(peer, forwarded)
        headers["X-Forwarded-Host"] = host
        headers["X-Forwarded-Proto"] = proto
        return headers

    async def _pass(
        self, scope: _Scope, receive: _Receive, send: _Send, headers: CIMultiDict[str], length: int
    ) -> None:
        # What no request line may hold, such as a space, is written as RFC 3986 asks; the rest stays as it came.
        path = quote((scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0], safe=_AS_IT_CAME)
        query = quote(scope.get("query_string", b""), safe=_AS_IT_CAME)
        head = scope["method"] == "HEAD"
        try:
            url = yarl.URL(f"http://web/{path.lstrip('/')}" + (f"?{query}" if query else ""), encoded=True)
        except ValueError:
            await _answer(send, 400, b"", head=True)
            return
        body = _Body(receive, empty=not length)
        begun = False
        try:
            async with self._open().request(
                scope["method"], url, headers=headers, data=body.chunks() if length else None, allow_redirects=False
            ) as answer:
                await send(
                    {"type": "http.response.start", "status": answer.status, "headers": _kept(answer.raw_headers)}
                )
                begun = True
                await _stream(answer, body, send)
        except _ClientGone:
            return
        except ValueError:  # a header that cannot be written again
            await _answer(send, 400, b"", head=True)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if body.gone:
                return
            if begun:
                # The status is out: only a broken connection tells the client that the rest is missing.
                _logger.warning("web broke off an answer to %s: %s", scope["path"], error)
                raise
            _logger.warning("web does not answer: %s", error or type(error).__name__)
            lost = scope["method"] not in {"GET", "HEAD"} and not isinstance(error, aiohttp.ClientConnectorError)
            await _answer(send, 502 if lost else 503, _BROKEN if lost else _DOWN, head=head)


class _ClientGone(Exception):
    pass


class _Body:
    """The request's body; afterwards, the news that the client has gone."""

    def __init__(self, receive: _Receive, *, empty: bool) -> None:
        self._receive = receive
        self.gone = False
        self._complete = asyncio.Event()
        if empty:
            self._complete.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._complete.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise _ClientGone
            if chunk := message.get("body"):
                yield chunk
            if not message.get("more_body"):
                self._complete.set()

    async def until_gone(self) -> None:
        # An answer may begin before the whole request is read; until then what comes is its body.
        await self._complete.wait()
        while not self.gone:
            message = await self._receive()
            self.gone = message["type"] == "http.disconnect"


async def _stream(answer: aiohttp.ClientResponse, body: _Body, send: _Send) -> None:
    first = await answer.content.readany()
    if answer.content.at_eof():
        await send({"type": "http.response.body", "body": first})
        return
    await send({"type": "http.response.body", "body": first, "more_body": True})
    # A long answer is worth a watch over its reader; a short one is out before it could matter.
    watch = asyncio.ensure_future(body.until_gone())
    try:
        while not watch.done():
            chunk = asyncio.ensure_future(answer.content.readany())
            await asyncio.wait({chunk, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not chunk.done():
                chunk.cancel()
                with suppress(asyncio.CancelledError):
                    await chunk
                raise _ClientGone
            data = chunk.result()
            if not data:
                break
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        watch.cancel()


def _kept(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower(), value) for name, value in raw]
    named = {token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")}
    dropped = {name.encode() for name in _HOP_BY_HOP} | named | {b"server", b"date"}
    return [(name, value) for name, value in headers if name not in dropped]


async def _answer(send: _Send, status: int, body: bytes, *, head: bool) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    if body:
        headers.append((b"content-type", b"text/html; charset=utf-8"))
        headers.append((b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"))
    if status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
