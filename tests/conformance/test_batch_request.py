"""Conformance class A.5, batch request (OGC 18-088, clause 12; OData 4.0, 11.7), over HTTP.

Requirement: http://www.opengis.net/spec/iot_sensing/1.1/req/batch-request/batch-request
"""

from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx
import pytest

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client

Parts = list[Any]  # (status, headers, body), or a list of them for a change set


def part(request: str, body: str = "", content_id: str = "") -> str:
    mark = f"Content-ID: {content_id}\r\n" if content_id else ""
    kind = "Content-Type: application/json\r\n" if body else ""
    return f"Content-Type: application/http\r\n{mark}\r\n{request} HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n{body}"


def joined(parts: list[str], boundary: str) -> str:
    return "".join(f"--{boundary}\r\n{item}\r\n" for item in parts) + f"--{boundary}--\r\n"


def change_set(*parts: str, boundary: str = "changeset_77162fcd") -> str:
    return f"Content-Type: multipart/mixed;boundary={boundary}\r\n\r\n" + joined(list(parts), boundary)


def send(on: httpx.Client, *parts: str, **headers: str) -> Parts:
    """The answers to a multipart batch."""
    content = joined(list(parts), "batch_36522ad7").encode()
    kind = {"Content-Type": "multipart/mixed;boundary=batch_36522ad7"}
    response = on.post("$batch", content=content, headers={**kind, **headers})
    assert response.status_code == 200, response.text
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    return read(BytesParser(policy=HTTP).parsebytes(head + response.content))


def read(message: Any) -> Parts:
    assert message.get_content_type() == "multipart/mixed"
    return [read(one) if one.is_multipart() else answer(one) for one in message.get_payload()]


def answer(one: Message) -> tuple[int, dict[str, str], Any]:
    assert one.get_content_type() == "application/http"
    content = one.get_payload(decode=True)
    assert isinstance(content, bytes)
    line, _, rest = content.partition(b"\r\n")
    assert line.startswith(b"HTTP/1.1 ")
    inner = BytesParser(policy=HTTP).parsebytes(rest)
    headers = {name: str(value) for name, value in inner.items()}
    if "Content-ID" in one:
        headers["Content-ID"] = str(one["Content-ID"])
    body = rest.partition(b"\r\n\r\n")[2]
    return int(line.split()[1]), headers, httpx.Response(200, content=body).json() if body else None


