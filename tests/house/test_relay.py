"""The relay between the public port and the pages, against a server that shows what it was sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.serve.proxies import Proxies
from mainzdigital.serve.relay import Relay

Headers = list[tuple[bytes, bytes]]
Answer = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Web:
    """A server behind a Unix socket that notes the raw head and body of each request."""

    def __init__(self, socket: Path, answer: bytes | Answer = OK) -> None:
        self.socket = socket
        self.answer = answer
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.serving: set[asyncio.Task[Any]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if callable(self.answer):
            await self.answer(head, reader, writer)
        else:
            self.bodies.append(await reader.readexactly(length))
            writer.write(self.answer)

    def header(self, name: str) -> list[str]:
        """Values of a header of the last request."""
        lines = self.heads[-1].decode("latin-1").split("\r\n")[1:]
        pairs = [line.split(":", 1) for line in lines if ":" in line]
        return [value.strip() for key, value in pairs if key.lower() == name.lower()]


@asynccontextmanager
async def web(folder: Path, answer: bytes | Answer = OK) -> AsyncIterator[Web]:
    found = Web(folder / "web.sock", answer)
    server = await asyncio.start_unix_server(found.serve, found.socket)
    try:
        yield found
    finally:
        server.close()
        if found.serving:
            await asyncio.wait(found.serving, timeout=30)
        await server.wait_closed()
        found.socket.unlink(missing_ok=True)


async def ask(
    relay: Relay, *, method: str = "GET", path: bytes = b"/", query: bytes = b"", headers: Headers | None = None,
    body: list[bytes] | None = None, client: str = "203.0.113.7", gone_after: int | None = None,
) -> tuple[int, dict[str, list[str]], bytes]:  # fmt: skip
    """One request through the relay: status, headers, body; `gone_after` body messages the client leaves."""
    chunks = list(body or [b""])
    sent: list[MutableMapping[str, Any]] = []
    finished = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if chunks:
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}
        if gone_after is None:
            await finished.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path.decode(), "raw_path": path, "query_string": query,
        "scheme": "http", "client": (client, 5),
        "headers": [(b"host", b"city.example")] if headers is None else headers,
    }  # fmt: skip
    await relay(scope, receive, send)
    finished.set()
    if not sent:
        return 0, {}, b""
    found: dict[str, list[str]] = {}
    for name, value in sent[0]["headers"]:
        found.setdefault(name.decode(), []).append(value.decode())
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await work

    return asyncio.run(main())


@asynccontextmanager
async def relay_to(socket: Path, *, origin: str = "https://city.example", trusted: str = "") -> AsyncIterator[Relay]:
    relay = Relay(socket=socket, origin=origin, proxies=Proxies(trusted))
    try:
        yield relay
    finally:
        await relay.close()


def test_passes_request_and_answer_on(tmp_path: Path) -> None:
    async def main() -> None:
        answer = b"HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 5\r\n\r\nh\xc3\xa4ll"
        async with web(tmp_path, answer) as found, relay_to(found.socket) as relay:
            status, headers, body = await ask(
                relay, method="POST", path=b"/a%2Fb/%C3%A4", query=b"q=1&r=%20",
                headers=[(b"host", b"city.example"), (b"content-length", b"6"), (b"cookie", b"x=y")],
                body=[b"abc", b"def"],
            )  # fmt: skip
            assert (status, headers["set-cookie"], body) == (201, ["a=1", "b=2"], b"h\xc3\xa4ll")
            assert found.heads[0].startswith(b"POST /a%2Fb/%C3%A4?q=1&r=%20 HTTP/1.1\r\n")
            assert found.bodies == [b"abcdef"]
            assert (found.header("cookie"), found.header("content-length")) == (["x=y"], ["6"])

    run(main())


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "X_Forwarded_For",
     "X-Forwarded_Proto", "Transfer-Encoding2_", "Proxy-Authorization", "Upgrade", "Keep-Alive", "TE", "X-Secret"],
)  # fmt: skip
def test_what_a_client_says_about_itself_does_not_pass(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        async with web(tmp_path) as found, relay_to(found.socket) as relay:
            headers = [
                (b"host", b"city.example"), (name.lower().encode(), b"203.0.113.99"), (b"connection", b"x-secret"),
            ]  # fmt: skip
            status, _, _ = await ask(relay, headers=headers)
            assert status == 200
            assert b"203.0.113.99" not in found.heads[0]
            assert found.header("x-forwarded-for") == ["203.0.113.7"]
            assert found.header("x-forwarded-host") == ["city.example"]

    run(main())


@pytest.mark.parametrize(
    ("client", "trusted", "forwarded", "proto", "host", "expected"),
    [
        # The public address is https, so who uses it came by https, whatever they say.
        ("203.0.113.7", "", "", "", "city.example", ("203.0.113.7", "https")),
        ("203.0.113.7", "", "", "https", "127.0.0.1:8000", ("203.0.113.7", "http")),
        ("127.0.0.1", "", "198.51.100.1", "https", "other", ("127.0.0.1", "http")),
        ("127.0.0.1", "127.0.0.1", "198.51.100.1", "https", "other", ("198.51.100.1", "https")),
        ("10.0.0.2", "10.0.0.0/8", "6.6.6.6, 198.51.100.1, 10.0.0.1", "http", "city.example", ("198.51.100.1", "http")),
        ("10.0.0.2", "10.0.0.0/8", "unknown", "", "other", ("10.0.0.2", "http")),
        ("10.0.0.2", "10.0.0.0/8", "10.0.0.9, 10.0.0.1", "", "other", ("10.0.0.9", "http")),
        ("2001:db8::1", "2001:db8::/32", "2001:db9::5", "https", "other", ("2001:db9::5", "https")),
    ],
)
def test_proxies_are_believed_only_if_named(  # noqa: PLR0917 the columns of a table
    tmp_path: Path, client: str, trusted: str, forwarded: str, proto: str, host: str, expected: tuple[str, str]
) -> None:
    async def main() -> None:
        async with web(tmp_path) as found, relay_to(found.socket, trusted=trusted) as relay:
            headers = [(b"host", host.encode())]
            headers += [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
            headers += [(b"x-forwarded-proto", proto.encode())] if proto else []
            await ask(relay, headers=headers, client=client)
            assert (found.header("x-forwarded-for"), found.header("x-forwarded-proto")) == (
                [expected[0]],
                [expected[1]],
            )

    run(main())


def test_proxies_are_addresses() -> None:
    with pytest.raises(InvalidInput, match="MAINZDIGITAL_TRUSTED_PROXIES"):
        Proxies("127.0.0.1, proxy")


def test_hop_by_hop_headers_of_an_answer_stay_behind(tmp_path: Path) -> None:
    async def main() -> None:
        answer = (
            b"HTTP/1.1 200 OK\r\nConnection: close, X-Inner\r\nX-Inner: 1\r\nKeep-Alive: 5\r\nServer: inner\r\n"
            b"X-Kept: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        async with web(tmp_path, answer) as found, relay_to(found.socket) as relay:
            status, headers, body = await ask(relay)
            assert (status, headers, body) == (200, {"x-kept": ["2"]}, b"abc")

    run(main())


def test_redirects_and_compressed_answers_pass_as_they_are(tmp_path: Path) -> None:
    async def main() -> None:
        answer = (
            b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00"
        )
        async with web(tmp_path, answer) as found, relay_to(found.socket) as relay:
            status, headers, body = await ask(relay)
            assert (status, headers["location"], body) == (302, ["/there"], b"\x1f\x8b\x00")
            assert len(found.heads) == 1

    run(main())


def test_web_is_down(tmp_path: Path) -> None:
    async def main() -> None:
        async with relay_to(tmp_path / "none.sock") as relay:
            status, headers, body = await ask(relay)
            assert (status, headers["retry-after"]) == (503, ["5"])
            assert 'lang="de"' in body.decode()
            assert "<script" not in body.decode()
            status, headers, body = await ask(relay, method="HEAD")
            assert (status, body) == (503, b"")
            assert int(headers["content-length"][0]) > 0

    run(main())


def test_web_dies_before_it_answers(tmp_path: Path) -> None:
    async def main() -> None:
        async def die(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        async with web(tmp_path, die) as found, relay_to(found.socket) as relay:
            assert (await ask(relay))[0] == 503
            # Whether a change was made nobody knows: that is another answer than "come again".
            headers = [(b"host", b"city.example"), (b"content-length", b"1")]
            status, _, body = await ask(relay, method="POST", headers=headers, body=[b"x"])
            assert status == 502
            assert "prüfen" in body.decode()

    run(main())


def test_web_dies_within_its_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async def die(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            await writer.drain()
            await asyncio.sleep(0.05)

        async with web(tmp_path, die) as found, relay_to(found.socket) as relay:
            with pytest.raises(Exception, match=r"not completed|payload"):
                await ask(relay)

    run(main())


def test_large_bodies_flow_both_ways(tmp_path: Path) -> None:
    async def main() -> None:
        size, chunk = 30_000_000, b"x" * 100_000

        async def echo(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            left = size
            while left:
                data = await reader.read(65536)
                left -= len(data)
                writer.write(data)
                await writer.drain()

        async with web(tmp_path, echo) as found, relay_to(found.socket) as relay:
            headers = [(b"host", b"city.example"), (b"content-length", str(size).encode())]
            status, _, body = await ask(relay, method="POST", headers=headers, body=[chunk] * (size // len(chunk)))
            assert (status, len(body)) == (200, size)

    run(main())


def test_client_leaves_during_a_long_answer(tmp_path: Path) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def endless(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    writer.write(b"1\r\nx\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.01)
            except ConnectionError:
                ended.set()

        async with web(tmp_path, endless) as found, relay_to(found.socket) as relay:
            await asyncio.wait_for(ask(relay, gone_after=0), 30)
            await asyncio.wait_for(ended.wait(), 30)

    run(main())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"content-length", b"5"), (b"content-length", b"6")], 400),
        ([(b"content-length", b"-1")], 400),
        ([(b"content-length", b"+5")], 400),
        ([(b"content-length", "٥".encode())], 400),
        ([(b"transfer-encoding", b"chunked")], 411),
        ([(b"transfer-encoding", b"chunked"), (b"content-length", b"5")], 411),
    ],
)
def test_bodies_of_unclear_length_are_refused(tmp_path: Path, headers: Headers, status: int) -> None:
    async def main() -> None:
        async with web(tmp_path) as found, relay_to(found.socket) as relay:
            answer = await ask(relay, method="POST", headers=[(b"host", b"x"), *headers], body=[b"12345"])
            assert answer[0] == status
            assert found.heads == []

    run(main())


def test_odd_methods_do_not_pass(tmp_path: Path) -> None:
    async def main() -> None:
        async with web(tmp_path) as found, relay_to(found.socket) as relay:
            assert [(await ask(relay, method=method))[0] for method in ("TRACE", "CONNECT", "PROPFIND")] == [501] * 3
            assert found.heads == []

    run(main())


_bytes = st.binary(min_size=0, max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(path=b" ", query=b" ", names=[])
@example(path=b"\xc3\xa4#\x7f", query=b"a=\xe4&b=%41+c", names=[])
@given(path=_bytes, query=_bytes, names=st.lists(st.tuples(st.binary(min_size=1, max_size=12), _bytes), max_size=4))
def test_whatever_comes_is_one_request_or_a_refusal(tmp_path: Path, path: bytes, query: bytes, names: Headers) -> None:
    """A parser lets few of these through; the relay must not turn any of them into two requests or other headers."""

    async def main() -> None:
        async with web(tmp_path) as found, relay_to(found.socket) as relay:
            raw = b"/" + path.decode("latin-1").encode()
            await ask(relay, path=raw, query=query, headers=[(b"host", b"h"), *names])
            assert len(found.heads) <= 1
            for head in found.heads:
                lines = head.split(b"\r\n")
                assert lines[0].startswith(b"GET /")
                assert lines[0].endswith(b" HTTP/1.1")
                assert lines[0].count(b" ") == 2
                assert len([line for line in lines if line.lower().startswith(b"x-forwarded-for:")]) == 1

    run(main())
