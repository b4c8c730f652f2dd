"""A server that answers as the air data API of the Umweltbundesamt does. All values are invented for the tests."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, dict[str, str], bytes]
STATION_INDICES = [
    "station id", "station code", "station name", "station city", "station synonym", "station active from",
    "station active to", "station longitude", "station latitude", "network id",
]  # fmt: skip
STATIONS = {
    "9001": ["9001", "DEXX001", "Musterstadt-Mitte", "Musterstadt", "MM", "1990-01-01", None, "8.25", "50.01", "1"],
    "9002": ["9002", "DEXX002", "Musterstadt-Ring", "Musterstadt", "", "1990-01-01", None, "", None, "1"],
}
Values = Mapping[str, float | int | str | None]


def hour_after(text: str) -> str:
    return str(datetime.fromisoformat(text) + timedelta(hours=1))


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(value).encode()


def measures(station: str, component: int, scope: int, values: Values) -> Answer:
    rows = {begin: [component, scope, value, hour_after(begin), "0"] for begin, value in values.items()}
    indices = {"data": {"station id": {"date start": ["component id", "scope id", "value", "date end", "index"]}}}
    return as_json({"request": {}, "indices": indices, "data": {station: rows} if rows else []})


@dataclass
class Source:
    """What the server answers, and what it was asked."""

    values: dict[tuple[str, str], Values] = field(default_factory=dict)  # (station, component) → hours
    stations: Callable[[], Answer] = lambda: as_json({"indices": STATION_INDICES, "data": STATIONS})
    override: Callable[[dict[str, str]], Answer | None] = lambda question: None
    asked: list[dict[str, str]] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    address: str = ""

    def answer(self, path: str, question: dict[str, str]) -> Answer:
        if path.endswith("/stations/json"):
            return self.stations()
        self.asked.append(question)
        special = self.override(question)
        if special is not None:
            return special
        station, component = question["station"], question["component"]
        values = self.values.get((station, component), {})
        return measures(station, int(component), int(question["scope"]), values)


@contextmanager
def serving(source: Source) -> Iterator[Source]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.agents.add(self.headers["User-Agent"])
            parts = urlsplit(self.path)
            status, headers, body = source.answer(parts.path, dict(parse_qsl(parts.query)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    source.address = f"http://127.0.0.1:{server.server_port}/api/air-data/v4"
    try:
        yield source
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
