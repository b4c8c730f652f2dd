"""What the rows of data arrays refer to: datastreams and features of interest, looked up together, not row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import psycopg

from mainzdigital.exchange.sensorthings.validate import identifier
from mainzdigital.exchange.sensorthings.write_observations import feature_for
from mainzdigital.exchange.sensorthings.write_single import Known, Ready, look
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.kernel.entities import EntityType
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.store import entities_write as rows
from mainzdigital.store import entities_write_places as places
from mainzdigital.store.entities_write_multi import types_of
from mainzdigital.store.model import ENTITY_TYPES


class Asked(Protocol):
    """What is looked up for: the rows of one datastream."""

    @property
    def holder(self) -> str: ...
    @property
    def stream(self) -> object: ...
    @property
    def components(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[object]: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """A datastream as the rows meet it; `feature` None stands for its own, `missing` says why there is none."""

    id: int
    feature: int | None = None
    types: Sequence[str] = ()
    missing: InvalidInput | None = None

    @property
    def feature_missing(self) -> bool:
        return self.missing is not None

    def require_feature(self) -> int | None:
        """The feature of a row that names none; raises InvalidInput where none can be made."""
        if self.missing is not None:
            raise self.missing
        return self.feature


class Streams:
    """The datastreams and named features of one request, as the reader sees them."""

    def __init__(
        self, connection: psycopg.Connection, reader: Reader, asked: Sequence[Asked], known: Known | None
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._known = known
        self._features = self._visible(ENTITY_TYPES["FeatureOfInterest"], _named(asked))
        # One after the other by id, as other writers lock them.
        self._found = {("Datastream", one.id): one for one in self._singles(_ids(asked, "Datastream"))}
        self._found |= {("MultiDatastream", one.id): one for one in self._multis(_ids(asked, "MultiDatastream"))}

    def of(self, holder: str, stream: object) -> Stream:
        """A datastream; raises InvalidInput where there is none for this reader."""
        found = self._found.get((holder, identifier(stream, holder)))
        if found is None:
            raise InvalidInput(
                f"there is no {holder} with the id {stream}", where=holder, remedy="link an existing one"
            )
        return found

    def is_feature(self, feature: object) -> bool:
        return type(feature) is int and feature in self._features

    def feature(self, feature: object) -> int:
        """A feature that a row names; raises InvalidInput where there is none for this reader."""
        one = identifier(feature, "FeatureOfInterest/id")
        if one not in self._features:
            raise InvalidInput(
                f"there is no FeatureOfInterest with the id {one}", where="FeatureOfInterest/id",
                remedy="link an existing one",
            )  # fmt: skip
        return one

    def _visible(self, entity: EntityType, ids: set[int]) -> set[int]:
        found = rows.hold(self._connection, entity, ids)
        if found and self._reader.classes != frozenset(AccessClass):
            found -= rows.hidden(self._connection, entity.name, sorted(found), self._reader.classes)
        return found

    def _singles(self, ids: Sequence[int]) -> list[Stream]:
        classes, known, epoch = self._reader.classes, self._known, self._known.epoch if self._known else 0
        ready = {one: found for one in ids if known is not None and (found := known.find(one)) is not None}
        unknown = [one for one in ids if one not in ready]
        fresh = {one: Ready(wanted, None) for one, wanted in places.settled(self._connection, unknown).items()}
        streams: list[Stream] = []
        for one in unknown:
            if one in fresh:
                continue
            try:
                found = look(self._connection, one, classes)
            except InvalidInput as refusal:
                streams.append(Stream(one, missing=refusal))
                continue
            if found is not None:
                fresh[one] = found
        for one, found in fresh.items():
            if known is not None:
                known.keep(one, found, epoch)
        ready |= fresh
        streams += [Stream(one, found.feature) for one, found in ready.items() if found.classes <= classes]
        # A datastream may be seen whose own feature of interest may not.
        told = {stream.id for stream in streams}
        left = {one for one in ids if one not in told}
        return streams + [self._settled(one) for one in sorted(self._visible(ENTITY_TYPES["Datastream"], left))]

    def _multis(self, ids: Sequence[int]) -> list[Stream]:
        visible = sorted(self._visible(ENTITY_TYPES["MultiDatastream"], set(ids)))
        types = types_of(self._connection, visible) if visible else {}
        return [self._settled(one, types[one]) for one in visible]

    def _settled(self, one: int, types: Sequence[str] = ()) -> Stream:
        try:
            with self._connection.transaction():
                return Stream(one, feature_for(self._connection, one), types)
        except InvalidInput as refusal:
            return Stream(one, None, types, refusal)


def _ids(asked: Sequence[Asked], holder: str) -> list[int]:
    found = {item.stream for item in asked if item.holder == holder and type(item.stream) is int}
    return sorted(one for one in found if isinstance(one, int) and 0 < one < rows.INT_LIMIT)


def _named(asked: Sequence[Asked]) -> set[int]:
    """The ids of features that rows name."""
    named: set[int] = set()
    for item in asked:
        if "FeatureOfInterest/id" in item.components:
            at = list(item.components).index("FeatureOfInterest/id")
            named |= {row[at] for row in item.rows if isinstance(row, list) and len(row) > at and type(row[at]) is int}
    return named
