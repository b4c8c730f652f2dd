"""SensorThings resources that are no entities, such as `$batch`.

`serve.sensorthings.target.ACTIONS` names those that the router has; each needs its description here, by name and
method, and the document lists no other.
"""

from typing import Any

from mainzdigital.serve.http import JSON_TYPE
from mainzdigital.serve.openapi.parts import content, refused
from mainzdigital.serve.openapi.schemas import Schema, ref

_COMPONENTS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "examples": [["phenomenonTime", "result"]]}
_ROWS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["components", "dataArray"],
        "properties": {
            "Datastream": ref("Link"), "MultiDatastream": ref("Link"), "components": _COMPONENTS,
            "dataArray": {"type": "array", "items": {"type": "array"}},
        },
    },
    "examples": [
        [
            {
                "Datastream": {"@iot.id": 1}, "components": ["phenomenonTime", "result"],
                "dataArray": [["2026-11-22T10:00:00Z", 21.5]],
            }
        ]
    ],
}  # fmt: skip
_BATCH: Schema = {
    "type": "object",
    "required": ["requests"],
    "properties": {
        "requests": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "method", "url"],
                "properties": {
                    "id": {"type": "string"}, "atomicityGroup": {"type": "string"},
                    "method": {"enum": ["get", "post", "patch", "put", "delete"]}, "url": {"type": "string"},
                    "headers": {"type": "object", "additionalProperties": {"type": "string"}}, "body": {},
                    "dependsOn": {"type": "array", "items": {"type": "string"}}, "if": {"type": "string"},
                },
            },
        }
    },
    "examples": [{"requests": [{"id": "1", "method": "get", "url": "Things?$top=1"}]}],
}  # fmt: skip


def _posted(name: str, summary: str, schema: Schema, answer: Schema, status: str) -> dict[str, Any]:
    return {
        "operationId": f"post{name}",
        "summary": summary,
        "tags": ["SensorThings"],
        "security": [{"apiKey": []}],
        "requestBody": {"required": True, "content": {JSON_TYPE: {"schema": schema}}},
        "responses": {
            status: {"description": "Done", "content": content((JSON_TYPE, answer))},
            **refused(writes=True),
        },
    }


DESCRIBED: dict[tuple[str, str], dict[str, Any]] = {
    ("CreateObservations", "POST"): _posted(
        "CreateObservations", "Create Observations of several datastreams from data arrays (18-088, clause 13)",
        _ROWS, {"type": "array", "items": {"type": "string"}}, "201",
    ),
    ("$batch", "POST"): _posted(
        "Batch", "Several requests in one (18-088, clause 12; OData JSON 4.01, 19); also as multipart/mixed",
        _BATCH, {"type": "object", "properties": {"responses": {"type": "array"}}}, "200",
    ),
}  # fmt: skip
