"""What one request and one client may cost: the limits that an operator can set, and those that stand fixed.

Both tables are what docs/reference/limits.md shows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mainzdigital.exchange import series_query, series_write
from mainzdigital.exchange.sensorthings import STANDARD, ReadLimits, deep, formats, path, write_patch
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.query import expressions, lexer
from mainzdigital.query.limits import QueryLimits
from mainzdigital.serve import app_services
from mainzdigital.serve.limits import FAILED, Limits, Rate
from mainzdigital.serve.sensorthings import batch_multipart
from mainzdigital.store import geometry, spatial


@dataclass(frozen=True, slots=True)
class Limit:
    """A setting with its range; `beyond` is what happens to a request that asks for more."""

    setting: str
    meaning: str
    default: int
    least: int
    most: int
    beyond: str


_FOUR = "400, names the place"
LIMITS: dict[str, Limit] = {
    limit.setting.removeprefix("MAINZDIGITAL_"): limit
    for limit in (
        Limit("MAINZDIGITAL_BODY_LIMIT", "MiB that the body of one request may have, decoded", 20, 1, 1024,
              "413, before the rest is read or unpacked"),
        Limit("MAINZDIGITAL_JSON_DEPTH", "levels of objects and lists in a body", 40, 8, 100, "400"),
        Limit("MAINZDIGITAL_URL_LIMIT", "bytes of path and query, as sent", 16_000, 1_000, 60_000, "414"),
        Limit("MAINZDIGITAL_PAGE", "entities in a page where $top is not given", 100, 1, 10_000, "@iot.nextLink"),
        Limit("MAINZDIGITAL_TOP_LIMIT", "most entities in a page, whatever $top says", 10_000, 1, 10_000,
              "@iot.nextLink"),
        Limit("MAINZDIGITAL_FILTER_DEPTH", "levels of one $filter or $orderby", 48, 8, 80, _FOUR),
        Limit("MAINZDIGITAL_FILTER_PARTS", "values, properties, functions and operators of one $filter or $orderby",
              400, 20, 2_000, _FOUR),
        Limit("MAINZDIGITAL_EXPAND_DEPTH", "levels of $expand", 6, 1, 10, _FOUR),
        Limit("MAINZDIGITAL_EXPAND_ITEMS", "relations that one request may expand, over all levels", 30, 1, 100, _FOUR),
        Limit("MAINZDIGITAL_EXPANDED", "related entities on one level of $expand", 100_000, 100, 1_000_000,
              "fewer for each entity, and …@iot.nextLink"),
        Limit("MAINZDIGITAL_GEOMETRIES", "stored geometries that one geospatial function may look at", 200_000, 10,
              10_000_000, _FOUR),
        Limit("MAINZDIGITAL_ROWS_LIMIT", "observations in one data array (CreateObservations)", 100_000, 1, 1_000_000,
              "413, nothing is written"),
        Limit("MAINZDIGITAL_BATCH_LIMIT", "requests in one batch ($batch)", 1_000, 1, 100_000, "413, nothing is done"),
        Limit("MAINZDIGITAL_ANSWER_LIMIT", "MiB that the answers to one batch may have together", 100, 1, 1024,
              "413 for the requests after that"),
        Limit("MAINZDIGITAL_READ_SECONDS", "seconds that one statement of a read may take", 15, 1, 3600,
              "503 with Retry-After"),
        Limit("MAINZDIGITAL_WRITE_SECONDS", "seconds that one statement of a write may take", 60, 1, 3600,
              "503 with Retry-After, nothing is written"),
        Limit("MAINZDIGITAL_RATE", "requests a second from one address without a key, five times as many at once",
              300, 1, 1_000_000, "429 with Retry-After"),
        Limit("MAINZDIGITAL_KEY_RATE", "requests a second with one key, twice as many at once", 20_000, 1, 1_000_000,
              "429 with Retry-After"),
    )
}  # fmt: skip
ENVIRONMENT = {limit.setting: f"{limit.meaning}; default {limit.default}" for limit in LIMITS.values()}


def fixed() -> Iterator[tuple[str, int, str]]:
    """Limits that no setting changes: what, how much, what happens beyond."""
    yield "characters of one option", lexer.MAX_LENGTH, "400"
    yield "keys of $orderby", expressions.MAX_KEYS, _FOUR
    yield "steps of a path", path.MAX_STEPS, "400"
    yield "entities in one deep insert", deep.ENTITY_LIMIT, "413"
    yield "lines of a multipart batch", batch_multipart.LINES, "413"
    yield "operations in one JSON Patch", write_patch.OPERATION_LIMIT, "400"
    yield "values in a patched entity", write_patch.WEIGHT_LIMIT, "413"
    yield "positions in one geometry", geometry.POSITION_LIMIT, "400"
    yield "bytes of the geometries that one geospatial function looks at", spatial.MAX_BYTES, _FOUR
    yield "columns of a CSV, properties of a GeoJSON feature", formats.COLUMN_LIMIT, "413"
    yield "lines of a CSV that follows a list", STANDARD.expanded, "413"
    yield "datastreams in one request to /series/v1 or /events/v1", series_query.DATASTREAM_LIMIT, "400"
    yield "percentiles in one request to /series/v1", series_query.PERCENTILE_LIMIT, "400"
    for form, most in series_write.LIMIT.items():
        yield f"points of /series/v1 as {form}", most, "400, names the forms that take more"
    yield "writes that wait for a thread, of one process", app_services.WAITING_LIMIT, "503 with Retry-After"
    yield "seconds that a write waits for a lock", app_services.LOCK_SECONDS, "409 with Retry-After"
    yield "wrong keys from one address at once, then one in six seconds", int(FAILED.burst), "429 with Retry-After"


def number(environ: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """A whole number of the environment; raises InvalidInput that names the variable and its range."""
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise InvalidInput(f"{name} is '{text[:40]}'", where=name, remedy=f"use a number from {least} to {most}")
    return int(text)


def load(environ: Mapping[str, str]) -> Limits:
    """The limits of one process; raises InvalidInput."""
    given = {
        name: number(environ, limit.setting, default=limit.default, least=limit.least, most=limit.most)
        for name, limit in LIMITS.items()
    }
    top = given["TOP_LIMIT"]
    return Limits(
        body=given["BODY_LIMIT"] * 1024 * 1024,
        url=given["URL_LIMIT"],
        json_depth=given["JSON_DEPTH"],
        read=ReadLimits(
            page=min(top, given["PAGE"]), top=top, expanded=given["EXPANDED"], geometries=given["GEOMETRIES"]
        ),
        query=QueryLimits(
            filter_depth=given["FILTER_DEPTH"], filter_parts=given["FILTER_PARTS"], expand_depth=given["EXPAND_DEPTH"],
            expand_items=given["EXPAND_ITEMS"],
        ),
        rows=given["ROWS_LIMIT"],
        requests=given["BATCH_LIMIT"],
        answer=given["ANSWER_LIMIT"] * 1024 * 1024,
        read_seconds=given["READ_SECONDS"],
        write_seconds=given["WRITE_SECONDS"],
        anonymous=Rate(given["RATE"], given["RATE"] * 5, LIMITS["RATE"].setting),
        keyed=Rate(given["KEY_RATE"], given["KEY_RATE"] * 2, LIMITS["KEY_RATE"].setting),
    )  # fmt: skip
