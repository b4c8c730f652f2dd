"""The OpenAPI 3.1 document of the data APIs, made from the entity model, the router and the limits in force.

Nothing in it is written down twice: paths, methods, properties and relations are asked of what answers requests.
"""

from collections.abc import Set as AbstractSet
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import msgspec

from mainzdigital.serve.etags import etag
from mainzdigital.serve.limits import Limits
from mainzdigital.serve.openapi import declared, sensorthings
from mainzdigital.serve.openapi.parts import parameters, responses
from mainzdigital.serve.openapi.schemas import schemas

PATH = "/api/openapi.json"

_ABOUT = """\
Open data of the city: what is measured, where, by what, and every value of it.

Reading what is open needs no key. Writing, and reading what is not open to all, needs an API key, sent as
`Authorization: Bearer <key>`. What a key may not see is as good as deleted: 404.

Every refusal is a JSON object of `code`, `type` and `message`, with `where` (the field, option or place in the
request) and `remedy` wherever they can be named. Every address answers OPTIONS with the methods it has.
"""


def document(*, origin: str, limits: Limits, mounted: AbstractSet[str], open_write: bool = False) -> dict[str, Any]:
    """The document for a server at `origin` that has the mounts `mounted` (prefixes of paths)."""
    keyless: dict[str, list[str]] = {}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mainzDIGITAL data APIs",
            "version": version("mainzdigital"),
            "summary": "OGC SensorThings API 1.1, series over time and live events",
            "description": _ABOUT,
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": origin, "description": "This city"}],
        "security": [keyless, {"apiKey": []}],
        "tags": [*sensorthings.tags(), *declared.tags(mounted)],
        "paths": {**sensorthings.paths(open_write=open_write), **declared.paths(mounted)},
        "components": {
            "schemas": schemas(),
            "parameters": parameters(limits),
            "responses": responses(),
            "securitySchemes": {
                "apiKey": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key of scope `read`, `write` (observations too) or `manage` (all entities "
                    "too). Clients that know only user name and password send it as the password (Basic).",
                },
            },
        },
        "externalDocs": {
            "description": "OGC SensorThings API Part 1: Sensing, version 1.1 (OGC 18-088)",
            "url": "https://docs.ogc.org/is/18-088/18-088.html",
        },
    }  # fmt: skip


@lru_cache(8)
def encoded(origin: str, limits: Limits, mounted: frozenset[str], *, open_write: bool) -> tuple[bytes, str]:
    """The document as bytes, with its entity tag; made once."""
    body = msgspec.json.encode(document(origin=origin, limits=limits, mounted=mounted, open_write=open_write))
    return body, etag(body)
