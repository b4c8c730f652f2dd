"""What operators ask the `api` process: does it live, is it ready, how is it doing.

`/health` and `/ready` are open and say nothing that helps an attacker; `/metrics` (Prometheus text format 0.0.4) is for
this machine, or for a key with scope `read`.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol

import psycopg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from psycopg_pool import PoolTimeout

from mainzdigital.kernel.access import Scope as KeyScope
from mainzdigital.kernel.errors import Forbidden, MethodNotAllowed, NotFound
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.http import ASGIApp, Message, Receive, Request, Response, Scope, Send
from mainzdigital.store.connect import migrated
from mainzdigital.store.connect_state import observations_inserted

_logger = logging.getLogger(__name__)
disable_created_metrics()  # type: ignore[no-untyped-call]

_GET = ("GET", "HEAD")
_SECONDS = 3.0  # a part that takes longer to answer is not ready
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The numbers of one process, in a registry of its own: several processes are several targets to scrape."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(namespace="mainzdigital", registry=self.registry)
        self._requests = Counter(
            "mainzdigital_requests", "Requests answered", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "mainzdigital_request_seconds", "Time to the end of the answer", ("route", "method"),
            buckets=_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self.observations = Gauge(
            "mainzdigital_observations_inserted", "Observations written by all processes", registry=self.registry
        )
        # Looked up once: a metric's own look-up of its labels costs more than counting.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}

    def gauge(self, name: str, title: str, value: Callable[[], float]) -> None:
        """A number that is asked for when it is scraped."""
        Gauge(f"mainzdigital_{name}", title, registry=self.registry).set_function(value)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        if method not in _METHODS:
            method = "other"
        counter = self._counters.get((route, method, status))
        if counter is None:
            counter = self._counters[route, method, status] = self._requests.labels(route, method, str(status))
        counter.inc()
        histogram = self._histograms.get((route, method))
        if histogram is None:
            histogram = self._histograms[route, method] = self._seconds.labels(route, method)
        histogram.observe(seconds)


class Measured:
    """Counts and times the requests of an application. `routes` maps path prefixes to names, the rest is `portal`.

    Routes named in `streams` answer without end; `end_streams` ends them, so that a stop need not wait for them.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, *, routes: Mapping[str, str], streams: frozenset[str] = frozenset()
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = dict(routes)
        self._streams = streams
        self._open: set[asyncio.Task[None]] = set()

    def end_streams(self) -> None:
        for task in self._open:
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route = self._route(scope["path"])
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = time.perf_counter()
        try:
            if route in self._streams:
                await self._stream(scope, receive, watched)
            else:
                await self._app(scope, receive, watched)
        finally:
            # 499: the client left before there was an answer.
            self._metrics.answered(route, scope["method"], status or 499, time.perf_counter() - begun)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def run() -> None:
            await self._app(scope, receive, send)

        task = asyncio.ensure_future(run())
        self._open.add(task)
        try:
            await asyncio.wait({task})
            if task.cancelled():
                await send({"type": "http.response.body", "body": b""})
            else:
                task.result()
        finally:
            self._open.discard(task)

    def _route(self, path: str) -> str:
        for prefix, name in self._routes.items():
            if path.startswith(prefix):
                return name
        return "portal"


class Part(Protocol):
    """One thing that must work for the city to be ready; raises or returns a reason when it does not."""

    async def __call__(self, services: Services) -> str | None: ...


class Operations:
    """The handlers of `/health`, `/ready` and `/metrics`."""

    def __init__(self, metrics: Metrics, *, parts: Mapping[str, Part]) -> None:
        self._metrics = metrics
        self._parts = dict(parts)

    async def health(self, request: Request, services: Services) -> Response:
        """Live: this process answers."""
        _get_only(request, "/health")
        return _json({"status": "ok"})

    async def ready(self, request: Request, services: Services) -> Response:
        """Ready: every part of the city works; 503 and the parts that do not otherwise."""
        _get_only(request, "/ready")
        reasons = await asyncio.gather(*(self._reason(name, services) for name in self._parts))
        parts = {name: reason or "ok" for name, reason in zip(self._parts, reasons, strict=True)}
        if any(reasons):
            answer = _json({"status": "not ready", "parts": parts}, status=503)
            answer.headers["Retry-After"] = "5"
            return answer
        return _json({"status": "ready", "parts": parts})

    async def _reason(self, name: str, services: Services) -> str | None:
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._parts[name](services)
        except Exception as error:  # noqa: BLE001 whatever it is, the part does not work
            _logger.warning("not ready: %s: %s", name, error or type(error).__name__)
            return "does not answer"

    async def metrics(self, request: Request, services: Services) -> Response:
        _get_only(request, "/metrics")
        if not _local(request):
            reader = await services.authenticator.reader(request)
            if not reader.may(KeyScope.READ):
                raise Forbidden("metrics are for operators", remedy="ask on the machine, or send a key")
        await self._observations(services)
        return Response(200, generate_latest(self._metrics.registry), CONTENT_TYPE_PLAIN_0_0_4)

    async def _observations(self, services: Services) -> None:
        # Asked of the database, since every process of the city writes; without it the number stays as it was.
        try:
            async with asyncio.timeout(_SECONDS), services.readers.connection(timeout=_SECONDS) as connection:
                self._metrics.observations.set(await observations_inserted(connection))
        except (psycopg.Error, PoolTimeout, TimeoutError):
            _logger.warning("the number of observations could not be asked for")


def _get_only(request: Request, path: str) -> None:
    if request.method not in _GET:
        raise MethodNotAllowed("this address is read only", allow=_GET)
    if request.path != path:
        raise NotFound("there is nothing at this address", where="path")


def _local(request: Request) -> bool:
    """Asked on this machine, and not through a proxy on it."""
    if any(name in request.headers for name in ("x-forwarded-for", "forwarded", "via", "x-real-ip")):
        return False
    try:
        return ip_address(request.client).is_loopback
    except ValueError:
        return False


def _json(content: object, *, status: int = 200) -> Response:
    return Response(status, json.dumps(content).encode(), "application/json", {"Cache-Control": "no-store"})


class DatabaseReady:
    """The database answers, and its tables are those of this version (`expected`: app → last migration)."""

    def __init__(self, expected: Mapping[str, str]) -> None:
        self._expected = expected
        self._migrated = False

    async def __call__(self, services: Services) -> str | None:
        try:
            async with services.readers.connection(timeout=_SECONDS) as connection:
                if self._migrated:
                    await connection.execute("SELECT 1")
                else:
                    self._migrated = await migrated(connection, self._expected)
        except psycopg.errors.UndefinedTable:
            pass
        return None if self._migrated else "tables are not those of this version, run: mainzdigital migrate"


class WebReady:
    """The pages are served behind the Unix socket."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __call__(self, services: Services) -> str | None:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(b"GET /.alive HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return None if b" 200 " in await reader.readline() else "does not serve pages"
        finally:
            writer.close()


def watch(metrics: Metrics, services: Services) -> None:
    """Numbers of the pools and the queue of opened services."""
    metrics.gauge("queue_observations", "Observations that wait for their commit", lambda: services.queue.waiting)
    for name, title in (
        ("pool_size", "Connections for reading"),
        ("pool_available", "Connections for reading that are free"),
        ("requests_waiting", "Requests that wait for a connection"),
    ):
        metrics.gauge(f"readers_{name}", title, partial(_of_pool, services, name))


def _of_pool(services: Services, name: str) -> float:
    return services.readers.get_stats().get(name, 0)
