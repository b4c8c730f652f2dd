"""OGC SensorThings API 1.1 (18-088) over HTTP, at `/sensorthings/v1.1`."""

from functools import lru_cache

from mainzdigital.exchange.sensorthings.path import ResourcePath, parse_path
from mainzdigital.kernel.errors import MethodNotAllowed
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.http import Request, Response
from mainzdigital.serve.sensorthings import reads, writes
from mainzdigital.serve.sensorthings.target import Target, target_of

MOUNT = "/sensorthings/v1.1"


@lru_cache(8192)
def _find(path: str) -> tuple[ResourcePath, Target]:
    parsed = parse_path(path)
    return parsed, target_of(parsed)


async def handle(request: Request, services: Services) -> Response:
    """Answer one request below the mount."""
    path = request.path[len(MOUNT) :].strip("/")
    parsed, target = _find(path)
    if request.method not in target.methods:
        raise MethodNotAllowed(
            f"{request.method[:20]} is not offered here", allow=target.methods, where="method",
            remedy=f"use {', '.join(target.methods)}",
        )  # fmt: skip
    reader = await services.authenticator.reader(request)
    root = services.origin + MOUNT
    if request.method in {"GET", "HEAD"}:
        return await reads.answer(request, services, reader=reader, path=parsed, target=target, root=root)
    return await writes.answer(request, services, reader=reader, path=path, target=target, root=root)
