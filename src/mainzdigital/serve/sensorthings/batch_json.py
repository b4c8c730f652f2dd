"""Batches as JSON (OData JSON Format 4.01, clause 19)."""

from collections.abc import Sequence

import msgspec

from mainzdigital.exchange.sensorthings.validate_json import parse_json
from mainzdigital.kernel.errors import InvalidInput, TooLarge
from mainzdigital.serve.http import JSON_TYPE, Response
from mainzdigital.serve.sensorthings.batch_items import Answer, Item

_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


class _Request(msgspec.Struct):
    id: str
    method: str
    url: str
    headers: dict[str, str] = {}
    body: msgspec.Raw = msgspec.Raw(b"")  # checked where it is read, like that of any other request
    atomicityGroup: str | None = None  # noqa: N815 the standard's name
    dependsOn: list[str] | None = None  # noqa: N815
    condition: str | None = msgspec.field(name="if", default=None)


class _Batch(msgspec.Struct):
    requests: list[_Request]


_decode = msgspec.json.Decoder(_Batch).decode


def parse(body: bytes, limit: int) -> list[Item]:
    """The requests of a batch; raises InvalidInput where it has not the standard's form, TooLarge above `limit`."""
    try:
        given = _decode(body).requests
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `")
        raise InvalidInput(
            f"the batch has not the right form: {message}", where=where.strip("$.`") or "body",
            remedy='send {"requests": [{"id": "1", "method": "get", "url": "Things(1)"}]}',
        ) from None  # fmt: skip
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        parse_json(body)  # says where
        raise InvalidInput("the body is not JSON", where="body") from None
    if len(given) > limit:
        raise TooLarge(
            f"the batch has more than {limit} requests (limit MAINZDIGITAL_BATCH_LIMIT)",
            where="requests",
            remedy="send several batches",
        )
    return _checked(given)


def _checked(given: Sequence[_Request]) -> list[Item]:
    items: list[Item] = []
    ids: set[str] = set()
    groups: set[str] = set()
    names = {one.atomicityGroup for one in given}
    for index, one in enumerate(given):
        where = f"requests[{index}]"
        method = one.method.upper()
        if method not in _METHODS:
            raise InvalidInput(
                f"'{one.method[:20]}' is no method of a batch",
                where=f"{where}.method",
                remedy="use get, post, patch, put, delete",
            )
        if not one.id or one.id in ids or one.id in names:
            raise InvalidInput(
                f"the id '{one.id[:80]}' stands twice" if one.id else "a request needs an id", where=f"{where}.id",
                remedy="give every request and atomicityGroup a name of its own",
            )  # fmt: skip
        group = one.atomicityGroup or ""
        if group in groups and items[-1].group != group:
            raise InvalidInput(
                f"the requests of the atomicityGroup '{group[:80]}' do not follow one another",
                where=f"{where}.atomicityGroup", remedy="put them side by side",
            )  # fmt: skip
        for name in one.dependsOn or ():
            if name not in ids and name not in groups:
                raise InvalidInput(
                    f"'{name[:80]}' is no request or atomicityGroup before this one", where=f"{where}.dependsOn",
                    remedy="put it after what it depends on",
                )  # fmt: skip
        ids.add(one.id)
        if group:
            groups.add(group)
        body = bytes(one.body)
        items.append(
            Item(
                one.id, method, one.url, {name.lower(): value for name, value in one.headers.items()},
                b"" if body == b"null" else body, group, tuple(one.dependsOn or ()), one.condition,
            )
        )  # fmt: skip
    return items


def render(answers: Sequence[Answer], *, with_groups: bool) -> Response:
    """The answers as one; `with_groups` names their atomicity groups, as clients of OData 4.01 want it."""
    found: list[dict[str, object]] = []
    for number, answer in enumerate(answers):
        response, item = answer.response, answer.item
        entry: dict[str, object] = {"id": item.id or str(number), "status": response.status}
        if with_groups and item.group:
            entry["atomicityGroup"] = item.group
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = response.body if isinstance(response.body, bytes) else b""
        if body:
            headers["content-type"] = response.content_type
        if headers:
            entry["headers"] = headers
        if "location" in headers:
            entry["location"] = headers["location"]  # where other servers of SensorThings have it
        if body:
            entry["body"] = msgspec.Raw(body) if "json" in response.content_type else body.decode("utf-8", "replace")
        found.append(entry)
    return Response(200, msgspec.json.encode({"responses": found}), JSON_TYPE)
