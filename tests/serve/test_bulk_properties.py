"""Whatever is sent in bulk: it does what the same requests do one by one, and no fault of ours (500) comes of it."""

import json
import os
from typing import Any

import httpx
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import empty_tables
from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running, client
from tests.store.datastreams import assert_consistent

CALM = settings(
    max_examples=int(os.environ.get("MAINZDIGITAL_FUZZ", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00+01:00", "2026-03-29T01:30:00.123Z"]

_times = st.sampled_from([*TIMES, None]) | st.sampled_from(["x", "", "2026-01-01", 5, "2300-01-01T00:00:00Z", {}])
# Their sums are exact in any order.
_quarters = st.integers(-4_000_000, 4_000_000).map(lambda n: n / 4)
_results = (
    st.integers(-5, 5) | _quarters | st.none() | st.text(max_size=4) | st.booleans()
    | st.sampled_from([1e301, 2**80, "\0", {"a": [1]}, [1, None], {}])
)  # fmt: skip
_features = st.sampled_from([None, 1, 99, "1", 1.0, True])
_odd = st.sampled_from([None, 5, [], [1], {"result": 1}, [1, 2, 3, 4], "row"])


@st.composite
def data_arrays(draw: st.DrawFn) -> list[dict[str, Any]]:
    columns = {"phenomenonTime": _times, "result": _results, "FeatureOfInterest/id": _features,
               "parameters": st.sampled_from([None, {"a": 1}, 5])}  # fmt: skip
    found = []
    for _ in range(draw(st.integers(1, 3))):
        names = draw(st.lists(st.sampled_from([*columns]), unique=True, min_size=1)) or []
        names = names if "result" in names else [*names, "result"]
        rows = draw(st.lists(st.tuples(*(columns[name] for name in names)).map(list) | _odd, max_size=6))
        found.append(
            {"Datastream": {"@iot.id": draw(st.sampled_from([1, 1, 99]))}, "components": names, "dataArray": rows}
        )
    return found


def single(on: httpx.Client, stream: int, names: list[str], row: Any) -> httpx.Response | None:
    """The row as a POST of its own; None where it is no row."""
    if not isinstance(row, list) or len(row) != len(names):
        return None
    body = {name: value for name, value in zip(names, row, strict=True) if name != "FeatureOfInterest/id"}
    feature = dict(zip(names, row, strict=True)).get("FeatureOfInterest/id")
    if feature is not None:
        body["FeatureOfInterest"] = {"@iot.id": feature}
    return on.post("Observations", json={**body, "Datastream": {"@iot.id": stream}})


def shown(on: httpx.Client, link: str) -> dict[str, Any]:
    """An observation without what differs from one to the next."""
    found = on.get(f"{link}?$expand=Datastream($select=id),FeatureOfInterest($select=id)").json()
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if not name.startswith("@iot.")}


@CALM
@given(given_arrays=data_arrays())
def test_exactly_the_good_rows_of_a_data_array_are_stored(
    given_arrays: list[dict[str, Any]], manager: httpx.Client, conn: psycopg.Connection
) -> None:
    if manager.get("Datastreams(1)").status_code == 404:
        assert manager.post("Things", json=cities.station()).status_code == 201
        assert manager.post("Datastreams(1)/Observations", json={"result": 0}).status_code == 201
    before = manager.get("Observations?$count=true&$top=0").json()["@iot.count"]
    # As a client writes it that knows of no limit of numbers.
    content = json.dumps(given_arrays).encode()
    response = manager.post("CreateObservations", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 201, response.text
    answers = response.json()
    rows = [
        (item["Datastream"]["@iot.id"], item["components"], row) for item in given_arrays for row in item["dataArray"]
    ]
    assert len(answers) == len(rows)
    after = manager.get("Observations?$count=true&$top=0").json()["@iot.count"]
    good = [text for text in answers if not text.startswith("error")]
    assert after - before == len(good) == len(set(good))
    for text, (stream, names, row) in zip(answers, rows, strict=True):
        alone = single(manager, stream, names, row)
        if alone is None or alone.status_code != 201:
            assert text.startswith("error: "), (row, text)
            continue
        assert not text.startswith("error"), (row, text)
        one, other = shown(manager, text), shown(manager, alone.headers["Location"])
        if "phenomenonTime" not in names or row[names.index("phenomenonTime")] is None:
            del one["phenomenonTime"], other["phenomenonTime"]  # now, a moment apart
        assert one == other
    assert_consistent(conn)


_paths = st.sampled_from(
    ["Things", "Things(1)", "Things(2)", "Things(99)", "Locations(1)", "Datastreams(1)", "Sensors(1)"]
)
_requests = st.one_of(
    st.builds(lambda path: ("GET", path, None), _paths | st.just("Things?$select=name,properties&$orderby=id")),
    st.builds(lambda path: ("DELETE", path, None), _paths | st.just("Observations?$filter=result eq 1")),
    st.builds(lambda path, name: ("PATCH", path, {"name": name}), _paths, st.sampled_from(["A", "B", None])),
    st.builds(lambda name: ("POST", "Things", {"name": name, "description": "x"}), st.sampled_from(["A", 5])),
    # With a time of its own: what is observed now ends the datastream's phenomenonTime a moment apart.
    st.builds(
        lambda time, result: ("POST", "Datastreams(1)/Observations", {"phenomenonTime": time, "result": result}),
        st.sampled_from(TIMES), st.integers(0, 2),
    ),
    st.builds(
        lambda method, path, one: (method, path, {"@iot.id": one}), st.sampled_from(["POST", "PUT"]),
        st.sampled_from(["Things(1)/Locations/$ref", "Datastreams(1)/Thing/$ref"]), st.integers(1, 3),
    ),
    st.builds(
        lambda rows: (
            "POST", "CreateObservations",
            [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": rows}],
        ),
        st.lists(st.tuples(st.sampled_from([*TIMES, "x"]), st.integers(0, 2)).map(list), max_size=3),
    ),
)  # fmt: skip


def start(on: httpx.Client) -> None:
    for _ in range(2):
        assert on.post("Things", json=cities.station()).status_code == 201
    time = {"phenomenonTime": TIMES[0]}
    assert on.post("Datastreams(1)/Observations", json={**time, "result": 1}).status_code == 201


def state(on: httpx.Client) -> object:
    """What can be seen of the city, without what tells the moment."""
    links = on.get("Things?$expand=Locations($select=id;$orderby=id),Datastreams($select=id;$orderby=id)").json()
    histories = [
        sorted(place["@iot.id"] for place in item["Locations"])
        for item in on.get("HistoricalLocations?$orderby=id&$expand=Locations($select=id)").json()["value"]
    ]
    names = {
        name: on.get(f"{name}?$orderby=id&$select=id,name").json() for name in ("Locations", "Datastreams", "Sensors")
    }
    results = on.get("Observations?$select=result&$orderby=result").json()["value"]
    return links, histories, names, results


def body_of(response: httpx.Response, method: str, path: str) -> object:
    """What an answer says, without what differs from one to the next."""
    if method == "GET" or response.status_code >= 400:
        return response.json() if response.content else None
    if path == "CreateObservations":
        return [text[:5] for text in response.json()]
    return None


@CALM
@given(requests=st.lists(_requests, min_size=1, max_size=6), groups=st.booleans())
def test_a_batch_does_what_its_requests_do_one_by_one(
    requests: list[tuple[str, str, Any]], groups: bool, server: Running, keys: Keys, conn: psycopg.Connection
) -> None:
    def digest() -> list[Any]:
        return conn.execute("SELECT digest, prefix, name, scope FROM api_key").fetchall()

    def anew(on: httpx.Client) -> None:
        kept = digest()
        empty_tables(conn)
        for row in kept:
            conn.execute("INSERT INTO api_key (digest, prefix, name, scope) VALUES (%s, %s, %s, %s)", row)
        start(on)

    with client(server, keys.manage) as on:
        anew(on)
        expected = []
        for method, path, body in requests:
            response = on.request(method, path, json=body)
            expected.append((response.status_code, body_of(response, method, path)))
        one_by_one = state(on)
        anew(on)
        before = state(on)
        items = [
            {"id": str(n), "method": method, "url": path, **({} if body is None else {"body": body}),
             **({"atomicityGroup": "g"} if groups else {})}
            for n, (method, path, body) in enumerate(requests)
        ]  # fmt: skip
        response = on.post("$batch", json={"requests": items})
        assert response.status_code == 200
        found = [
            (one["status"], body_of(httpx.Response(one["status"], json=one["body"]) if "body" in one
             else httpx.Response(one["status"]), requests[n][0], requests[n][1]))
            for n, one in enumerate(response.json()["responses"])
        ]  # fmt: skip
        if not groups or all(
            status < 300 and method != "GET" for (status, _), (method, _, _) in zip(expected, requests, strict=True)
        ):
            assert found == expected
            assert state(on) == one_by_one
        else:
            first = next(n for n, (status, _) in enumerate(expected) if status >= 300 or requests[n][0] == "GET")
            assert [status == 424 for status, _ in found] == [n != first for n in range(len(requests))]
            assert state(on) == before
    assert_consistent(conn)


_pieces = st.sampled_from(
    ["--b\r\n", "--b--\r\n", "--c\r\n", "--c--", "\r\n", "\n", "Content-Type: application/http\r\n",
     "Content-ID: 1\r\n",
     "Content-Type: multipart/mixed;boundary=c\r\n", "Content-Transfer-Encoding: base64\r\n", "GET Things HTTP/1.1\r\n",
     "POST $1/Datastreams HTTP/1.1\r\n", "DELETE /v1.1/Things(1)?$filter=1\r\n", '{"name": "$1"}', "{", "PATCH",
     ":", "\0",
     "Content-Type: message/rfc822\r\n", "GET $batch\r\n", "GET http://[\r\n", '{"@iot.id": "$1"}', "é"]
)  # fmt: skip


@CALM
@given(pieces=st.lists(_pieces | st.text(max_size=5), max_size=20), kind=st.sampled_from(["b", "", "c", '"']))
def test_no_multipart_body_is_a_fault_of_ours(manager: httpx.Client, pieces: list[str], kind: str) -> None:
    content = "".join(pieces).encode("utf-8", "surrogatepass")
    response = manager.post("$batch", content=content, headers={"Content-Type": f"multipart/mixed;boundary={kind}"})
    assert response.status_code in {200, 400, 413, 415}, response.text
    assert b" 500 " not in response.content


_members = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["1", "2", "", 1, None]),
        "method": st.sampled_from(["get", "POST", "delete", "patch", "put", "head", 5]),
        "url": st.sampled_from(["Things", "$1", "$1/Locations", "Things($1)", "", "/", "?", "$batch",
                                "CreateObservations",
                                "Things(1)/Locations/$ref", "//x", "http://[", "Things?$filter=", "\0", "é%zz", "%"]),
        "headers": st.sampled_from([{}, {"If-Match": "$1"}, {"content-encoding": "x"}, {"Accept": "x"}, 5, {"a": 5}]),
        "body": st.sampled_from([{}, [], None, 5, {"@iot.id": "$1"}, {"@odata.id": "$1/x"}, cities.thing()]),
        "atomicityGroup": st.sampled_from(["g", "h", "1", None]),
        "dependsOn": st.sampled_from([["1"], ["g"], [], "1", None]),
        "if": st.sampled_from(["$1/$succeeded", "not $1/$succeeded and $2/$succeeded", "x", "", 5]),
    },
)  # fmt: skip


@CALM
@given(requests=st.lists(_members, max_size=4))
def test_no_json_batch_is_a_fault_of_ours(manager: httpx.Client, requests: list[dict[str, Any]]) -> None:
    response = manager.post("$batch", json={"requests": requests})
    assert response.status_code in {200, 400}, response.text
    if response.status_code == 200:
        assert all(one["status"] < 500 for one in response.json()["responses"]), response.text
