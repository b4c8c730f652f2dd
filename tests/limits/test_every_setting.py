"""Every limit that an operator can set, set low: it strikes, what is within it passes, and the refusal names it."""

import asyncio
import contextlib
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from mainzdigital.config import limits
from mainzdigital.config.settings import load_settings
from mainzdigital.kernel.access import Scope
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.serve.app import Services, create_app
from mainzdigital.serve.limits import Limits
from tests.sensorthings_write import cities
from tests.serve.process import SECRET_KEY
from tests.serve.servers import add_key, free_port

Ask = Callable[..., httpx.Response]


@contextlib.contextmanager
def server(dsn: str, **environment: str) -> Iterator[str]:
    """A server with settings as the environment gives them; yields its origin."""
    from zoneinfo import ZoneInfo

    chosen = limits.load({f"MAINZDIGITAL_{name}": value for name, value in environment.items()})
    port = free_port()
    services = Services(
        dsn=dsn, secret_key=SECRET_KEY, origin=f"http://127.0.0.1:{port}", zone=ZoneInfo("Europe/Berlin"), limits=chosen
    )
    found: dict[str, Any] = {}

    async def serve() -> None:
        found["server"] = Server(
            create_app(services), address="127.0.0.1", port=port, interface=Interfaces.ASGI, websockets=False,
            http=HTTPModes.http1, log_enabled=False,
        )  # fmt: skip
        found["loop"] = asyncio.get_running_loop()
        await found["server"].serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{services.origin}/sensorthings/v1.1", timeout=5).status_code == 200:
                break
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)
    try:
        yield services.origin
    finally:
        found["loop"].call_soon_threadsafe(found["server"].stop)
        thread.join(20)


@pytest.fixture
def asked(dsn: str, conn: psycopg.Connection) -> Iterator[Callable[..., Ask]]:
    """`asked(TOP_LIMIT="5")` is a function that asks a server with that setting."""
    with contextlib.ExitStack() as stack:
        key = add_key(conn, Scope.MANAGE)

        def start(*, keyless: bool = False, **environment: str) -> Ask:
            origin = stack.enter_context(server(dsn, **environment))
            headers = {} if keyless else {"Authorization": f"Bearer {key}"}
            client = stack.enter_context(
                httpx.Client(base_url=f"{origin}/sensorthings/v1.1/", headers=headers, timeout=60)
            )
            return client.request

        yield start


def refused(answer: httpx.Response, status: int, setting: str) -> None:
    assert answer.status_code == status, answer.text
    assert f"MAINZDIGITAL_{setting}" in answer.json()["message"]
    assert answer.json()["remedy"]


def things(ask: Ask, count: int) -> None:
    for number in range(count):
        assert ask("POST", "Things", json=cities.thing(name=f"T{number}")).status_code == 201


def test_body_limit(asked: Callable[..., Ask]) -> None:
    ask = asked(BODY_LIMIT="1")
    fits = cities.thing(description="x" * 1_000_000)
    beyond = cities.thing(description="x" * 1_100_000)
    assert ask("POST", "Things", json=fits).status_code == 201
    refused(ask("POST", "Things", json=beyond), 413, "BODY_LIMIT")
    packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    refused(
        ask("POST", "Things", content=gzip.compress(json.dumps(beyond).encode()), headers=packed), 413, "BODY_LIMIT"
    )


