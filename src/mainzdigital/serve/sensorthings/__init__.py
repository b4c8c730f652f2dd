"""OGC SensorThings API 1.1 (18-088) over HTTP, at `/sensorthings/v1.1`."""

from mainzdigital.serve.app_services import Services
from mainzdigital.serve.http import Request, Response
from mainzdigital.serve.sensorthings import batch
from mainzdigital.serve.sensorthings.route import MOUNT, call_of, carry_out, setting_of
from mainzdigital.serve.sensorthings.target import BATCH

__all__ = ["MOUNT", "handle"]


async def handle(request: Request, services: Services) -> Response:
    """Answer one request below the mount."""
    setting = setting_of(services)
    if request.path[len(MOUNT) :].strip("/") == BATCH:
        return await batch.answer(request, services, setting)
    call = call_of(request, setting)  # what is no address or no method needs no reader
    return await carry_out(call, await services.authenticator.reader(request), services)
