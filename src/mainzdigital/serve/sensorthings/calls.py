"""One request to SensorThings as its handlers see it, and what may be said before its body is read."""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import psycopg

from mainzdigital.exchange.sensorthings.deep import require_scope
from mainzdigital.exchange.sensorthings.path import ResourcePath, parse_path
from mainzdigital.exchange.sensorthings.read import read_sync
from mainzdigital.exchange.sensorthings.write_single import Known
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.query.odata import parse_options
from mainzdigital.serve.http import JSON_TYPE, Request, Response, require_accept
from mainzdigital.serve.limits import Limits
from mainzdigital.serve.sensorthings.target import Kind, Target

KEY_LIMIT = 200  # characters of an Idempotency-Key

# A write that is ready to be carried out: alone, or in one transaction with others.
Work = Callable[[psycopg.Connection], Response]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a handler needs of the process: its own address, its limits, what it knows of datastreams."""

    root: str
    limits: Limits = field(default_factory=Limits)
    open_write: bool = False
    known: Known | None = None

    @property
    def default_access(self) -> AccessClass:
        return AccessClass.OPEN if self.open_write else AccessClass.INTERNAL


@dataclass(slots=True)
class Call:
    """A request with what its path says. `path` is the path below the service root."""

    request: Request
    reader: Reader
    path: str
    parsed: ResourcePath
    target: Target
    setting: Setting

    @property
    def root(self) -> str:
        return self.setting.root


def permit(call: Call) -> None:
    """Who may write, and what a write takes; raises NotSignedIn, Forbidden, InvalidInput, NotAcceptable."""
    # A relation to one is a property of the entity that has it.
    entity = call.target.owner if call.target.kind is Kind.LINK else call.target.entity
    assert entity is not None
    filtered = call.target.kind is Kind.SET and call.request.method == "DELETE"
    named = call.target.kind is Kind.LINKS and call.request.method == "DELETE"
    if call.request.query and not filtered and not named:
        raise InvalidInput("a write takes no query options", where="query", remedy="leave out what follows the ?")
    require_scope(call.reader, entity.name)
    require_accept(call.request, JSON_TYPE)


def idempotency_key(call: Call) -> str | None:
    """The key under which a write is done once; raises InvalidInput."""
    key = call.request.headers.get("idempotency-key")
    if key is None:
        return None
    assert call.target.entity is not None
    if call.target.entity.name != "Observation":
        raise InvalidInput(
            "an Idempotency-Key is for Observations", where="Idempotency-Key", remedy="leave the header out"
        )
    if not 0 < len(key) <= KEY_LIMIT or not key.isascii() or not key.isprintable():
        raise InvalidInput(
            f"an Idempotency-Key has 1 to {KEY_LIMIT} printable ASCII characters", where="Idempotency-Key"
        )
    # Nobody meets the key of somebody else.
    return f"http/{call.reader.subject}/{key}"


def resolve(connection: psycopg.Connection, reader: Reader, path: str, known: int | None) -> int:
    """The id of the entity at a path, walked as the reader sees it unless it is known. Raises NotFound."""
    if known is not None:
        return known
    parsed = parse_path(path)
    options = parse_options("$select=@iot.id", parsed.entity)
    found = msgspec.json.decode(read_sync(connection, reader=reader, path=parsed, options=options, root=""))
    return int(found["@iot.id"])
