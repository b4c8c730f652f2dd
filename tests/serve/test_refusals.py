"""Every way to be refused, with its status and what it says."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client

JSON = {"Content-Type": "application/json"}

# method, path, what is sent, status, where
REFUSALS: list[tuple[str, str, dict[str, Any], int, str]] = [
    # The path
    ("GET", "Thing", {}, 404, "Thing"),
    ("GET", "Things(abc)", {}, 400, "Things(abc)"),
    ("GET", "Things(0)", {}, 404, "Things(0)"),
    ("GET", "Things(99)", {}, 404, "Things(99)"),
    ("GET", "Things('1')", {}, 404, "Things('1')"),
    ("GET", "Things(99999999999999999999)", {}, 404, "Things(99999999999999999999)"),
    ("GET", "Things(1)/Nothing", {}, 404, "Nothing"),
    ("GET", "Things%00", {}, 400, "path"),
    ("GET", "Things%C3", {}, 400, "path"),
    ("GET", "Things%zz", {}, 400, "path, character 26"),
    # The options
    ("GET", "Things?$filter=nme eq 'x'", {}, 400, "$filter, character 1"),
    ("GET", "Things?$top=-1", {}, 400, "$top"),
    ("GET", "Things?$nothing=1", {}, 400, "$nothing"),
    ("GET", "Things(1)?$filter=name eq 'x'", {}, 400, "$filter"),
    ("GET", "?$top=1", {}, 400, "query"),
    ("POST", "Things?$top=1", {"json": cities.thing()}, 400, "query"),
    # The method
    ("POST", "", {"json": {}}, 405, "method"),
    ("PUT", "Things", {"json": {}}, 405, "method"),
    ("GET", "CreateObservations", {}, 405, "method"),
    ("GET", "$batch", {}, 405, "method"),
    ("POST", "Things/$ref", {"json": {}}, 405, "method"),
    ("PUT", "Things(1)/Locations/$ref", {"json": {}}, 405, "method"),
    ("POST", "Things(1)/Locations(1)/$ref", {"json": {}}, 405, "method"),
    ("POST", "Datastreams(1)/Thing/$ref", {"json": {}}, 405, "method"),
    ("PATCH", "Things(1)/$ref", {"json": {}}, 405, "method"),
    ("POST", "Things(1)", {"json": {}}, 405, "method"),
    ("PATCH", "Things(1)/name", {"json": {}}, 405, "method"),
    # A deletion of many
    ("DELETE", "Things", {}, 400, "$filter"),
    ("DELETE", "Things(1)/Datastreams", {}, 400, "$filter"),
    ("DELETE", "Things?$top=1", {}, 400, "$top"),
    ("DELETE", "Things?$filter=id eq 1&$top=1", {}, 400, "$top"),
    ("DELETE", "Things?$filter=nme eq 1", {}, 400, "$filter, character 1"),
    ("DELETE", "Things(99)/Datastreams?$filter=id gt 0", {}, 404, "Things(99)/Datastreams"),
    ("TRACE", "Things", {}, 405, "method"),
    ("BREW", "Things", {}, 405, "method"),
    # The headers
    ("GET", "Things", {"headers": {"Accept": "text/html"}}, 406, "Accept"),
    ("POST", "Things", {"headers": {"Accept": "image/png"}, "json": cities.thing()}, 406, "Accept"),
    ("POST", "Things", {"headers": {"Content-Type": "text/plain"}, "content": b"x"}, 415, "Content-Type"),
    ("POST", "Things", {"data": {"name": "x"}}, 415, "Content-Type"),
    ("PUT", "Things(1)", {"headers": {"Content-Type": "application/json-patch+json"}, "content": b"[]"}, 415,
     "Content-Type"),
    ("PATCH", "Things(1)", {"headers": {"If-Match": '"x"'}, "json": {"name": "x"}}, 412, "If-Match"),
    ("DELETE", "Things(1)", {"headers": {"If-Match": '"x"'}}, 412, "If-Match"),
    ("PATCH", "Observations(1)", {"headers": {"If-Match": '"x"'}, "json": {"result": 1}}, 404, "Observations(1)"),
    ("POST", "Things", {"headers": {"Idempotency-Key": "a"}, "json": cities.thing()}, 400, "Idempotency-Key"),
    ("POST", "Observations", {"headers": {"Idempotency-Key": "a" * 201}, "json": {}}, 400, "Idempotency-Key"),
    # The body
    ("POST", "Things", {"headers": JSON, "content": b""}, 400, "body"),
    ("POST", "Things", {"headers": JSON, "content": b"{"}, 400, "line 1, column 2"),
    ("POST", "Things", {"headers": JSON, "content": b"[]"}, 400, "body"),
    ("POST", "Things", {"headers": JSON, "content": b'{"name": "a", "name": "b"}'}, 400, "name"),
    ("POST", "Things", {"headers": JSON, "content": b'{"name": "\\u0000"}'}, 400, "name"),
    ("POST", "Things", {"headers": JSON, "content": b'{"name": "\\ud800"}'}, 400, "name"),
    ("POST", "Things", {"headers": JSON, "content": b'{"properties": NaN}'}, 400, "NaN"),
    ("POST", "Things", {"headers": JSON, "content": b"[" * 100_000}, 400, "body"),
    ("POST", "Things", {"headers": JSON, "content": b" " * (20 * 1024 * 1024 + 1)}, 413, "body"),
    ("POST", "Things", {"json": {}}, 400, "name"),
    ("POST", "Things", {"json": {**cities.thing(), "Datastreams@iot.count": 1, "nme": 1}}, 400, "nme"),
    ("POST", "Things(99)/Datastreams", {"json": cities.full_datastream()}, 404, "Things(99)"),
    ("POST", "Things(99)/Datastreams(1)/Observations", {"json": {"result": 1}}, 404, "Things(99)/Datastreams(1)"),
    ("POST", "Datastreams(99)/Observations", {"json": {"result": 1}}, 404, "Datastreams(99)"),
    ("POST", "Observations", {"json": {"result": 1, "Datastream": {"@iot.id": 99}}}, 400, "Datastream"),
    ("POST", "Datastreams(1)/Observations", {"json": {"result": 1, "phenomenonTime": "x"}}, 400, "phenomenonTime"),
    ("POST", "Datastreams(1)/Observations", {"json": {"phenomenonTime": None}}, 400, "result"),
    ("POST", "Datastreams(1)/Observations", {"json": {"result": 1, "validTime": "2026-01-01"}}, 400, "validTime"),
    ("POST", "Datastreams(1)/Observations", {"headers": JSON, "content": b'{"result": 1e301}'}, 400, "result"),
    ("PATCH", "Things(1)", {"json": {"Locations": [cities.location()]}}, 400, "Locations[0]"),
    ("PATCH", "Things(1)", {"json": {"@iot.id": 5}}, 400, "@iot.id"),
    ("PUT", "Things(1)", {"json": {"name": "x"}}, 400, "description"),
]  # fmt: skip


@pytest.fixture
def station(manager: httpx.Client) -> None:
    """Thing 1, Datastream 1, Observation by it."""
    assert manager.post("Things", json=cities.station()).headers["Location"].endswith("Things(1)")
    assert manager.post("Datastreams(1)/Observations", json={"result": 1}).status_code == 201


def test_refusals_say_what_is_wrong_and_change_nothing(station: None, manager: httpx.Client) -> None:
    wrong = []
    for method, path, sent, status, where in REFUSALS:
        response = manager.request(method, path, **sent)
        content = response.json()
        if (response.status_code, content.get("where")) != (status, where):
            wrong.append((method, path, sent, response.status_code, response.text))
        assert {"code", "type", "message", "where"} <= set(content) <= {"code", "type", "message", "where", "remedy"}
        assert (content["code"], content["type"]) == (response.status_code, "error")
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert wrong == []
    counted = {name: manager.get(f"{name}?$count=true").json()["@iot.count"] for name in ("Things", "Observations")}
    assert counted == {"Things": 1, "Observations": 1}


def test_a_refused_method_names_those_there_are(manager: httpx.Client) -> None:
    assert manager.put("Things").headers["Allow"] == "GET, HEAD, POST, DELETE"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("", "GET, HEAD, OPTIONS"),
        ("Things", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("Things(99)", "GET, HEAD, PATCH, PUT, DELETE, OPTIONS"),
        ("Things(99)/name", "GET, HEAD, OPTIONS"),
        ("Things/$ref", "GET, HEAD, OPTIONS"),
        ("Things/$count", "GET, HEAD, OPTIONS"),
        ("Things(1)/$ref", "GET, HEAD, OPTIONS"),
        ("Things(1)/Locations/$ref", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("Things(1)/Locations(1)/$ref", "GET, HEAD, DELETE, OPTIONS"),
        ("Datastreams(1)/Thing/$ref", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("CreateObservations", "POST, OPTIONS"),
        ("$batch", "POST, OPTIONS"),
    ],
)
def test_options(anonymous: httpx.Client, path: str, allowed: str) -> None:
    response = anonymous.options(path)
    assert (response.status_code, response.headers["Allow"]) == (204, allowed)
    assert response.headers["Access-Control-Allow-Methods"] == allowed
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_head_is_get_without_its_body(station: None, manager: httpx.Client) -> None:
    for path in ("", "Things", "Things(1)", "Things(1)/name/$value"):
        head, full = manager.head(path), manager.get(path)
        assert head.content == b""
        kept = ("content-type", "content-length", "etag")
        assert [head.headers.get(name) for name in kept] == [full.headers.get(name) for name in kept]
    assert manager.head("Things(99)").status_code == 404


def test_entity_tags(station: None, manager: httpx.Client) -> None:
    tag = manager.get("Things(1)").headers["ETag"]
    assert manager.get("Things(1)", headers={"If-None-Match": f'"x", W/{tag}'}).status_code == 304
    assert manager.patch("Things(1)", json={"name": "a"}, headers={"If-Match": tag}).status_code == 200
    assert manager.get("Things(1)", headers={"If-None-Match": tag}).status_code == 200
    assert manager.patch("Things(1)", json={"name": "b"}, headers={"If-Match": tag}).status_code == 412
    assert manager.patch("Things(1)", json={"name": "c"}, headers={"If-Match": "*"}).status_code == 200
    assert manager.get("Things(1)").json()["name"] == "c"
    assert manager.delete("Things(1)", headers={"If-Match": tag}).status_code == 412
    assert (
        manager.delete("Things(1)", headers={"If-Match": manager.get("Things(1)").headers["ETag"]}).status_code == 200
    )


RIGHTS = [
    ("anonymous", "POST", "Things", 401),
    ("anonymous", "PATCH", "Things(1)", 401),
    ("anonymous", "PATCH", "Things(99)", 401),
    ("anonymous", "DELETE", "Things(1)", 401),
    ("anonymous", "POST", "Datastreams(1)/Observations", 401),
    ("read", "POST", "Things", 403),
    ("read", "POST", "Datastreams(1)/Observations", 403),
    ("write", "POST", "Things", 403),
    ("write", "DELETE", "Things(1)", 403),
    ("write", "PUT", "Things(99)", 403),
    ("write", "POST", "Datastreams(1)/Observations", 201),
    ("manage", "POST", "Datastreams(1)/Observations", 201),
    ("manage", "PATCH", "Things(1)", 200),
    ("unknown", "GET", "Things", 401),
    ("unknown", "POST", "Things", 401),
]


def test_who_may_what(station: None, server: Running, keys: Keys) -> None:
    given = {"anonymous": None, "read": keys.read, "write": keys.write, "manage": keys.manage, "unknown": "mzd_x"}
    for who, method, path, status in RIGHTS:
        body = None if method in {"GET", "DELETE"} else {"result": 1} if "Observations" in path else {"name": "x"}
        with client(server, given[who]) as found:
            response = found.request(method, path, json=body)
        assert response.status_code == status, (who, method, path, response.text)
        assert ("WWW-Authenticate" in response.headers) is (status == 401)


def test_what_is_hidden_is_not_there(station: None, conn: psycopg.Connection, server: Running, keys: Keys) -> None:
    body = {"result": 2}
    with client(server, keys.write) as writer, client(server, keys.manage) as manager:
        observation = manager.get("Observations").json()["value"][0]["@iot.selfLink"]
        assert writer.post("Datastreams(1)/Observations", json=body).status_code == 201
        assert writer.get("Datastreams(1)").status_code == 200
        changed = {"properties": {"accessClass": "restricted"}}
        assert manager.patch("ObservedProperties(1)", json=changed).status_code == 200
        for response in (
            writer.get("Datastreams(1)"), writer.get(observation), writer.patch(observation, json=body),
            writer.delete(observation), writer.post("Datastreams(1)/Observations", json=body),
        ):  # fmt: skip
            assert response.status_code == 404
        absent, hidden = (
            writer.post("Observations", json={**body, "Datastream": {"@iot.id": number}}) for number in (99, 1)
        )
        assert absent.status_code == hidden.status_code == 400
        assert absent.text.replace("99", "1") == hidden.text
        assert manager.get("Observations?$count=true").json()["@iot.count"] == 2


def test_an_open_city_takes_everything_and_shows_it(open_process: Running, conn: psycopg.Connection) -> None:
    with client(open_process) as anybody:
        assert anybody.post("Things", json=cities.station()).status_code == 201
        assert anybody.post("Datastreams(1)/Observations", json={"result": 1}).status_code == 201
        assert anybody.get("Observations?$expand=Datastream/Thing").json()["value"][0]["Datastream"]["Thing"]
        assert conn.execute("SELECT access FROM thing UNION SELECT access FROM location").fetchall() == [("open",)]
        assert anybody.delete("Things(1)").status_code == 200


def test_the_same_idempotency_key_is_one_observation(
    station: None, server: Running, keys: Keys, manager: httpx.Client, writer: httpx.Client
) -> None:
    headers, body = {"Idempotency-Key": "4711"}, {"result": 2}
    first, again = (writer.post("Datastreams(1)/Observations", json=body, headers=headers) for _ in range(2))
    other = manager.post("Datastreams(1)/Observations", json=body, headers=headers)
    assert first.status_code == again.status_code == other.status_code == 201
    assert first.headers["Location"] == again.headers["Location"] != other.headers["Location"]
    assert manager.get("Observations?$count=true").json()["@iot.count"] == 3


def test_nothing_else_is_here(server: Running) -> None:
    response = httpx.get(f"{server.origin}/elsewhere")
    assert (response.status_code, response.json()["code"]) == (404, 404)
