"""Who reads: access classes, scopes and the reader of one request."""

from dataclasses import dataclass
from enum import StrEnum


class AccessClass(StrEnum):
    """How far a thing or datastream may be seen; the default of everything new is `internal`."""

    OPEN = "open"
    INTERNAL = "internal"
    RESTRICTED = "restricted"
    PERSONAL = "personal"


class Scope(StrEnum):
    """What an API key or account may do at the data APIs. Each scope includes the ones before it."""

    READ = "read"
    WRITE = "write"
    MANAGE = "manage"


_INCLUDED: dict[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE}),
    Scope.MANAGE: frozenset(Scope),
}
_READABLE: dict[Scope, frozenset[AccessClass]] = {
    Scope.READ: frozenset({AccessClass.OPEN, AccessClass.INTERNAL}),
    Scope.WRITE: frozenset({AccessClass.OPEN, AccessClass.INTERNAL}),
    Scope.MANAGE: frozenset(AccessClass),
}


@dataclass(frozen=True, slots=True)
class Reader:
    """The subject of one request, for example `anonymous`, `key:12` or `user:7`, and what it may do and see."""

    subject: str
    scopes: frozenset[Scope]
    classes: frozenset[AccessClass]

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes


ANONYMOUS = Reader("anonymous", frozenset(), frozenset({AccessClass.OPEN}))


def reader_for(subject: str, scope: Scope | None) -> Reader:
    """The reader of a subject that was granted `scope`; without one it sees what is open."""
    if scope is None:
        return Reader(subject, frozenset(), frozenset({AccessClass.OPEN}))
    return Reader(subject, _INCLUDED[scope], _READABLE[scope])
