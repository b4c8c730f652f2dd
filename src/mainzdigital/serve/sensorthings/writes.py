"""POST, PATCH, PUT and DELETE of entities.

Each write is planned first (everything that can be said without the database is said then) and carried out on a
connection: its own, or that of the change set it stands in.
"""

from collections.abc import Mapping

import msgspec
import psycopg

from mainzdigital.exchange.sensorthings import data_array, delete_many, write, write_patch
from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.exchange.sensorthings.read import read_sync
from mainzdigital.exchange.sensorthings.validate_json import parse_json, parse_object
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import PreconditionFailed
from mainzdigital.query.odata import parse_options
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.etags import etag, matches
from mainzdigital.serve.http import JSON_TYPE, Response, require_type
from mainzdigital.serve.sensorthings import fast, links
from mainzdigital.serve.sensorthings.calls import Call, Work, idempotency_key, permit, resolve
from mainzdigital.serve.sensorthings.target import ARRAY, Kind, Target
from mainzdigital.store import entities_write as rows

PATCH_TYPE = "application/json-patch+json"


async def answer(call: Call, services: Services) -> Response:
    """Carry out one write. Who may is decided before the body is read."""
    permit(call)
    require_body_type(call)
    body = b"" if call.request.method == "DELETE" else await call.request.body()
    response = await _alone(call, services, body)
    if response is None:
        response = await services.write(plan(call, body))
        if changes_metadata(call):
            # Answered before the notice of the change comes round, the next request must not meet what was.
            services.known.forget()
    response.headers["Cache-Control"] = "no-store"
    return response


def changes_metadata(call: Call) -> bool:
    """Whether a write may alter what an observation of a datastream meets."""
    # An observation posted the long way may have brought its feature, or made one.
    if call.target is ARRAY:
        return False
    return call.request.method == "POST" or call.target.entity is None or call.target.entity.name != "Observation"


async def _alone(call: Call, services: Services, body: bytes) -> Response | None:
    """One plain observation, written together with those of other clients; None for everything else."""
    target, entity = call.target, call.target.entity
    if call.request.method != "POST" or target.kind is not Kind.SET or entity is None or entity.name != "Observation":
        return None
    if "idempotency-key" in call.request.headers or not (target.owner is None or _is_datastream(target)):
        return None
    made = await fast.post(
        services, call.reader, parse_object(body, depth=call.setting.limits.json_depth), target.owner_key
    )
    return None if made is None else _told(201, entity, made, call.root, location=True)


def require_body_type(call: Call) -> None:
    """The media type of the body is one that the method takes; raises UnsupportedMediaType."""
    if call.request.method == "PATCH":
        require_type(call.request, JSON_TYPE, PATCH_TYPE)
    elif call.request.method != "DELETE":
        require_type(call.request, JSON_TYPE)


def plan(call: Call, body: bytes) -> Work:
    """What is to be done on a connection. Raises InvalidInput, UnsupportedMediaType."""
    method, kind = call.request.method, call.target.kind
    if call.target is ARRAY:
        return _array(call, body)
    if kind in {Kind.LINK, Kind.LINKS, Kind.LINK_OF_MANY}:
        return links.plan(call, body)
    if method == "POST":
        return _post(call, body)
    return _delete_many(call) if kind is Kind.SET else _change(call, body)


def _array(call: Call, body: bytes) -> Work:
    key = idempotency_key(call)

    def work(connection: psycopg.Connection) -> Response:
        made = data_array.create(
            connection, reader=call.reader, body=body, root=call.root, limit=call.setting.limits.rows,
            depth=call.setting.limits.json_depth, known=call.setting.known, key=key,
        )  # fmt: skip
        return Response(201, made, JSON_TYPE)

    return work


