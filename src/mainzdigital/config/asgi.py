"""The `api` process: what the data APIs need, put together. Never imports Django."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainzdigital.config import migrations
from mainzdigital.config.settings import Settings, settings
from mainzdigital.serve.app import create_app
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.feed_metrics import FeedMetrics
from mainzdigital.serve.operations import DatabaseReady, Measured, Metrics, Operations, WebReady, watch
from mainzdigital.serve.relay import Relay

ROUTES = {
    "/sensorthings/": "sensorthings",
    "/series/": "series",
    "/events/": "events",
    "/api/openapi.json": "openapi",
    "/health": "operations",
    "/ready": "operations",
    "/metrics": "operations",
}


def compose(chosen: Settings) -> Measured:
    """The ASGI application of one process."""
    metrics = Metrics()
    metrics.registry.register(FeedMetrics(chosen.home / "run" / "feeds.json"))
    relay = Relay(socket=chosen.web_socket, origin=chosen.origin, proxies=chosen.trusted_proxies)
    operations = Operations(
        metrics,
        parts={
            "database": DatabaseReady(migrations.expected()),
            "pages": WebReady(chosen.web_socket),
        },
    )

    @asynccontextmanager
    async def companions(services: Services) -> AsyncIterator[None]:
        watch(metrics, services)
        try:
            yield
        finally:
            await relay.close()

    services = Services(
        dsn=chosen.dsn,
        secret_key=chosen.secret_key,
        origin=chosen.origin,
        zone=chosen.city.zone,
        open_write=chosen.open_write,
        fallback=relay,
        mounts={"/health": operations.health, "/ready": operations.ready, "/metrics": operations.metrics},
        companions=(companions,),
        client_of=chosen.trusted_proxies.client,
        limits=chosen.limits,
    )
    return Measured(create_app(services), metrics, routes=ROUTES, streams=frozenset({"events"}))


application = compose(settings())
