"""A result leaves as it came: by every way in, by every way out."""

import json
import math
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sensorthings_write import cities

RESULTS: list[Any] = [
    1.5e300, -1.5e300, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 0.1, 1 / 3, -0.0, 0.0, 0, 5, -7,
    2**53, 2**53 + 1, -(2**53) - 1, 2**63, 2**64 + 1, -(2**70) - 1, 10**299 + 1, 9007199254740993.0, 1e22, 1e23,
    True, False, None, "", "text", "1", "true", "ä\u2028\U0001f600\"\\",
    {}, [], {"a": [1, 2.5, None, True, "x"], "b": {"c": 1.5e300}}, [2**53 + 1, 1e-300, -1e300],
]  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Equal in value and in kind; a whole double is the same number as an integer, zero has a sign."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other and (one != 0 or math.copysign(1, one) == math.copysign(1, other))
    return type(one) is type(other) and bool(one == other)


def stream(client: httpx.Client) -> str:
    made = client.post("Things", json=cities.station())
    assert made.status_code == 201, made.text
    listed = client.get(made.headers["Location"] + "/Datastreams").json()["value"]
    return str(listed[0]["@iot.selfLink"])


def test_every_result_leaves_as_it_came(manager: httpx.Client) -> None:
    address = stream(manager)
    links = []
    for result in RESULTS:
        body = json.dumps({"result": result})
        made = manager.post(f"{address}/Observations", content=body, headers={"Content-Type": "application/json"})
        assert made.status_code == 201, (result, made.text)
        links.append(made.headers["Location"])
    for result, link in zip(RESULTS, links, strict=True):
        for answer in (manager.get(link).json(), manager.get(link, params={"$select": "result"}).json()):
            assert same(answer["result"], result), (result, answer["result"])
    page = manager.get(f"{address}/Observations", params={"$orderby": "@iot.id"}).json()["value"]
    assert [same(row["result"], result) for row, result in zip(page, RESULTS, strict=True)] == [True] * len(RESULTS)
    # Changed to each other's result, and back again.
    for result, link in zip(reversed(RESULTS), links, strict=True):
        assert manager.patch(link, json={"result": result}).status_code == 200
        assert same(manager.get(link).json()["result"], result)


@pytest.mark.parametrize(("text", "sign"), [("-0.0", -1), ("-0", -1), ("0", 1), ("-0e5", -1), ("-1e-400", -1)])
def test_zero_keeps_its_sign(manager: httpx.Client, text: str, sign: int) -> None:
    address = stream(manager)
    headers = {"Content-Type": "application/json"}
    made = manager.post(f"{address}/Observations", content=f'{{"result": {text}}}', headers=headers)
    found = manager.get(made.headers["Location"]).json()["result"]
    assert (found, math.copysign(1, found)) == (0, sign)


@pytest.mark.parametrize("text", ["1e309", "-1e400", "1" + "0" * 309, "NaN", "Infinity"])
def test_what_no_double_holds_is_refused(manager: httpx.Client, text: str) -> None:
    address = stream(manager)
    headers = {"Content-Type": "application/json"}
    answer = manager.post(f"{address}/Observations", content=f'{{"result": {text}}}', headers=headers)
    assert answer.status_code == 400
    assert "message" in answer.json()


def test_large_numbers_do_not_break_the_figures(manager: httpx.Client) -> None:
    address = stream(manager)
    for result in (1.5e308, 1.7e308, 1e300, 2.0):
        body = {"result": result, "phenomenonTime": "2026-01-01T00:00:00Z"}
        assert manager.post(f"{address}/Observations", json=body).status_code == 201
    answer = manager.get(f"{address}/Observations", params={"$filter": "result lt 3", "$count": "true"}).json()
    assert [row["result"] for row in answer["value"]] == [2]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    results=st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**90), 2**90), min_size=1, max_size=50
    )
)
def test_any_number(manager: httpx.Client, results: list[float]) -> None:
    observations = [{"phenomenonTime": f"2026-01-01T00:00:{at:02}Z", "result": one} for at, one in enumerate(results)]
    body = cities.station(Datastreams=[cities.full_datastream(Observations=observations)])
    made = manager.post("Things", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert made.status_code == 201, made.text
    address = made.headers["Location"] + "/Datastreams?$expand=Observations($orderby=phenomenonTime)"
    page = manager.get(address).json()["value"][0]["Observations"]
    assert all(same(row["result"], result) for row, result in zip(page, results, strict=True))