def _post(call: Call, body: bytes) -> Work:
    entity, target = call.target.entity, call.target
    assert entity is not None
    key, content = idempotency_key(call), parse_object(body, depth=call.setting.limits.json_depth)

    def work(connection: psycopg.Connection) -> Response:
        parent = None
        if target.owner is not None:
            owner = resolve(connection, call.reader, target.owner_path, target.owner_key)
            parent = write.Parent(target.owner.name, owner, target.navigation)
        made = write.create(
            connection, reader=call.reader, entity=entity.name, body=content, parent=parent,
            default_access=call.setting.default_access, key=key,
        )  # fmt: skip
        return _told(201, entity, made, call.root, location=True)

    return work


def _delete_many(call: Call) -> Work:
    options = parse_options(call.request.query, call.parsed.entity, call.setting.limits.query)
    delete_many.require_filter(options)

    def work(connection: psycopg.Connection) -> Response:
        delete_many.delete(connection, reader=call.reader, path=call.parsed, options=options)
        return Response(200)

    return work


def _change(call: Call, body: bytes) -> Work:
    request, reader, entity, root = call.request, call.reader, call.target.entity, call.root
    assert entity is not None
    method, condition = request.method, request.headers.get("if-match")
    unknown = request.headers.get("if-none-match")
    operations: object = None
    content: Mapping[str, object] = {}
    if method == "PATCH" and require_type(request, JSON_TYPE, PATCH_TYPE) == PATCH_TYPE:
        operations = parse_json(body, depth=call.setting.limits.json_depth)
    elif method != "DELETE":
        content = parse_object(body, depth=call.setting.limits.json_depth)

    def work(connection: psycopg.Connection) -> Response:
        one = resolve(connection, reader, call.path, call.target.key)
        with connection.transaction():
            if condition is not None or unknown is not None or operations is not None:
                # Nobody changes it between our look and our write.
                if entity.name != "Observation" and rows.lock(connection, entity, one) is None:
                    raise write.not_found(entity, one)
                current = _representation(connection, reader, f"{entity.set_name}({one})", root)
                _require_state(entity, current, condition, unknown)
            if method == "DELETE":
                write.delete(connection, reader=reader, entity=entity.name, id=one)
            elif operations is not None:
                before = _properties(entity, current)
                changed = write_patch.changes(
                    before, write_patch.apply(before, operations, depth=call.setting.limits.json_depth)
                )
                write.update(connection, reader=reader, entity=entity.name, id=one, body=changed, replace=False)
            else:
                write.update(
                    connection, reader=reader, entity=entity.name, id=one, body=content, replace=method == "PUT"
                )
        return Response(200) if method == "DELETE" else _told(200, entity, one, root, location=False)

    return work


def _require_state(entity: EntityType, current: bytes, condition: str | None, unknown: str | None) -> None:
    if condition is not None and not matches(condition, etag(current), weak=False):
        raise PreconditionFailed(
            f"the {entity.name} is not as If-Match says", where="If-Match",
            remedy="read it again, without query options",
        )  # fmt: skip
    if unknown is not None and matches(unknown, etag(current), weak=True):
        raise PreconditionFailed(
            f"the {entity.name} is there as If-None-Match says", where="If-None-Match", remedy="leave the header out"
        )


def _told(status: int, entity: EntityType, one: int, root: str, *, location: bool) -> Response:
    link = f"{root}/{entity.set_name}({one})"
    body = msgspec.json.encode({"@iot.id": one, "@iot.selfLink": link})
    return Response(status, body, JSON_TYPE, {"Location": link} if location else {})


def _is_datastream(target: Target) -> bool:
    """Whether a POST goes to `Datastreams(n)/Observations`."""
    return target.owner is not None and target.owner.name == "Datastream" and target.owner_key is not None


def _representation(connection: psycopg.Connection, reader: Reader, path: str, root: str) -> bytes:
    parsed = parse_path(path)
    return read_sync(connection, reader=reader, path=parsed, options=parse_options("", parsed.entity), root=root)


def _properties(entity: EntityType, representation: bytes) -> dict[str, object]:
    """What a JSON Patch works on: the entity's own properties as they read."""
    found = msgspec.json.decode(representation)
    return {name: found[name] for name, known in entity.properties.items() if name in found and known.writable}
