"""The other data APIs on the same server: series and events, under the same keys and limits."""

import json

import httpx
import pytest

from tests.sensorthings_write import cities
from tests.serve.servers import Keys, Running


@pytest.fixture
def station(manager: httpx.Client) -> httpx.Client:
    body = cities.station(
        Datastreams=[
            cities.full_datastream(
                Observations=[{"phenomenonTime": f"2026-01-01T{h:02}:00:00Z", "result": h} for h in range(4)]
            )
        ]
    )
    assert manager.post("Things", json=body).status_code == 201
    return manager


def test_series(station: httpx.Client, server: Running, keys: Keys) -> None:
    query = {"datastreams": "1", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "bucket": "day"}
    address = f"{server.origin}/series/v1"
    for style in ("application/json", "text/csv"):
        answer = httpx.get(address, params=query, headers={"Authorization": f"Bearer {keys.read}", "Accept": style})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith(style)
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert "1.5" in answer.text
    assert httpx.get(address, params=query).status_code in {200, 404}
    assert "1.5" not in httpx.get(address, params=query).text
    assert httpx.get(address, params={"bucket": "nonsense"}).status_code == 400
    assert httpx.post(address).status_code == 405
    assert httpx.get(f"{address}/more").status_code == 404
    assert httpx.options(address).headers["Allow"] == "GET, HEAD, OPTIONS"


def test_events(station: httpx.Client, server: Running, keys: Keys) -> None:
    with httpx.Client(timeout=20) as client:
        headers = {"Authorization": f"Bearer {keys.read}"}
        with client.stream("GET", f"{server.origin}/events/v1", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "retry: 3000"
            assert station.post("Datastreams(1)/Observations", json={"result": 42}).status_code == 201
            # What was written just before may still come first.
            results = (json.loads(line[6:])["result"] for line in lines if line.startswith("data: "))
            assert any(result == 42 for result in results)
    assert httpx.head(f"{server.origin}/events/v1").status_code == 200
    assert httpx.get(f"{server.origin}/events/v1", params={"datastreams": "x"}).status_code == 400
    assert httpx.delete(f"{server.origin}/events/v1").status_code == 405