def _levels(count: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(count - 2):
        inner = {"a": inner}
    return cities.thing(properties=inner)


@pytest.mark.parametrize("depth", [8, 100])
def test_json_depth(asked: Callable[..., Ask], depth: int) -> None:
    ask = asked(JSON_DEPTH=str(depth))
    taken = ask("POST", "Things", json=_levels(depth))
    assert taken.status_code == 201, taken.text
    assert ask("GET", "Things(1)").json()["properties"] == _levels(depth)["properties"]
    refused(ask("POST", "Things", json=_levels(depth + 1)), 400, "JSON_DEPTH")
    refused(ask("PUT", "Things(1)", json=_levels(depth + 1)), 400, "JSON_DEPTH")
    patch = [{"op": "add", "path": "/properties", "value": _levels(depth + 1)["properties"]}]
    headers = {"Content-Type": "application/json-patch+json"}
    assert ask("PATCH", "Things(1)", content=json.dumps(patch), headers=headers).status_code in {400, 413}


@pytest.mark.parametrize("length", [1_000, 60_000])
def test_url_limit(asked: Callable[..., Ask], length: int) -> None:
    ask = asked(URL_LIMIT=str(length))
    begin = "Things?$filter=id%20ne%200&$select="
    room = length - len("/sensorthings/v1.1/") - len(begin) + 1
    names = ("name," * (room // 5))[:-1]
    most = begin + names if len(names) < 8_000 else begin + "name&" * (room // 5)  # an option has its own limit
    answer = ask("GET", most)
    assert "URL_LIMIT" not in answer.text
    refused(ask("GET", most + "&" * 10), 414, "URL_LIMIT")


def test_page_and_top(asked: Callable[..., Ask]) -> None:
    ask = asked(PAGE="2", TOP_LIMIT="3")
    things(ask, 4)
    thing = ask("GET", "Things?$top=1").json()["value"][0]["@iot.id"]
    for number in range(4):
        assert ask("POST", f"Things({thing})/Locations", json=cities.location(name=f"L{number}")).status_code == 201
    for path, count in (("Things", 2), ("Things?$top=9", 3), ("Things?$top=1", 1), ("Things/$ref?$top=9", 3)):
        found = ask("GET", path).json()
        assert len(found["value"]) == count, path
        assert "@iot.nextLink" in found
    for option, count in (("HistoricalLocations", 2), ("HistoricalLocations($top=9)", 3)):
        found = ask("GET", f"Things({thing})?$expand={option}").json()
        assert len(found["HistoricalLocations"]) == count, option
        assert "HistoricalLocations@iot.nextLink" in found
    rows = ask("GET", "Things?$top=9&$resultFormat=CSV")
    assert len(rows.text.splitlines()) == 4
    assert 'rel="next"' in rows.headers["Link"]


@pytest.mark.parametrize("depth", [8, 80])
def test_filter_depth(asked: Callable[..., Ask], depth: int) -> None:
    ask = asked(FILTER_DEPTH=str(depth))
    things(ask, 1)
    for text in ("not (" * n + "id eq 0" + ")" * n for n in (depth // 2 - 2,)):
        assert len(ask("GET", f"Things?$filter={text}").json()["value"]) in {0, 1}
    for option, text in (
        ("$filter", "(" * (depth + 1) + "true" + ")" * (depth + 1)),
        ("$filter", "not " * (depth + 1) + "(id eq 1)"),
        ("$filter", "tolower(" * (depth + 1) + "name" + ")" * (depth + 1) + " eq 'x'"),
        ("$orderby", "-" * (depth + 1) + "id"),
        ("$expand", f"Datastreams($filter={'(' * (depth + 1)}true{')' * (depth + 1)})"),
    ):
        refused(ask("GET", "Things", params={option: text}), 400, "FILTER_DEPTH")


@pytest.mark.parametrize("parts", [20, 2_000])
def test_filter_parts(asked: Callable[..., Ask], parts: int) -> None:
    ask = asked(FILTER_PARTS=str(parts), URL_LIMIT="60000")
    things(ask, 1)
    values = parts - 2  # beside the values: the property, and the comparison
    allowed, beyond = (f"id in ({','.join(['1'] * count)})" for count in (values, values + 1))
    assert len(ask("GET", f"Things?$filter={allowed}").json()["value"]) == 1
    refused(ask("GET", f"Things?$filter={beyond}"), 400, "FILTER_PARTS")


@pytest.mark.parametrize("depth", [1, 10])
def test_expand_depth(asked: Callable[..., Ask], depth: int) -> None:
    ask = asked(EXPAND_DEPTH=str(depth))
    assert ask("POST", "Things", json=cities.station()).status_code == 201
    chain = ["Locations", "Things"] * depth
    answer = ask("GET", f"Things?$expand={'/'.join(chain[:depth])}")
    assert answer.status_code == 200, answer.text
    refused(ask("GET", f"Things?$expand={'/'.join(chain[: depth + 1])}"), 400, "EXPAND_DEPTH")
    nested = chain[depth]
    for name in reversed(chain[:depth]):
        nested = f"{name}($expand={nested})"
    refused(ask("GET", f"Things?$expand={nested}"), 400, "EXPAND_DEPTH")


def test_expand_items(asked: Callable[..., Ask]) -> None:
    ask = asked(EXPAND_ITEMS="2")
    assert ask("GET", "Things?$expand=Locations,Datastreams").status_code == 200
    refused(ask("GET", "Things?$expand=Locations,Datastreams,HistoricalLocations"), 400, "EXPAND_ITEMS")
    refused(ask("GET", "Things?$expand=Locations($expand=Things),Datastreams"), 400, "EXPAND_ITEMS")


def test_expanded(asked: Callable[..., Ask]) -> None:
    ask = asked(EXPANDED="100")
    assert ask("POST", "Things", json=cities.station()).status_code == 201
    for number in range(120):
        assert ask("POST", "Datastreams(1)/Observations", json={"result": number}).status_code == 201
    found = ask("GET", "Datastreams?$expand=Observations($top=1000)").json()["value"][0]
    assert len(found["Observations"]) == 100
    rest = ask("GET", found["Observations@iot.nextLink"]).json()["value"]
    assert len(rest) == 20


def test_geometries(asked: Callable[..., Ask]) -> None:
    ask = asked(GEOMETRIES="10")
    for number in range(11):
        body = cities.location(location={"type": "Point", "coordinates": [8 + number / 100, 50]})
        assert ask("POST", "Locations", json=body).status_code == 201
    near = ask("GET", "Locations?$filter=geo.distance(location, geography'POINT (8 50)') lt 0.05")
    assert len(near.json()["value"]) == 5
    every = ask("GET", "Locations?$orderby=geo.distance(location, geography'POINT (8 50)')")
    assert every.status_code == 400
    assert "MAINZDIGITAL_GEOMETRIES" in every.json()["remedy"]


def test_rows_of_data_arrays(asked: Callable[..., Ask]) -> None:
    ask = asked(ROWS_LIMIT="3")
    assert ask("POST", "Things", json=cities.station()).status_code == 201
    for count, status in ((3, 201), (4, 413)):
        rows = [[f"2026-01-01T0{number}:00:00Z", number] for number in range(count)]
        body = [{"Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"], "dataArray": rows}]
        answer = ask("POST", "CreateObservations", json=body)
        assert answer.status_code == status
    assert "MAINZDIGITAL_ROWS_LIMIT" in answer.json()["message"]


def test_requests_of_a_batch(asked: Callable[..., Ask]) -> None:
    ask = asked(BATCH_LIMIT="2")
    for count, status in ((2, 200), (3, 413)):
        requests = [{"id": str(number), "method": "get", "url": "Things"} for number in range(count)]
        answer = ask("POST", "$batch", json={"requests": requests})
        assert answer.status_code == status
    assert "MAINZDIGITAL_BATCH_LIMIT" in answer.json()["message"]


def test_answers_of_a_batch(asked: Callable[..., Ask]) -> None:
    ask = asked(ANSWER_LIMIT="1")
    body = cities.thing(properties={"text": "x" * 400_000})
    assert ask("POST", "Things", json=body).status_code == 201
    requests = [{"id": str(number), "method": "get", "url": "Things(1)"} for number in range(4)]
    answer = ask("POST", "$batch", json={"requests": requests})
    assert [item["status"] for item in answer.json()["responses"]] == [200, 200, 200, 413]
    assert "MAINZDIGITAL_ANSWER_LIMIT" in answer.json()["responses"][3]["body"]["message"]


def test_read_seconds(asked: Callable[..., Ask], conn: psycopg.Connection) -> None:
    ask = asked(READ_SECONDS="1")
    things(ask, 1)
    with psycopg.connect(conn.info.dsn) as other:
        other.execute("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        answer = ask("GET", "Things?$filter=name ne 'slow'")
        assert 0.5 < time.monotonic() - begun < 10
    refused(answer, 503, "READ_SECONDS")
    assert answer.headers["Retry-After"]
    assert ask("GET", "Things").status_code == 200


def test_write_seconds(asked: Callable[..., Ask], conn: psycopg.Connection) -> None:
    ask = asked(WRITE_SECONDS="1")
    with psycopg.connect(conn.info.dsn) as other:
        other.execute("LOCK TABLE sensor IN ACCESS EXCLUSIVE MODE")
        answer = ask("POST", "Sensors", json=cities.sensor())
    assert answer.status_code == 503
    assert "_WRITE_SECONDS" in answer.json()["message"]
    assert ask("GET", "Sensors?$count=true").json()["@iot.count"] == 0


def test_rates(asked: Callable[..., Ask]) -> None:
    for setting, keyless, burst in (("RATE", True, 5), ("KEY_RATE", False, 2)):
        ask = asked(**{setting: "1"}, keyless=keyless)
        answers = [ask("GET", "Things") for _ in range(burst + 3)]
        assert answers[0].status_code == 200
        refused(answers[-1], 429, setting)
        assert answers[-1].headers["Retry-After"]


def test_every_setting_has_its_test() -> None:
    tested = {
        "BODY_LIMIT", "JSON_DEPTH", "URL_LIMIT", "PAGE", "TOP_LIMIT", "FILTER_DEPTH", "FILTER_PARTS", "EXPAND_DEPTH",
        "EXPAND_ITEMS", "EXPANDED", "GEOMETRIES", "ROWS_LIMIT", "BATCH_LIMIT", "ANSWER_LIMIT",
        "READ_SECONDS", "WRITE_SECONDS", "RATE", "KEY_RATE",
    }  # fmt: skip
    assert set(limits.LIMITS) == tested


@pytest.mark.parametrize("limit", limits.LIMITS.values(), ids=lambda limit: limit.setting)
def test_nonsense_is_refused_at_start(limit: limits.Limit) -> None:
    for value in (str(limit.least - 1), str(limit.most + 1), "many", "1.5", "٣"):
        with pytest.raises(InvalidInput) as refusal:
            load_settings({limit.setting: value, "MAINZDIGITAL_SECRET_KEY": "x" * 40})
        assert refusal.value.where == limit.setting
        assert f"{limit.least} to {limit.most}" in refusal.value.remedy
    assert limits.load({}) == limits.load({limit.setting: str(limit.default)})
    assert load_settings({"MAINZDIGITAL_SECRET_KEY": "x" * 40}).limits == Limits()
