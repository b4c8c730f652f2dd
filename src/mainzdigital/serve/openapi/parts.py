"""What operations share: parameters (query options, headers) and refusals."""

from collections.abc import Iterable
from typing import Any

from mainzdigital.exchange.sensorthings.formats import CSV, DATA_ARRAY, GEOJSON
from mainzdigital.kernel import errors
from mainzdigital.query.lexer import MAX_LENGTH
from mainzdigital.query.odata import MAX_NUMBER
from mainzdigital.serve.limits import Limits
from mainzdigital.serve.openapi.schemas import Schema, ref

KEY_LENGTH = 200  # characters of an Idempotency-Key

REFUSALS: dict[int, tuple[type[errors.CityError], str]] = {
    400: (errors.InvalidInput, "The request does not have the form that the standard asks for"),
    401: (errors.NotSignedIn, "There is no key, or it is not known, has ended or was withdrawn"),
    403: (errors.Forbidden, "This key may not do that"),
    404: (errors.NotFound, "It is not there, or not for this reader"),
    406: (errors.NotAcceptable, "Nothing of what Accept names is offered"),
    409: (errors.Conflict, "Somebody else changed the same data, or a `test` of a JSON Patch does not hold"),
    412: (errors.PreconditionFailed, "If-Match or If-None-Match does not hold"),
    413: (errors.TooLarge, "The body, or what it asks for, is too large"),
    414: (errors.UrlTooLong, "Path and query are too long together; beyond 64 KiB the answer has no body"),
    415: (errors.UnsupportedMediaType, "The body is not of a type or coding that is taken here"),
    422: (errors.Unprocessable, "The request contradicts itself or the stored data"),
    429: (errors.TooManyRequests, "Too many requests from this client"),
    503: (errors.Unavailable, "Overloaded, starting, or the request took longer than its time limit"),
}
_READ = (400, 401, 404, 406, 413, 414, 429, 503)
_WRITE = (400, 401, 403, 404, 406, 409, 412, 413, 414, 415, 422, 429, 503)
_RETRY = {"Retry-After": {"description": "Seconds until trying again helps", "schema": {"type": "integer"}}}


def responses() -> dict[str, Any]:
    """components.responses."""
    found: dict[str, Any] = {
        f"Refused{status}": {
            "description": text,
            "content": {"application/json": {"schema": ref("Error")}},
            **({"headers": _RETRY} if status in {409, 429, 503} else {}),
        }
        for status, (_, text) in REFUSALS.items()
    }
    found["NotModified"] = {"description": "What If-None-Match names is still current"}
    return found


def refused(*, writes: bool = False, besides: Iterable[int] = ()) -> dict[str, Any]:
    """The refusals of a read or a write, by status."""
    statuses = sorted({*(_WRITE if writes else _READ), *besides})
    found: dict[str, Any] = {str(status): {"$ref": f"#/components/responses/Refused{status}"} for status in statuses}
    if not writes:
        found["304"] = {"$ref": "#/components/responses/NotModified"}
    return found


def parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def content(*pairs: tuple[str, Schema]) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in pairs}


def _option(name: str, description: str, schema: Schema, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


def _header(name: str, description: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _expression(*examples: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "examples": list(examples)}


def parameters(limits: Limits) -> dict[str, Any]:
    """components.parameters, with the limits in force."""
    numbers = {"type": "integer", "minimum": 0, "maximum": MAX_NUMBER}
    return {
        "id": {
            "name": "id", "in": "path", "required": True, "description": "The entity's @iot.id",
            "schema": {"type": "integer", "format": "int64", "minimum": 1, "examples": [1]}, "example": 1,
        },
        "innerId": {
            "name": "innerId", "in": "path", "required": True, "description": "The related entity's @iot.id",
            "schema": {"type": "integer", "format": "int64", "minimum": 1, "examples": [1]}, "example": 1,
        },
        "filter": _option(
            "$filter", "Which entities (OData 4.01; 18-088, 9.3.3.5)", _expression("name ne ''", "id gt 1 and id lt 9")
        ),
        "meant": _option(
            "$filter", "Which entities are deleted", _expression("name eq 'nobody'", "id lt 0"), required=True
        ),
        "reference": _option(
            "$id", "The address of the entity to be let go", _expression("../../Locations(1)"), required=True
        ),
        "orderby": _option("$orderby", "In which order, by up to 20 keys", _expression("id desc", "name asc")),
        "top": _option(
            "$top", f"How many in a page; without it {limits.read.page}, at most {limits.read.top}",
            {**numbers, "examples": [5]},
        ),
        "skip": _option("$skip", "How many to leave out at the start", {**numbers, "examples": [0]}),
        "count": _option("$count", "Whether @iot.count tells how many there are in all", {"type": "boolean"}),
        "select": _option(
            "$select", "Which properties, relations (as links) and parts of JSON", _expression("name,properties/owner")
        ),
        "expand": _option(
            "$expand", "Which relations to show in place of their links, with options of their own in parentheses",
            _expression("Datastreams($select=name;$top=2)", "Datastreams/Observations($top=1)"),
        ),
        "resultFormat": _option(
            "$resultFormat", "Another form than JSON (upper and lower case do not matter)",
            {"type": "string", "enum": [CSV, GEOJSON]},
        ),
        "observationFormat": _option(
            "$resultFormat", "Another form than JSON (upper and lower case do not matter)",
            {"type": "string", "enum": [DATA_ARRAY, CSV, GEOJSON]},
        ),
        "skiptoken": _option(
            "$skiptoken", "Stands in @iot.nextLink; follow that as it is", {"type": "string", "minLength": 1}
        ),
        "ifNoneMatch": _header("If-None-Match", "304 where the entity tag is still current", {"type": "string"}),
        "ifMatch": _header("If-Match", "Only if the entity is still as this entity tag says", {"type": "string"}),
        "idempotencyKey": _header(
            "Idempotency-Key", "The same key sent twice by one client is one Observation",
            {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": "^[!-~]+$"},
        ),
    }  # fmt: skip
