"""`GET /series/v1`: values of datastreams over time, as JSON, CSV, Parquet or Arrow."""

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from mainzdigital.exchange import series, series_columns, series_query, series_write
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import CityError, MethodNotAllowed, Unavailable
from mainzdigital.serve.etags import etag

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[str, str]


_CONTENT_TYPES: dict[series_write.Form, str] = {"csv": "text/csv; charset=utf-8; header=present"}


async def answer(
    raw_query: str, accept: str, *, pool: AsyncConnectionPool, reader: Reader, zone: ZoneInfo
) -> tuple[Headers, bytes | AsyncIterator[bytes]]:
    """Headers and body of the answer to one GET; raises CityError."""
    query = series_query.parse(raw_query, accept=accept, now=datetime.now(UTC), zone=zone)
    try:
        if query.form != "json":
            about, parts = await series.read_parts(pool.connection, reader=reader, query=query)
            return {
                "content-type": _CONTENT_TYPES.get(query.form, series_write.TYPES[query.form]),
                "content-disposition": f'attachment; filename="{series_write.file_name(query)}"',
            }, (
                series_write.csv_chunks(query, parts)
                if query.form == "csv"
                else series_columns.chunks(query, about, parts)
            )
        async with pool.connection() as connection, connection.transaction():
            found = await series.read(connection, reader=reader, query=query)
        body = series_write.to_json(query, found)
        return {"content-type": "application/json", "ETag": etag(body, weak=True)}, body
    except psycopg.errors.QueryCanceled:
        raise Unavailable(
            "the answer takes too long (limit MAINZDIGITAL_READ_SECONDS)",
            remedy="ask for a coarser bucket or a shorter period",
            retry_after=5,
        ) from None
    except (PoolTimeout, TooManyRequests, psycopg.OperationalError) as error:
        raise Unavailable("the database is busy", remedy="try again", retry_after=2) from error


async def series_app(
    scope: Scope, receive: Receive, send: Send, *, pool: AsyncConnectionPool, reader: Reader, zone: ZoneInfo
) -> None:
    """The ASGI application of the mount, for one authenticated request."""
    try:
        if scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(f"{scope['method']} is not taken here", allow=("GET", "HEAD"))
        accept = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"accept")
        query = scope.get("query_string", b"").decode("latin-1")
        headers, body = await answer(query, accept, pool=pool, reader=reader, zone=zone)
        status = 200
    except CityError as error:
        status, headers, body = refusal(error)
    await respond(send, status, headers, body, head=scope["method"] == "HEAD")


def refusal(error: CityError) -> tuple[int, Headers, bytes]:
    """Status, headers and JSON body of a refusal: what is wrong, where, and what to do."""
    told = {"code": error.status, "message": error.message, "where": error.where, "remedy": error.remedy}
    headers = {"content-type": "application/json"}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = ", ".join(error.allow)
    return error.status, headers, msgspec.json.encode({name: value for name, value in told.items() if value})


async def respond(send: Send, status: int, headers: Headers, body: bytes | AsyncIterator[bytes], *, head: bool) -> None:
    if isinstance(body, bytes):
        headers = headers | {"content-length": str(len(body))}
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": b"" if head else body})
        return
    if not head:
        async for chunk in body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