def send_json(on: httpx.Client, *requests: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    """The answers to a JSON batch."""
    response = on.post("$batch", json={"requests": list(requests)}, headers=headers)
    assert response.status_code == 200, response.text
    found = response.json()["responses"]
    assert isinstance(found, list)
    return found


def ask(number: object, method: str, url: str, body: object = None, **more: object) -> dict[str, Any]:
    return {"id": str(number), "method": method, "url": url, **({} if body is None else {"body": body}), **more}


def count(on: httpx.Client, path: str) -> int:
    return int(on.get(f"{path}?$count=true&$top=0").json()["@iot.count"])


@pytest.fixture
def things(manager: httpx.Client) -> list[str]:
    """Things(1) to Things(3)."""
    links = []
    for n in range(3):
        body = cities.thing(name=f"Thing {n}", properties={"int": n + 8})
        links.append(manager.post("Things", json=body).headers["Location"])
    return links


def test_the_example_of_the_standard(manager: httpx.Client, things: list[str], server: Running) -> None:
    """req/batch-request/batch-request: a read, a change set, a read of what is not there (18-088, 12.2.1)."""
    first, changed, last = send(
        manager,
        part("GET /v1.1/Things(1)?$select=name"),
        change_set(
            part("POST /v1.1/Things", '{"name":"New","description":"Thing"}', "1"),
            part("PATCH /v1.1/Things(1)", '{"name":"Patched"}', "2"),
        ),
        part("GET /v1.1/Things(99)"),
    )
    assert (first[0], first[2]) == (200, {"name": "Thing 0"})
    assert first[1]["Content-Type"] == "application/json"
    assert [(status, headers["Content-ID"]) for status, headers, _ in changed] == [(201, "1"), (200, "2")]
    assert changed[0][1]["Location"] == f"{server.sensorthings}/Things(4)"
    assert (last[0], last[2]["code"]) == (404, 404)
    assert manager.get("Things(1)/name/$value").text == "Patched"
    assert manager.get(changed[0][1]["Location"]).json()["name"] == "New"


def test_references_to_new_entities(manager: httpx.Client, things: list[str]) -> None:
    """req/batch-request/batch-request: $sensor1 in a body, $thing in an address (18-088, 12.2.2; OData 4.0, 11.7.3)."""
    observed = manager.post("ObservedProperties", json=cities.observed_property()).json()["@iot.id"]
    sensor = httpx.Request("POST", "http://x", json=cities.sensor()).content.decode()
    stream = cities.datastream(Sensor={"@iot.id": "$sensor1"}, ObservedProperty={"@iot.id": observed})
    body = httpx.Request("POST", "http://x", json=stream).content.decode()
    place = httpx.Request("POST", "http://x", json=cities.location()).content.decode()
    (made,) = send(
        manager,
        change_set(
            part("POST Sensors", sensor, "sensor1"),
            part("POST /sensorthings/v1.1/Things(1)/Datastreams", body, "stream"),
            part("POST $stream/Thing/Locations", place, "place"),
            part("POST $stream/Observations", '{"result": 1}', "any"),
        ),
    )
    assert [status for status, _, _ in made] == [201] * 4
    found = manager.get(f"{made[1][1]['Location']}?$expand=Sensor,Thing/Locations,Observations").json()
    assert found["Sensor"]["@iot.selfLink"] == made[0][1]["Location"]
    assert found["Thing"]["Locations"][0]["@iot.selfLink"] == made[2][1]["Location"]
    assert found["Observations"][0]["result"] == 1


def test_addresses_may_be_written_in_every_way(manager: httpx.Client, things: list[str], server: Running) -> None:
    """req/batch-request/batch-request: absolute, by path, relative (OData 4.0, 11.7.2)."""
    query = "Things?$filter=properties/int%20eq%2010&$select=name"
    ways = [query, f"{server.sensorthings}/{query}", f"/sensorthings/v1.1/{query}", f"/v1.1/{query}"]
    spaced = "Things?$filter=name eq 'Thing 2' and description ne 'Straße'&$select=name"
    for found in send(manager, *(part(f"GET {way}") for way in [*ways, spaced])):
        assert (found[0], found[2]) == (200, {"value": [{"name": "Thing 2"}]})
    for one in send_json(manager, *(ask(n, "get", way) for n, way in enumerate([*ways, spaced]))):
        assert (one["status"], one["body"]) == (200, {"value": [{"name": "Thing 2"}]})
    for way in ("http://example.org/v1.1/Things", "/Things", "//example.org/v1.1/Things", "/series/v1", "$batch"):
        assert send(manager, part(f"GET {way}"))[0][0] == 400, way


def test_a_change_set_is_all_or_nothing(manager: httpx.Client, things: list[str]) -> None:
    """req/batch-request/batch-request: one fails, none is done, one answer says why (OData 4.0, 11.7.4)."""
    (failed,) = send(
        manager,
        change_set(
            part("POST Things", '{"name":"New","description":"Thing"}', "1"),
            part("DELETE Things(1)", content_id="2"),
            part("POST Things", '{"name":"without description"}', "3"),
            part("POST Things", '{"name":"New","description":"Thing"}', "4"),
        ),
    )
    assert (failed[0], failed[1]["Content-ID"], failed[2]["where"]) == (400, "3", "description")
    assert count(manager, "Things") == 3
    group = {"atomicityGroup": "g"}
    found = send_json(
        manager,
        ask(1, "post", "Things", {"name": "New", "description": "x"}, **group),
        ask(2, "delete", "Things(99)", **group),
        ask(3, "delete", "Things(1)", **group),
        ask(4, "get", "Things(2)?$select=name"),
        ask(5, "get", "Things(2)?$select=name", dependsOn=["g"]),
    )
    assert [(one["id"], one["status"]) for one in found] == [("1", 424), ("2", 404), ("3", 424), ("4", 200), ("5", 424)]
    assert count(manager, "Things") == 3


def test_a_change_set_holds_changes_only(manager: httpx.Client, things: list[str]) -> None:
    """OData 4.0, 11.7.4"""
    (failed,) = send(manager, change_set(part("DELETE Things(1)"), part("GET Things(1)")))
    assert (failed[0], failed[2]["where"]) == (400, "method")
    assert count(manager, "Things") == 3


def test_observations_of_a_change_set(manager: httpx.Client) -> None:
    """A data array, a single observation and a filtered deletion in one transaction."""
    assert manager.post("Things", json=cities.station()).status_code == 201
    array = [{"Datastream": {"@iot.id": "$s"}, "components": ["result"], "dataArray": [[1], [2], [3]]}]
    group = {"atomicityGroup": "g"}
    requests = [
        ask("s", "patch", "Datastreams(1)", {"description": "counted"}, **group),
        ask("a", "post", "CreateObservations", array, **group),
        ask("o", "post", "$s/Observations", {"result": 4}, **group),
        ask("d", "delete", "Datastreams($s)/Observations?$filter=result le 2", **group),
    ]
    failing = send_json(manager, *requests, ask("x", "delete", "Things(99)", **group))
    assert [one["status"] for one in failing] == [424, 424, 424, 424, 404]
    assert count(manager, "Observations") == 0
    found = send_json(manager, *requests)
    assert [one["status"] for one in found] == [200, 201, 201, 200]
    assert len(found[1]["body"]) == 3
    left = manager.get("Datastreams(1)/Observations?$orderby=result").json()["value"]
    assert [one["result"] for one in left] == [3, 4]
    assert left[1]["@iot.selfLink"] == found[2]["location"]


def test_errors_and_what_comes_after_them(manager: httpx.Client, things: list[str]) -> None:
    """continue-on-error (OData 4.0, 8.2.8.3 and 11.7; OData JSON 4.01, 19.4)."""
    wrong, right = "GET Things(99)", "GET Things(1)?$select=name"
    assert [one[0] for one in send(manager, part(right), part(wrong), part(right))] == [200, 404]
    for prefer in ("continue-on-error", "odata.continue-on-error", "return=minimal, continue-on-error=true"):
        found = send(manager, part(wrong), part(right), Prefer=prefer)
        assert [one[0] for one in found] == [404, 200]
    requests = [ask(1, "get", "Things(99)"), ask(2, "get", "Things(1)")]
    assert [one["status"] for one in send_json(manager, *requests)] == [404, 200]
    assert [one["status"] for one in send_json(manager, *requests, Prefer="continue-on-error=false")] == [404]
    applied = manager.post("$batch", json={"requests": []}, headers={"Prefer": "continue-on-error"})
    assert applied.headers["Preference-Applied"] == "continue-on-error"


def test_the_example_as_json(manager: httpx.Client, things: list[str], server: Running) -> None:
    """OData JSON 4.01, 19.1 and 19.5, as SensorThings clients use it."""
    group = {"atomicityGroup": "group1"}
    found = send_json(
        manager,
        ask(0, "get", "Things(1)?$select=name"),
        ask(1, "post", "Things", {"name": "New", "description": "Thing"}, **group),
        ask(2, "patch", "Things(1)", {"name": "Json Patched"}, **group),
        ask(3, "get", "Things(null)"),
    )
    link = f"{server.sensorthings}/Things(4)"
    assert [one["status"] for one in found] == [200, 201, 200, 404]
    assert found[0]["body"] == {"name": "Thing 0"}
    assert found[1] == {"id": "1", "status": 201, "headers": {"location": link}, "location": link}
    assert found[2] == {"id": "2", "status": 200}
    assert manager.get("Things(1)/name/$value").text == "Json Patched"
    named = send_json(
        manager, ask(1, "patch", "Things(1)", {"name": "B"}, atomicityGroup="g"), **{"OData-Version": "4.01"}
    )
    assert named == [{"id": "1", "status": 200, "atomicityGroup": "g"}]


def test_references_as_json(manager: httpx.Client, things: list[str]) -> None:
    """OData JSON 4.01, 19.2 and 19.3: entities that were made or read, and their entity tags."""
    found = send_json(
        manager,
        ask("t", "post", "Things", cities.thing(name="New")),
        ask("p", "post", "$t/Locations", cities.location(), dependsOn=["t"]),
        ask("r", "get", "Things($t)", dependsOn=["t"]),
        ask("w", "patch", "$r", {"name": "Newer"}, headers={"If-Match": "$r"}, dependsOn=["r"]),
        ask("v", "patch", "$r", {"name": "Newest"}, headers={"if-match": "$r"}),
        ask("l", "post", "Things(1)/Locations/$ref", {"@odata.id": "$p"}),
        ask("n", "get", "$nowhere"),
        ask("q", "get", "$v"),
        ask("c", "get", "Things(1)", headers={"If-None-Match": "*"}),
    )
    statuses = {one["id"]: one["status"] for one in found}
    assert statuses == {
        "t": 201, "p": 201, "r": 200, "w": 200, "v": 412, "l": 204, "n": 400, "q": 424, "c": 304,
    }  # fmt: skip
    assert manager.get("Things(4)?$expand=Locations").json()["Locations"][0]["@iot.selfLink"] == found[1]["location"]
    assert manager.get("Things(1)/Locations").json()["value"][0]["@iot.selfLink"] == found[1]["location"]
    assert manager.get("Things(4)/name/$value").text == "Newer"


def test_conditions(manager: httpx.Client, things: list[str]) -> None:
    """OData JSON 4.01, 19.1: `if` by the success of earlier requests; other conditions count as not met."""
    found = send_json(
        manager,
        ask(1, "get", "Things(1)"),
        ask(2, "get", "Things(99)"),
        ask(3, "get", "Things(2)", **{"if": "$1/$succeeded and not $2/$succeeded"}),
        ask(4, "get", "Things(2)", **{"if": "$2/$succeeded"}),
        ask(5, "get", "Things(2)", **{"if": "$2/$succeeded or $1/$succeeded"}),
        ask(6, "get", "Things(2)", **{"if": "$1/name eq 'Thing 0'"}),
    )
    assert [one["status"] for one in found] == [200, 404, 200, 424, 200, 424]


MALFORMED: list[tuple[object, str]] = [
    ({}, "body"),
    ([], "body"),
    ({"requests": {}}, "requests"),
    ({"requests": [{"id": "1", "method": "get"}]}, "requests[0]"),
    ({"requests": [ask(1, "brew", "Things")]}, "requests[0].method"),
    ({"requests": [ask(1, "get", "Things"), ask(1, "get", "Things")]}, "requests[1].id"),
    ({"requests": [ask(1, "get", "Things", dependsOn=["2"]), ask(2, "get", "Things")]}, "requests[0].dependsOn"),
    (
        {"requests": [ask(n, "delete", "Things(1)", atomicityGroup=group) for n, group in enumerate("aba")]},
        "requests[2].atomicityGroup",
    ),
]


def test_what_is_no_batch_is_refused_as_a_whole(manager: httpx.Client, things: list[str]) -> None:
    for body, where in MALFORMED:
        response = manager.post("$batch", json=body)
        assert (response.status_code, response.json()["where"]) == (400, where), response.text
    json = {"Content-Type": "application/json"}
    assert manager.post("$batch", content=b"{", headers=json).status_code == 400
    assert manager.post("$batch", content=b"[" * 200_000, headers=json).status_code == 400
    for content, kind in [
        (b"", "multipart/mixed;boundary=b"),
        (b"--b\r\n\r\n--b--", "multipart/mixed;boundary=b"),
        (b"--b\r\nContent-Type: application/http\r\n\r\nGET\r\n--b--", "multipart/mixed;boundary=b"),
        (b"--b\r\nContent-Type: text/plain\r\n\r\nGET Things\r\n--b--", "multipart/mixed;boundary=b"),
        (b"--b\r\nContent-Type: application/http\r\n\r\nGET Things", "multipart/mixed;boundary=b"),
        (joined([part("GET Things")], "b").encode(), "multipart/mixed"),
        (joined([part("GET Things", content_id="1")] * 2, "b").encode(), "multipart/mixed;boundary=b"),
    ]:
        response = manager.post("$batch", content=content, headers={"Content-Type": kind})
        assert response.status_code == 400, (content, response.text)
    assert manager.post("$batch", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert manager.post("$batch", json={"requests": []}, headers={"Accept": "text/html"}).status_code == 406
    nested = change_set(change_set(part("DELETE Things(1)"), boundary="inner"), boundary="outer")
    content = joined([nested], "b").encode()
    assert (
        manager.post("$batch", content=content, headers={"Content-Type": "multipart/mixed;boundary=b"}).status_code
        == 400
    )
    assert count(manager, "Things") == 3


def test_a_batch_is_bounded(manager: httpx.Client, things: list[str]) -> None:
    many = [ask(n, "get", "Things(1)") for n in range(1001)]
    assert manager.post("$batch", json={"requests": many}).status_code == 413
    content = joined([part("GET Things(1)")] * 1001, "b").encode()
    kind = {"Content-Type": "multipart/mixed;boundary=b"}
    assert manager.post("$batch", content=content, headers=kind).status_code == 413
    content = joined([change_set(*[part("DELETE Things(1)")] * 501)] * 2, "b").encode()
    assert manager.post("$batch", content=content, headers=kind).status_code == 413
    lines = joined([part("POST Things", "\n" * 1_100_000)], "b").encode()
    assert manager.post("$batch", content=lines, headers=kind).status_code == 413
    deep = b"".join(f"--b{n}\r\nContent-Type: multipart/mixed;boundary=b{n + 1}\r\n\r\n".encode() for n in range(5_000))
    closed = deep + b"".join(f"--b{n}--\r\n".encode() for n in reversed(range(5_001)))
    response = manager.post("$batch", content=closed, headers={"Content-Type": "multipart/mixed;boundary=b0"})
    assert response.status_code == 400


def test_the_answer_comes_as_asked(manager: httpx.Client, things: list[str]) -> None:
    """OData 4.01, 11.7.1: a batch of either form is answered in either."""
    content = joined([part("GET Things(1)?$select=name"), change_set(part("DELETE Things(2)", content_id="d"))], "b")
    kind = {"Content-Type": "multipart/mixed;boundary=b", "Accept": "application/json"}
    found = manager.post("$batch", content=content.encode(), headers=kind).json()["responses"]
    assert [(one["id"], one["status"]) for one in found] == [("0", 200), ("d", 200)]
    assert "atomicityGroup" in found[1]
    response = manager.post(
        "$batch", json={"requests": [ask("a", "get", "Things(1)?$select=name")]}, headers={"Accept": "multipart/mixed"}
    )
    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    (one,) = read(BytesParser(policy=HTTP).parsebytes(head + response.content))
    assert (one[0], one[1]["Content-ID"], one[2]) == (200, "a", {"name": "Thing 0"})


def test_every_request_of_a_batch_is_authorised(
    manager: httpx.Client, things: list[str], server: Running, keys: Keys
) -> None:
    """req/batch-request/batch-request"""
    assert manager.post("Things(1)/Datastreams", json=cities.full_datastream()).status_code == 201
    assert manager.post("Things(1)/Locations", json=cities.location()).status_code == 201
    requests = [
        ask(1, "get", "Things(1)"), ask(2, "post", "Datastreams(1)/Observations", {"result": 1}),
        ask(3, "delete", "Things(2)"), ask(4, "delete", "Things(3)", atomicityGroup="g"),
        ask(5, "post", "CreateObservations", []),
    ]  # fmt: skip
    expected = {
        None: [404, 401, 401, 401, 401],
        keys.read: [200, 403, 403, 403, 403],
        keys.write: [200, 201, 403, 403, 201],
    }
    for key, statuses in expected.items():
        with client(server, key) as one:
            assert [found["status"] for found in send_json(one, *requests)] == statuses
    with client(server) as anonymous:
        # A request may bring a key of its own.
        own = {"Authorization": f"Bearer {keys.manage}"}
        found = send_json(anonymous, ask(1, "get", "Things(1)", headers=own), ask(2, "get", "Things(1)"))
        assert [one["status"] for one in found] == [200, 404]
        found = send_json(
            anonymous, ask(1, "patch", "Things(1)", {"name": "A"}, headers=own, atomicityGroup="g"),
            ask(2, "delete", "Things(1)", atomicityGroup="g"),
        )  # fmt: skip
        assert [one["status"] for one in found] == [424, 401]
        bad = send_json(anonymous, ask(1, "get", "Things", headers={"Authorization": "Bearer mzd_x"}))
        assert bad[0]["status"] == 401
    with client(server, "mzd_wrong") as wrong:
        assert wrong.post("$batch", json={"requests": []}).status_code == 401
    assert count(manager, "Things") == 3
