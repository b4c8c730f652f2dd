"""POST, PUT and DELETE of `$ref` (OData 4.0, 11.4.6): relations between entities that exist."""

import psycopg

from mainzdigital.exchange.sensorthings import references
from mainzdigital.exchange.sensorthings.path import parse_path
from mainzdigital.exchange.sensorthings.validate import identifier
from mainzdigital.exchange.sensorthings.validate_json import parse_object
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.serve.http import Response
from mainzdigital.serve.sensorthings import addresses
from mainzdigital.serve.sensorthings.calls import Call, Work, resolve
from mainzdigital.serve.sensorthings.target import Kind
from mainzdigital.store.entities_write import INT_LIMIT

# What a reference may be called: by OData 4.0 and 4.01, and by SensorThings.
_NAMES = ("@odata.id", "@id", "@iot.selfLink")


def plan(call: Call, body: bytes) -> Work:
    """What is to be done on a connection; raises InvalidInput."""
    target, reader = call.target, call.reader
    owner = target.owner
    assert owner is not None
    wanted: tuple[str, int | None] = ("", None)
    if call.request.method != "DELETE":
        wanted = _reference(call, body)
    elif target.kind is Kind.LINKS:
        address = addresses.option(call.request.query, "$id")
        if not address:
            raise InvalidInput(
                "a DELETE of a relation to many says of which entity", where="$id",
                remedy=f"add ?$id=../../{_set(call)}(1), or write {target.navigation}(1)/$ref",
            )  # fmt: skip
        wanted = _place(call, address, "$id")
    elif target.kind is Kind.LINK_OF_MANY:
        wanted = (f"{target.owner_path}/{target.navigation}({target.key})", None)

    def work(connection: psycopg.Connection) -> Response:
        with connection.transaction():
            one = resolve(connection, reader, target.owner_path, target.owner_key)
            if call.request.method == "DELETE" and target.kind is Kind.LINK:
                wanted_id = 0  # whichever it is
                resolve(connection, reader, f"{target.owner_path}/{target.navigation}", None)
            else:
                wanted_id = _resolved(connection, call, wanted)
            act = references.unlink if call.request.method == "DELETE" else references.link
            act(connection, reader=reader, owner=owner, one=one, navigation=target.navigation, target=wanted_id)
        return Response(204)

    return work


def _set(call: Call) -> str:
    assert call.target.entity is not None
    return call.target.entity.set_name


def _resolved(connection: psycopg.Connection, call: Call, wanted: tuple[str, int | None]) -> int:
    try:
        found = resolve(connection, call.reader, *wanted)
    except NotFound as refusal:
        if call.request.method == "DELETE":
            raise
        raise InvalidInput(refusal.message, where=refusal.where, remedy="link an existing one") from None
    if call.target.entity is not None and call.target.entity.name != "Observation" and not 0 < found < INT_LIMIT:
        raise InvalidInput(f"there is no {call.target.entity.name} with the id {found}", where="@iot.id")
    return found


def _reference(call: Call, body: bytes) -> tuple[str, int | None]:
    """What a body refers to: (path, id where it is known)."""
    content = parse_object(body, depth=call.setting.limits.json_depth)
    given = [name for name in (*_NAMES, "@iot.id") if name in content]
    if len(given) == 2 and set(given) == {"@iot.selfLink", "@iot.id"}:
        given = ["@iot.id"]  # as it was read, both say the same
    others = [name for name in content if name not in (*_NAMES, "@iot.id") and not name.startswith("@")]
    if len(given) != 1 or others:
        raise InvalidInput(
            f"a reference has no '{others[0][:80]}'" if others else "the body must be one reference",
            where=others[0][:80] if others else "body",
            remedy=f'send {{"@odata.id": "{_set(call)}(1)"}} or {{"@iot.id": 1}}',
        )  # fmt: skip
    (name,) = given
    if name == "@iot.id":
        return "", identifier(content[name], name)
    address = content[name]
    if not isinstance(address, str):
        raise InvalidInput("an address is a text", where=name, remedy=f'write "{_set(call)}(1)"')
    return _place(call, address, name)


def _place(call: Call, address: str, where: str) -> tuple[str, int | None]:
    """The entity that an address leads to; raises InvalidInput where it is none of the right type."""
    request = call.request
    path, query = addresses.below(address, call.root, host=request.headers.get("host", ""), base=f"{call.parsed.text}")
    try:
        parsed = parse_path(path)
    except NotFound as refusal:
        raise InvalidInput(refusal.message, where=where, remedy=refusal.remedy) from None
    single = bool(parsed.steps) and not (parsed.is_collection or parsed.property_name or parsed.count or parsed.ref)
    if query or not single or parsed.entity is not call.target.entity:
        raise InvalidInput(
            f"'{address[:200]}' is no address of one of the {_set(call)}", where=where,
            remedy=f"write it like {call.root}/{_set(call)}(1)",
        )  # fmt: skip
    return path, parsed.steps[-1].key if len(parsed.steps) == 1 else None
