"""The toolkit under every data API: paths, bodies, content negotiation, limits."""

from collections.abc import Sequence

import pytest

from mainzdigital.kernel.errors import CityError, InvalidInput, NotAcceptable, TooLarge, UnsupportedMediaType
from mainzdigital.serve.http import Message, Request, Scope, decode_path, request_of, require_accept, require_type


def scope(path: bytes = b"/", headers: Sequence[tuple[bytes, bytes]] = ()) -> Scope:
    return {
        "type": "http", "method": "GET", "path": path.decode("latin-1"), "raw_path": path, "query_string": b"",
        "headers": list(headers), "client": ("192.0.2.7", 5000), "scheme": "http",
    }  # fmt: skip


def request(*chunks: bytes, **headers: str) -> Request:
    waiting = list(chunks) or [b""]

    async def receive() -> Message:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    return request_of(
        scope(headers=[(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]), receive
    )


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/Things(1)/Datastreams", "/Things(1)/Datastreams"),
        (b"/Things%281%29", "/Things(1)"),
        (b"/Stra%C3%9Fe", "/Straße"),
        (b"/a%2Fb", "/a/b"),
        (b"/%25", "/%"),
    ],
)
def test_paths_are_decoded_once(raw: bytes, path: str) -> None:
    assert decode_path(raw) == path


@pytest.mark.parametrize("raw", [b"/%", b"/%2", b"/%zz", b"/%C3", b"/%00", b"/a%0Ab", b"/%ED%A0%80", b"/\xff", b"/%7F"])
def test_paths_that_are_no_text_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput) as refusal:
        decode_path(raw)
    assert refusal.value.where.startswith("path")


async def _body(request: Request, limit: int) -> bytes:
    return await request.body(limit=limit)


def run(work: object) -> object:
    import asyncio

    return asyncio.run(work)  # type: ignore[arg-type]


def test_a_body_may_come_in_pieces() -> None:
    assert run(_body(request(b"ab", b"cd", b""), 4)) == b"abcd"


@pytest.mark.parametrize(
    "sent",
    [
        request(b"abcde"),
        request(b"ab", b"cde"),
        request(b"", content_length="5"),
        request(b"", content_length="9" * 50),
    ],
)
def test_a_body_over_the_limit_is_refused_before_it_is_held(sent: Request) -> None:
    with pytest.raises(TooLarge):
        run(_body(sent, 4))


@pytest.mark.parametrize(
    "given", ["", "application/json", "Application/JSON; charset=UTF-8", "application/json;foo=bar"]
)
def test_json_is_taken(given: str) -> None:
    assert require_type(request(content_type=given), "application/json") == "application/json"


@pytest.mark.parametrize(
    "given", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", "x"]
)
def test_other_bodies_are_refused(given: str) -> None:
    with pytest.raises(UnsupportedMediaType) as refusal:
        require_type(request(content_type=given), "application/json")
    assert refusal.value.where == "Content-Type"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("application/*", "application/json"),
        ("text/csv", "text/csv"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("application/json;q=0, */*", "text/csv"),
        ("application/json;q=nonsense, text/csv;q=0.1", "text/csv"),
    ],
)
def test_the_best_accepted_type_is_chosen(accept: str, chosen: str) -> None:
    assert require_accept(request(accept=accept), "application/json", "text/csv") == chosen


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", ";;,,"])
def test_nothing_acceptable_is_said(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        require_accept(request(accept=accept), "application/json")


def test_every_refusal_says_what_and_where() -> None:
    with pytest.raises(CityError) as refusal:
        require_type(request(content_type="text/plain"), "application/json")
    assert (refusal.value.message, refusal.value.remedy) == (
        "a body of type 'text/plain' is not taken here",
        "send application/json",
    )


def test_cookies_of_several_headers_are_found() -> None:
    sent = request_of(scope(headers=[(b"cookie", b"a=1; md_read=x=y"), (b"cookie", b"b=2")]), None)  # type: ignore[arg-type]
    assert (sent.cookie("md_read"), sent.cookie("b"), sent.cookie("c")) == ("x=y", "2", "")


def test_the_client_is_who_the_operator_says() -> None:
    def believe(peer: str, forwarded: Sequence[str]) -> str:
        return forwarded[0] if forwarded else peer

    told = scope(headers=[(b"x-forwarded-for", b"198.51.100.1")])
    assert request_of(told, None, client_of=believe).client == "198.51.100.1"  # type: ignore[arg-type]
    assert request_of(told, None).client == "192.0.2.7"  # type: ignore[arg-type]
