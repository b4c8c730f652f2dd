"""POST, PATCH, PUT and DELETE."""

from collections.abc import Mapping

import msgspec
import psycopg

from mainzdigital.exchange.sensorthings import write, write_patch
from mainzdigital.exchange.sensorthings.deep import require_scope
from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.exchange.sensorthings.read import read_sync
from mainzdigital.exchange.sensorthings.validate_json import parse_json, parse_object
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import InvalidInput, PreconditionFailed
from mainzdigital.query.odata import parse_options
from mainzdigital.serve.app_services import Services
from mainzdigital.serve.etags import etag, matches
from mainzdigital.serve.http import JSON_TYPE, Request, Response, require_accept, require_type
from mainzdigital.serve.sensorthings import fast
from mainzdigital.serve.sensorthings.target import Target
from mainzdigital.store import entities_write as rows

PATCH_TYPE = "application/json-patch+json"
KEY_LIMIT = 200  # characters of an Idempotency-Key


async def answer(
    request: Request, services: Services, *, reader: Reader, path: str, target: Target, root: str
) -> Response:
    """Carry out one write. Who may is decided before the body is read."""
    entity = target.entity
    assert entity is not None
    if request.query:
        raise InvalidInput("a write takes no query options", where="query", remedy="leave out what follows the ?")
    require_scope(reader, entity.name)
    require_accept(request, JSON_TYPE)
    if request.method == "POST":
        response = await _post(request, services, reader=reader, target=target, root=root)
    else:
        response = await _change(request, services, reader=reader, path=path, target=target, root=root)
    response.headers["Cache-Control"] = "no-store"
    return response


async def _post(request: Request, services: Services, *, reader: Reader, target: Target, root: str) -> Response:
    entity = target.entity
    assert entity is not None
    require_type(request, JSON_TYPE)
    key = _idempotency_key(request, reader, entity)
    body = parse_object(await request.body(), depth=services.limits.json_depth)
    made: int | None = None
    if entity.name == "Observation" and key is None and (target.owner is None or _is_datastream(target)):
        made = await fast.post(services, reader, body, target.owner_key)
    if made is None:
        default = AccessClass.OPEN if services.open_write else AccessClass.INTERNAL

        def work(connection: psycopg.Connection) -> int:
            parent = None
            if target.owner is not None:
                owner = _resolve(connection, reader, target.owner_path, target.owner_key)
                parent = write.Parent(target.owner.name, owner, target.navigation)
            return write.create(
                connection, reader=reader, entity=entity.name, body=body, parent=parent, default_access=default, key=key
            )

        made = await services.write(work)
        # Answered before the notice of the change comes round, the next request must not meet what was.
        services.known.forget()
    return _told(201, entity, made, root, location=True)


async def _change(
    request: Request, services: Services, *, reader: Reader, path: str, target: Target, root: str
) -> Response:
    entity = target.entity
    assert entity is not None
    method, condition = request.method, request.headers.get("if-match")
    unknown = request.headers.get("if-none-match")
    operations: object = None
    body: Mapping[str, object] = {}
    if method == "PATCH" and require_type(request, JSON_TYPE, PATCH_TYPE) == PATCH_TYPE:
        operations = parse_json(await request.body(), depth=services.limits.json_depth)
    elif method != "DELETE":
        require_type(request, JSON_TYPE)
        body = parse_object(await request.body(), depth=services.limits.json_depth)

    def work(connection: psycopg.Connection) -> int:
        one = _resolve(connection, reader, path, target.key)
        with connection.transaction():
            if condition is not None or unknown is not None or operations is not None:
                # Nobody changes it between our look and our write.
                if entity.name != "Observation" and rows.lock(connection, entity, one) is None:
                    raise write.not_found(entity, one)
                current = _representation(connection, reader, f"{entity.set_name}({one})", root)
                if condition is not None and not matches(condition, etag(current), weak=False):
                    raise PreconditionFailed(
                        f"the {entity.name} is not as If-Match says", where="If-Match",
                        remedy="read it again, without query options",
                    )  # fmt: skip
                if unknown is not None and matches(unknown, etag(current), weak=True):
                    raise PreconditionFailed(
                        f"the {entity.name} is there as If-None-Match says", where="If-None-Match",
                        remedy="leave the header out",
                    )  # fmt: skip
            if method == "DELETE":
                write.delete(connection, reader=reader, entity=entity.name, id=one)
            elif operations is not None:
                before = _properties(entity, current)
                changed = write_patch.changes(
                    before, write_patch.apply(before, operations, depth=services.limits.json_depth)
                )
                write.update(connection, reader=reader, entity=entity.name, id=one, body=changed, replace=False)
            else:
                write.update(connection, reader=reader, entity=entity.name, id=one, body=body, replace=method == "PUT")
        return one

    one = await services.write(work)
    if entity.name != "Observation":
        services.known.forget()
    return Response(200) if method == "DELETE" else _told(200, entity, one, root, location=False)


def _told(status: int, entity: EntityType, one: int, root: str, *, location: bool) -> Response:
    link = f"{root}/{entity.set_name}({one})"
    body = msgspec.json.encode({"@iot.id": one, "@iot.selfLink": link})
    return Response(status, body, JSON_TYPE, {"Location": link} if location else {})


def _is_datastream(target: Target) -> bool:
    """Whether a POST goes to `Datastreams(n)/Observations`."""
    return target.owner is not None and target.owner.name == "Datastream" and target.owner_key is not None


def _resolve(connection: psycopg.Connection, reader: Reader, path: str, known: int | None) -> int:
    """The id of the entity at a path, walked as the reader sees it unless it is known. Raises NotFound."""
    if known is not None:
        return known
    parsed = parse_path(path)
    options = parse_options("$select=@iot.id", parsed.entity)
    found = msgspec.json.decode(read_sync(connection, reader=reader, path=parsed, options=options, root=""))
    return int(found["@iot.id"])


def _representation(connection: psycopg.Connection, reader: Reader, path: str, root: str) -> bytes:
    parsed = parse_path(path)
    return read_sync(connection, reader=reader, path=parsed, options=parse_options("", parsed.entity), root=root)


def _properties(entity: EntityType, representation: bytes) -> dict[str, object]:
    """What a JSON Patch works on: the entity's own properties as they read."""
    found = msgspec.json.decode(representation)
    return {name: found[name] for name, known in entity.properties.items() if name in found and known.writable}


def _idempotency_key(request: Request, reader: Reader, entity: EntityType) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if entity.name != "Observation":
        raise InvalidInput(
            "an Idempotency-Key is for Observations", where="Idempotency-Key", remedy="leave the header out"
        )
    if not 0 < len(key) <= KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"an Idempotency-Key has 1 to {KEY_LIMIT} printable ASCII characters", where="Idempotency-Key"
        )
    # Nobody meets the key of somebody else.
    return f"http/{reader.subject}/{key}"
