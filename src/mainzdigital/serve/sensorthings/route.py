"""From a request to the call it means, and on to reading or writing."""

from functools import lru_cache

from mainzdigital.exchange.sensorthings.path import ResourcePath, parse_path
from mainzdigital.kernel.access import ANONYMOUS, Reader
from mainzdigital.kernel.errors import MethodNotAllowed
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.http import Request, Response
from mainzdigital.serve.sensorthings import reads, writes
from mainzdigital.serve.sensorthings.calls import Call, Setting
from mainzdigital.serve.sensorthings.target import ARRAY, DATA_ARRAY, Target, target_of

MOUNT = "/sensorthings/v1.1"
_NOWHERE = ResourcePath(())


@lru_cache(8192)
def _find(path: str) -> tuple[ResourcePath, Target]:
    if path == DATA_ARRAY:
        return _NOWHERE, ARRAY
    parsed = parse_path(path)
    return parsed, target_of(parsed)


def setting_of(services: Services) -> Setting:
    """What handlers need of the process."""
    return Setting(services.origin + MOUNT, services.limits, services.open_write, services.known)


def call_of(request: Request, setting: Setting) -> Call:
    """The call that a request means, nobody's yet; raises NotFound, InvalidInput, MethodNotAllowed."""
    path = request.path[len(MOUNT) :].strip("/")
    parsed, target = _find(path)
    require_method(request, target.methods)
    return Call(request, ANONYMOUS, path, parsed, target, setting)


def require_method(request: Request, methods: tuple[str, ...]) -> None:
    """Raises MethodNotAllowed, which names those there are."""
    if request.method not in methods:
        raise MethodNotAllowed(
            f"{request.method[:20]} is not offered here", allow=methods, where="method",
            remedy=f"use {', '.join(methods)}",
        )  # fmt: skip


async def carry_out(call: Call, reader: Reader, services: Services) -> Response:
    """Read or write, as a reader may."""
    call.reader = reader
    if call.request.method in {"GET", "HEAD"}:
        return await reads.answer(
            call.request, services, reader=call.reader, path=call.parsed, target=call.target, root=call.root
        )
    return await writes.answer(call, services)
