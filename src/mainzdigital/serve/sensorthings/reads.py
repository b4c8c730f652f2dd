"""GET and HEAD."""

from contextlib import nullcontext
from dataclasses import replace

from mainzdigital.exchange.sensorthings import READING
from mainzdigital.exchange.sensorthings.formats import CSV, CSV_TYPE, GEOJSON, GEOJSON_TYPE
from mainzdigital.exchange.sensorthings.path import ResourcePath
from mainzdigital.exchange.sensorthings.read import read, service_root
from mainzdigital.exchange.sensorthings.write import WRITING
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.query.odata import QueryOptions, parse_options
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.etags import etag
from mainzdigital.serve.http import JSON_TYPE, Request, Response, require_accept
from mainzdigital.serve.sensorthings.target import Kind, Target

# RFC 8631: the machine's and the human's description of this service.
_DESCRIPTION = '</api/openapi.json>; rel="service-desc"; type="application/json", </api/>; rel="service-doc"'
_FORMATS = {CSV_TYPE: CSV, GEOJSON_TYPE: GEOJSON}


async def answer(
    request: Request, services: Services, *, reader: Reader, path: ResourcePath, target: Target, root: str
) -> Response:
    """The representation of what `path` names, as the reader may see it."""
    if not path.steps:
        require_accept(request, JSON_TYPE)
        return _root(request, root)
    options = parse_options(request.query, path.entity, services.limits.query)
    if path.value or path.count:
        require_accept(request, "text/plain", JSON_TYPE, GEOJSON_TYPE)
    elif options.result_format is None:
        options = _negotiated(request, path, options)
    async with services.readers.connection() as connection:
        # One statement sees one state of the city anyway; several need a transaction for that.
        together = connection.transaction() if options.expand or options.count else nullcontext()
        async with together:
            found = await read(
                connection, reader=reader, path=path, options=options, root=root, limits=services.limits.read
            )
    body = found.body
    if not found.media_type:
        return Response(204)  # a property without a value (18-088, 9.2.3)
    content_type = f"{found.media_type}; charset=utf-8" if found.media_type == "text/plain" else found.media_type
    response = Response(200, body, content_type)
    if found.next_link and found.media_type != JSON_TYPE:
        response.headers["Link"] = f'<{found.next_link}>; rel="next"'
    if reader.subject != "anonymous":
        response.headers["Cache-Control"] = "private, no-cache"
    response.headers["ETag"] = etag(
        body, weak=target.kind is not Kind.ENTITY or bool(options.given) or bool(request.query)
    )
    return response


def _negotiated(request: Request, path: ResourcePath, options: QueryOptions) -> QueryOptions:
    """The options, with the format that the Accept header asks for."""
    plain = path.property_name or path.ref
    chosen = require_accept(request, JSON_TYPE) if plain else require_accept(request, JSON_TYPE, *_FORMATS)
    if chosen == JSON_TYPE:
        return options
    name = _FORMATS[chosen]
    return replace(options, result_format=name, given=(*options.given, ("$resultFormat", name)))


def _root(request: Request, root: str) -> Response:
    if request.query:
        raise InvalidInput("query options do not apply here", where="query", remedy="they are for collections")
    body = service_root(root, (*READING, *WRITING))
    return Response(200, body, JSON_TYPE, {"ETag": etag(body, weak=True), "Link": _DESCRIPTION})
