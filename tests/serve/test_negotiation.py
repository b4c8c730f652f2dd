"""What HTTP itself promises: codings, entity tags, preconditions, CORS, bounded bodies."""

import gzip
import json
import sys

import brotli
import httpx
import pytest

from mainzdigital.serve import compress
from mainzdigital.serve.compress import chosen
from tests.sensorthings_write import cities
from tests.serve.servers import Running

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture
def things(manager: httpx.Client) -> httpx.Client:
    for _ in range(8):
        body = cities.thing() | {"description": "Messstelle " * 100}
        assert manager.post("Things", json=body).status_code == 201
    return manager


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", ""), ("gzip", "gzip"), ("gzip, br, zstd", "zstd"), ("gzip, deflate, br", "br"), ("*", "zstd"),
        ("gzip;q=0", ""), ("gzip;q=1, br;q=0.5", "gzip"), ("identity, gzip;q=0.5", ""), ("zstd;q=0, *", "br"),
        ("x-gzip", "gzip"), ("gzip;q=x", ""), ("deflate", ""), ("GZIP", "gzip"), (";;,,", ""), ("gzip;q=nan", ""),
    ],
)  # fmt: skip
def test_the_coding_a_client_likes_best(header: str, coding: str) -> None:
    assert chosen(header) == coding


def _decoded(coding: str, body: bytes) -> bytes:
    if coding == "gzip":
        return gzip.decompress(body)
    return bytes(brotli.decompress(body) if coding == "br" else zstd.decompress(body))


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_coded_answer_is_the_same_answer(things: httpx.Client, coding: str) -> None:
    plain = things.get("Things", headers={"Accept-Encoding": "identity"})
    with things.stream("GET", "Things", headers={"Accept-Encoding": coding}) as response:
        raw = b"".join(response.iter_raw())
    assert response.headers["Content-Encoding"] == coding
    assert "Accept-Encoding" in response.headers["Vary"]
    assert int(response.headers["Content-Length"]) == len(raw) < len(plain.content) / 5
    assert _decoded(coding, raw) == plain.content
    assert "Content-Encoding" not in plain.headers
    head = things.head("Things", headers={"Accept-Encoding": coding})
    assert {k: v for k, v in head.headers.items() if k != "date"} == {
        k: v for k, v in response.headers.items() if k != "date"
    }


def test_a_short_answer_is_not_coded(things: httpx.Client) -> None:
    assert "Content-Encoding" not in things.get("Things(1)/name", headers={"Accept-Encoding": "gzip"}).headers


@pytest.mark.parametrize("path", ["", "Things", "Things?$select=name", "Things(1)", "Things(1)?$expand=Locations"])
def test_what_is_known_is_not_sent_again(things: httpx.Client, path: str) -> None:
    for coding in ("identity", "gzip"):
        tag = things.get(path, headers={"Accept-Encoding": coding}).headers["ETag"]
        again = things.get(path, headers={"Accept-Encoding": coding, "If-None-Match": f'"x", {tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert tag.startswith("W/") is (path != "Things(1)")


def test_a_change_needs_the_tag_of_now_in_any_coding(things: httpx.Client) -> None:
    tag = things.get("Things(1)", headers={"Accept-Encoding": "gzip"}).headers["ETag"]
    assert tag.endswith('-gzip"')
    assert things.patch("Things(1)", json={"name": "a"}, headers={"If-Match": tag}).status_code == 200
    refused = things.patch("Things(1)", json={"name": "b"}, headers={"If-Match": tag})
    assert (refused.status_code, refused.json()["where"]) == (412, "If-Match")
    assert things.patch("Things(1)", json={"name": "c"}, headers={"If-Match": "*"}).status_code == 200
    weak = things.get("Things(1)?$select=name").headers["ETag"]
    assert things.delete("Things(1)", headers={"If-Match": weak}).status_code == 412
    refused = things.put("Things(1)", json=cities.thing(), headers={"If-None-Match": "*"})
    assert (refused.status_code, refused.json()["where"]) == (412, "If-None-Match")
    assert things.get("Things(1)/name/$value").text == "c"


@pytest.mark.parametrize("path", ["Things", "Things(1)", "Nothing", "Things(abc)"])
def test_any_page_may_ask_with_a_key_and_none_with_the_cookie(anonymous: httpx.Client, path: str) -> None:
    asked = {
        "Origin": "https://app.example.org", "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }  # fmt: skip
    answer = anonymous.options(path, headers=asked)
    assert answer.status_code == 204
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {
        "authorization", "content-type", "if-match", "if-none-match", "prefer", "idempotency-key", "accept"
    } <= set(allowed)  # fmt: skip
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def _post(client: httpx.Client, body: bytes, coding: str) -> httpx.Response:
    return client.post("Things", content=body, headers={"Content-Type": "application/json", "Content-Encoding": coding})


def test_a_body_may_come_as_gzip(manager: httpx.Client) -> None:
    body = json.dumps(cities.thing()).encode()
    assert _post(manager, gzip.compress(body, mtime=0), "gzip").status_code == 201
    assert (
        _post(manager, gzip.compress(body[:9], mtime=0) + gzip.compress(body[9:]), "GZIP, identity").status_code == 201
    )


@pytest.mark.parametrize(
    ("body", "coding", "status", "where"),
    [
        (b"{}", "br", 415, "Content-Encoding"),
        (b"{}", "gzip, gzip", 415, "Content-Encoding"),
        (b"{}", "gzip", 400, "body"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400, "body"),
        (gzip.compress(bytes(21 * 1024 * 1024), mtime=0), "gzip", 413, "body"),
        (gzip.compress(b" " * 15_000_000, mtime=0) * 2, "gzip", 413, "body"),
    ],
)
def test_other_bodies_are_refused(manager: httpx.Client, body: bytes, coding: str, status: int, where: str) -> None:
    refused = _post(manager, body, coding)
    assert (refused.status_code, refused.json()["where"]) == (status, where)
    if status == 415:
        assert "gzip" in refused.headers["Accept-Encoding"]


def test_csv_is_coded_as_it_streams_and_events_never(server: Running, manager: httpx.Client) -> None:
    assert manager.post("Things", json=cities.station()).status_code == 201
    assert manager.post("Datastreams(1)/Observations", json={"result": 1}).status_code == 201
    address = f"{server.origin}/series/v1?datastreams=1&bucket=raw&format=csv"
    headers = {"Authorization": manager.headers["Authorization"]}
    plain = httpx.get(address, headers=headers | {"Accept-Encoding": "identity"})
    coded = httpx.get(address, headers=headers | {"Accept-Encoding": "gzip"})
    assert (plain.status_code, coded.headers["Content-Encoding"]) == (200, "gzip")
    assert coded.text.splitlines()[0] == plain.text.splitlines()[0]
    assert not compress.compressible("text/event-stream; charset=utf-8")
