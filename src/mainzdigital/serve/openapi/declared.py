"""The paths beside SensorThings, by the mount that answers them; a mount without description fails a test."""

from collections.abc import Set as AbstractSet
from typing import Any

from mainzdigital.exchange.series_query import DATASTREAM_LIMIT, PARAMETERS, PERCENTILE_LIMIT
from mainzdigital.exchange.series_time import BUCKETS
from mainzdigital.exchange.series_write import LIMIT, TYPES
from mainzdigital.serve.http import JSON_TYPE
from mainzdigital.serve.openapi.parts import content, parameter, refused

_IDS = {"type": "string", "pattern": "^[1-9][0-9]{0,8}(,[1-9][0-9]{0,8})*$", "examples": ["1,2"]}
_MOMENT = {"type": "string", "examples": ["2026-11-22", "2026-11-22T10:00:00Z"]}


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _get(
    name: str, summary: str, tag: str, answers: dict[str, Any], *options: dict[str, Any], description: str = ""
) -> dict[str, Any]:
    common = {"summary": summary, "tags": [tag], "parameters": list(options)}
    if description:
        common["description"] = description
    bare = {status: {"description": "As GET, without the body"} for status in answers}
    return {
        "get": {**common, "operationId": f"get{name}", "responses": answers},
        "head": {**common, "operationId": f"head{name}", "responses": bare},
    }


SERIES: dict[str, tuple[str, dict[str, Any]]] = {
    "datastreams": (f"Ids, at most {DATASTREAM_LIMIT}", _IDS),
    "from": ("Date-time, day, or a duration before `to` such as P7D", _MOMENT),
    "to": ("Date-time or day (included); without it now", _MOMENT),
    "bucket": (
        "What is summed up to one point; `raw` for values as they came", {"type": "string", "enum": list(BUCKETS)},
    ),
    "format": ("The form of the answer", {"type": "string", "enum": list(TYPES)}),
    "percentiles": (
        f"Columns more, such as p5, p50, p95; at most {PERCENTILE_LIMIT}",
        {"type": "string", "pattern": "^[0-9]{1,2}(,[0-9]{1,2})*$", "examples": ["5,50,95"]},
    ),
}  # fmt: skip
_FILE: dict[str, Any] = {}  # nothing that a schema could say (OpenAPI 3.1, 4.8.14.1)


def _series_options() -> list[dict[str, Any]]:
    """What the parser of the query takes; a test says which of them has no description here."""
    unknown: tuple[str, dict[str, Any]] = ("", {"type": "string"})
    found = [_query(name, *SERIES.get(name, unknown)) for name in PARAMETERS]
    return [{**item, "required": True} if item["name"] == "datastreams" else item for item in found]


_SERIES = {
    "type": "object",
    "required": ["from", "to", "bucket", "timeZone", "columns", "series"],
    "properties": {
        "from": {"type": "string"}, "to": {"type": "string"}, "bucket": {"enum": list(BUCKETS)},
        "timeZone": {"type": "string"}, "columns": {"type": "array", "items": {"type": "string"}},
        "series": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["datastream", "name", "unit", "points"],
                "properties": {
                    "datastream": {"type": "integer"}, "name": {"type": "string"}, "unit": {"type": "object"},
                    "points": {"type": "array", "items": {"type": "array"}},
                },
            },
        },
    },
}  # fmt: skip
_STATUS = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
_OPERATIONS = "Operations"
_DESCRIBED: dict[str, dict[str, Any]] = {
    "/series/v1": _get(
        "Series", "Values of datastreams over time", "Series",
        {
            "200": {
                "description": "The series, in the order asked for",
                "content": content(*((kind, _SERIES if kind == JSON_TYPE else _FILE) for kind in TYPES.values())),
            },
            **refused(),
        },
        *_series_options(),
        description="At most " + ", ".join(f"{most} points as {form}" for form, most in LIMIT.items()) + ".",
    ),
    "/events/v1": _get(
        "Events", "The newest observations as they come", "Events",
        {
            "200": {
                "description": "Server-sent events without end; each is one observation",
                "content": content(("text/event-stream", {"type": "string"})),
            },
            **{status: answer for status, answer in refused().items() if status != "304"},
        },
        *(
            _query("datastreams", f"Only of these, at most {DATASTREAM_LIMIT}", _IDS),
            _query("things", f"Only of these, at most {DATASTREAM_LIMIT}", _IDS),
            {
                "name": "Last-Event-ID", "in": "header", "description": "Go on after this event",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
            },
        ),
    ),
    "/api/openapi.json": _get(
        "OpenAPI", "This document", _OPERATIONS,
        {
            "200": {"description": "OpenAPI 3.1", "content": content((JSON_TYPE, {"type": "object"}))},
            **refused(),
        },
        parameter("ifNoneMatch"),
    ),
    "/health": _get(
        "Health", "Does the process live?", _OPERATIONS,
        {"200": {"description": "It does", "content": content((JSON_TYPE, _STATUS))}},
    ),
    "/ready": _get(
        "Ready", "Does every part of the city work?", _OPERATIONS,
        {
            "200": {"description": "All do", "content": content((JSON_TYPE, _STATUS))},
            "503": {"description": "Some do not: `parts` says which", "content": content((JSON_TYPE, _STATUS))},
        },
    ),
    "/metrics": _get(
        "Metrics", "Numbers for Prometheus", _OPERATIONS,
        {
            "200": {"description": "Text format 0.0.4", "content": content(("text/plain", {"type": "string"}))},
            **refused(besides=(403,)),
        },
        description="For this machine, or with a key of scope `read`.",
    ),
}  # fmt: skip


def described() -> frozenset[str]:
    """Mounts that have a description here."""
    return frozenset(_DESCRIBED)


def paths(mounted: AbstractSet[str]) -> dict[str, Any]:
    """The `paths` of the mounts that the server has."""
    return {path: item for path, item in _DESCRIBED.items() if path in mounted}


def tags(mounted: AbstractSet[str]) -> list[dict[str, str]]:
    known = {"Series": "Charts, tables and downloads", "Events": "Live values", _OPERATIONS: "For operators and tools"}
    used = {tag for item in paths(mounted).values() for tag in item["get"]["tags"]}
    return [{"name": name, "description": text} for name, text in known.items() if name in used]
