"""GET and HEAD."""

from contextlib import nullcontext
from dataclasses import replace

from mainzdigital.exchange.sensorthings import READING
from mainzdigital.exchange.sensorthings.path import ResourcePath
from mainzdigital.exchange.sensorthings.read import read, service_root
from mainzdigital.exchange.sensorthings.write import WRITING
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.query.odata import parse_options
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.etags import etag
from mainzdigital.serve.http import JSON_TYPE, Request, Response, require_accept
from mainzdigital.serve.sensorthings.target import ENTITY, Target


async def answer(
    request: Request, services: Services, *, reader: Reader, path: ResourcePath, target: Target, root: str
) -> Response:
    """The representation of what `path` names, as the reader may see it."""
    content_type = require_accept(request, "text/plain" if path.value else JSON_TYPE)
    if not path.steps:
        return _root(request, root)
    options = parse_options(request.query, path.entity)
    if path.is_collection:
        top = services.limits.page if options.top is None else min(options.top, services.limits.top)
        options = replace(options, top=top)
    async with services.readers.connection() as connection:
        # One statement sees one state of the city anyway; several need a transaction for that.
        together = connection.transaction() if options.expand or options.count else nullcontext()
        async with together:
            body = await read(connection, reader=reader, path=path, options=options, root=root)
    if not body and path.property_name:
        return Response(204)  # a property without a value (18-088, 9.2.3)
    response = Response(200, body, f"{content_type}; charset=utf-8" if path.value else content_type)
    if reader.subject != "anonymous":
        response.headers["Cache-Control"] = "private, no-cache"
    response.headers["ETag"] = etag(body, weak=target.methods is not ENTITY or bool(request.query))
    return response


def _root(request: Request, root: str) -> Response:
    if request.query:
        raise InvalidInput("query options do not apply here", where="query", remedy="they are for collections")
    body = service_root(root, (*READING, *WRITING))
    return Response(200, body, JSON_TYPE, {"ETag": etag(body, weak=True)})
