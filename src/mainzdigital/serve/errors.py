"""Refusals as HTTP answers in the JSON of SensorThings: `code`, `type`, `message`, and our `where` and `remedy`.

Failures of the database get the status that tells the client whether trying again helps:
409 two writers wanted the same row and one lost; 503 no connection free, the database restarts, or the request took
longer than its time limit (narrowing it helps, so the remedy says so).
"""

import logging
import secrets

import msgspec
import psycopg
from psycopg import errors as pg
from psycopg_pool import PoolClosed, PoolTimeout
from psycopg_pool import TooManyRequests as PoolFull

from mainzdigital.kernel.errors import (
    CityError,
    Conflict,
    InvalidInput,
    MethodNotAllowed,
    NotSignedIn,
    Unavailable,
    UnsupportedMediaType,
)
from mainzdigital.serve.http import JSON_TYPE, Response, origin_header

log = logging.getLogger(__name__)

_AGAIN = "try again"


def translate(error: Exception) -> CityError | None:
    """The refusal that an exception of the database or its pool amounts to; None for a fault of our own."""
    match error:
        case CityError():
            return error
        case PoolTimeout() | PoolFull() | PoolClosed():
            return Unavailable("no connection to the database is free", remedy=_AGAIN, retry_after=1)
        case pg.QueryCanceled():
            return Unavailable(
                "the request took too long and was stopped (limit MAINZDIGITAL_READ_SECONDS or _WRITE_SECONDS)",
                remedy="ask for less: narrow $filter or lower $top",
                retry_after=5,
            )  # fmt: skip
        case pg.SerializationFailure() | pg.DeadlockDetected() | pg.LockNotAvailable():
            return Conflict("somebody else changed the same data at this moment", remedy=_AGAIN, retry_after=1)
        case pg.ForeignKeyViolation():
            return Conflict("something this refers to was deleted at this moment", remedy="read it again")
        case pg.UniqueViolation():
            return Conflict("this exists already", remedy="read it again")
        case pg.DiskFull() | pg.TooManyConnections() | pg.OutOfMemory() | pg.ReadOnlySqlTransaction():
            log.error("the database refuses: %s", error)
            return Unavailable("the database cannot take this now", remedy=_AGAIN, retry_after=30)
        case pg.ProgramLimitExceeded():
            return InvalidInput("a value is larger than the database can hold", remedy="send less in one entity")
        case psycopg.OperationalError() | psycopg.InterfaceError():
            log.warning("the database does not answer: %s", error)
            return Unavailable("the database does not answer", remedy=_AGAIN, retry_after=2)
        case _:
            return None


def render(error: CityError) -> Response:
    """The answer to a refusal."""
    content: dict[str, object] = {"code": error.status, "type": "error", "message": error.message}
    if error.where:
        content["where"] = error.where
    if error.remedy:
        content["remedy"] = error.remedy
    headers = {"Cache-Control": "no-store"}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(error.allow)
    if isinstance(error, UnsupportedMediaType) and error.where == "Content-Encoding":
        headers["Accept-Encoding"] = "gzip, identity"  # RFC 9110, 15.5.16
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = 'Bearer realm="mainzDIGITAL"'
    return Response(error.status, _encode(content), JSON_TYPE, headers)


def answer(error: Exception, *, method: str, path: str) -> Response:
    """The answer to any exception; a fault of our own is logged under a reference that the client can quote."""
    refusal = translate(error)
    if refusal is not None:
        return render(refusal)
    reference = secrets.token_hex(4)
    log.error("fault %s in %s %s", reference, method, origin_header(path[:200]), exc_info=error)
    content = {
        "code": 500, "type": "error", "message": "this is a fault of the platform, not of your request",
        "remedy": f"report it with the reference {reference}",
    }  # fmt: skip
    return Response(500, _encode(content), JSON_TYPE, {"Cache-Control": "no-store"})


def _encode(content: dict[str, object]) -> bytes:
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:  # a lone surrogate quoted from the input
        clean = {
            key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for key, value in content.items()
        }
        return msgspec.json.encode(clean)
