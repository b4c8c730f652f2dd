"""The requests of a batch, whichever way they were written, and what is known of those that were answered."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

import msgspec

from mainzdigital.exchange.sensorthings.validate_json import parse_json
from mainzdigital.kernel.errors import CityError, InvalidInput
from mainzdigital.serve.http import JSON_TYPE, Request, Response
from mainzdigital.serve.sensorthings import addresses
from mainzdigital.serve.sensorthings.target import BATCH, DATA_ARRAY

_KEY = re.compile(r"\(\$([^()'/?]+)\)")
_ENTITY = re.compile(r"\w+\((\d+)\)", re.ASCII)
_IDS, _ADDRESSES = frozenset({"@iot.id"}), frozenset({"@odata.id", "@id", "@iot.selfLink"})
_DEPTH = 50


class FailedDependency(CityError):
    """Not carried out, since what it depends on failed (RFC 4918, 11.4)."""

    status = 424


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch. `id` may be empty; `group` is its change set, `depends` what must have succeeded."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    group: str = ""
    depends: tuple[str, ...] = ()
    condition: str | None = None


@dataclass(slots=True)
class Answer:
    """The answer to one request; where a change set failed, one answer speaks for it."""

    item: Item
    response: Response
    speaks_for_set: bool = False


class _SelfLink(msgspec.Struct):
    link: str | None = msgspec.field(name="@iot.selfLink", default=None)


_self_link = msgspec.json.Decoder(_SelfLink).decode


@dataclass(slots=True)
class Done:
    """What later requests may refer to: who succeeded, and where what was made or read stands."""

    root: str
    succeeded: dict[str, bool] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # path below the root
    tags: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Done":
        return Done(self.root, dict(self.succeeded), dict(self.places), dict(self.tags))

    def note(self, item: Item, path: str, response: Response) -> None:
        """Remember an answer."""
        if not item.id:
            return
        right = 200 <= response.status < 300
        self.succeeded[item.id] = right
        if not right:
            return
        link = response.headers.get("Location") or self._link(response)
        self.places[item.id] = link.removeprefix(f"{self.root}/") if link else path
        if "ETag" in response.headers:
            self.tags[item.id] = response.headers["ETag"]

    def _link(self, response: Response) -> str:
        body = response.body
        if response.content_type != JSON_TYPE or not isinstance(body, bytes) or b'"@iot.selfLink"' not in body:
            return ""
        try:
            return _self_link(body).link or ""
        except msgspec.DecodeError:
            return ""  # a collection

    def place(self, name: str, where: str) -> str:
        """Where the entity of an earlier request stands; raises FailedDependency, InvalidInput."""
        if name in self.places:
            return self.places[name]
        if self.succeeded.get(name) is False:
            raise FailedDependency(f"the request '{name[:80]}' it refers to failed", where=where)
        raise InvalidInput(
            f"there is no request '{name[:80]}' before this one", where=where,
            remedy="refer to the id (Content-ID) of an earlier request",
        )  # fmt: skip

    def key(self, name: str, where: str) -> int:
        """The id of the entity of an earlier request."""
        place = self.place(name, where)
        found = _ENTITY.fullmatch(place)
        if found is None:
            raise InvalidInput(f"'{place[:80]}' of the request '{name[:80]}' is no single entity", where=where)
        return int(found[1])

    def blocked(self, item: Item) -> FailedDependency | None:
        """Why a request is not carried out; None where it is."""
        if item.condition is not None:
            return None if self._holds(item.condition) else FailedDependency("its condition is not met", where="if")
        failed = next((name for name in item.depends if not self.succeeded.get(name)), None)
        return None if failed is None else FailedDependency(f"'{failed[:80]}' it depends on failed", where="dependsOn")

    def _holds(self, condition: str) -> bool:
        """`$1/$succeeded`, with `not`, joined by `and` or `or`; other conditions never hold (OData JSON 4.01, 19.1)."""
        for choice in condition.split(" or "):
            terms = [re.fullmatch(r"\s*(not\s+)?\$(.+?)/\$succeeded\s*", term) for term in choice.split(" and ")]
            if all(term is not None and self.succeeded.get(term[2], False) is not bool(term[1]) for term in terms):
                return True
        return False


def request_for(item: Item, outer: Request, done: Done) -> tuple[Request, str]:
    """The request that an item means, references resolved, and its path below the service root.

    Raises InvalidInput, FailedDependency.
    """
    url = item.url
    first = re.match(r"\$([^/?]+)", url)
    if first is not None and first[1] != BATCH[1:]:
        url = done.place(first[1], "url") + url[first.end() :]
    path, query = addresses.below(url, done.root, host=outer.headers.get("host", ""))
    path = _KEY.sub(lambda found: f"({done.key(found[1], 'url')})", path)
    if path == BATCH:
        raise InvalidInput("a batch cannot stand in a batch", where="url", remedy="send its requests themselves")
    headers = {name: _tag(name, value, done) for name, value in item.headers.items()}
    if "content-encoding" in headers:
        raise InvalidInput("a part of a batch is not compressed", where="Content-Encoding", remedy="compress the batch")
    # The key goes with the batch; the cookie of the portal's pages does not, it is good for GET alone.
    if "authorization" not in headers and "authorization" in outer.headers:
        headers["authorization"] = outer.headers["authorization"]
    body = _body(item.body, done) if item.method not in {"GET", "HEAD", "DELETE"} else b""
    request = Request(
        method=item.method, path=f"{outer.mount}/{path}", query=query, headers=headers, client=outer.client,
        scheme=outer.scheme, receive=outer.receive, mount=outer.mount, body_limit=outer.body_limit, given=body,
    )  # fmt: skip
    return request, path


def minimal(item: Item, path: str, response: Response) -> Response:
    """A write inside a batch answers by its headers alone, as with Prefer: return=minimal."""
    kept = item.method == "GET" or response.status >= 300 or path == DATA_ARRAY
    return response if kept else replace(response, body=b"", content_type="")


def _tag(name: str, value: str, done: Done) -> str:
    """`$1` as an entity tag stands for that of an earlier answer."""
    if name in {"if-match", "if-none-match"} and value.startswith("$"):
        return done.tags.get(value[1:], value)
    return value


def _body(body: bytes, done: Done) -> bytes:
    """The body with `$id` resolved where an id or an address stands."""
    if b'"$' not in body:
        return body
    return json.dumps(_resolved(parse_json(body), done, 0), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _resolved(value: object, done: Done, depth: int) -> object:
    if depth > _DEPTH or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [_resolved(item, done, depth + 1) for item in value]
    found: dict[str, object] = {}
    for name, item in value.items():
        if isinstance(item, str) and item.startswith("$") and name in _IDS:
            found[name] = done.key(item[1:], name)
        elif isinstance(item, str) and item.startswith("$") and name in _ADDRESSES:
            reference, slash, rest = unquote(item[1:]).partition("/")
            found[name] = f"{done.root}/{done.place(reference, name)}{slash}{rest}"
        else:
            found[name] = _resolved(item, done, depth + 1)
    return found
