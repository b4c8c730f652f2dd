"""Single observations on the shortest way: checked on the event loop, written together with those of other clients.

What has to be known of a datastream (which access classes it takes to see it, which feature of interest its
observations have now) is looked up once and kept until any metadata changes. The write itself checks again that all of
it exists.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import psycopg

from mainzdigital.exchange.sensorthings.deep import require_scope
from mainzdigital.exchange.sensorthings.validate import ID_LIMIT, Checked, check, identifier, link_of
from mainzdigital.exchange.sensorthings.write_observations import feature_for, new_observation
from mainzdigital.ingest.batch import NewObservation
from mainzdigital.kernel.access import AccessClass, Reader
from mainzdigital.store import entities_write as rows
from mainzdigital.store.model import OBSERVATION

LIFE = 30.0  # seconds; what no notice told us is noticed then
_KEPT = 200_000

Look = Callable[[int, frozenset[AccessClass]], Awaitable["Ready | None"]]


@dataclass(frozen=True, slots=True)
class Ready:
    """A datastream as an observation without a feature of its own meets it."""

    classes: frozenset[AccessClass]  # what a reader must be allowed to see
    feature: int | None  # None: the datastream's own


def look(connection: psycopg.Connection, datastream: int, classes: frozenset[AccessClass]) -> Ready | None:
    """Look a datastream up, and make its feature of interest if need be; None where it is hidden.

    Raises InvalidInput where there is none, or no feature can be made.
    """
    with connection.transaction():
        # First of all: a write that is refused must leave no trace that others could see.
        found = rows.classes_of(connection, datastream, None)
        if not found or not found <= classes:
            return None
        feature = feature_for(connection, datastream)
        return Ready(rows.classes_of(connection, datastream, feature), feature)


class Known:
    """Datastreams that are ready, kept by one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: dict[int, tuple[Ready, float]] = {}
        self._epoch = 0

    def forget(self) -> None:
        """Metadata changed: look everything up again."""
        self._epoch += 1
        self._ready.clear()

    @property
    def epoch(self) -> int:
        """Rises with every `forget`: what was looked up in an earlier one is not kept."""
        return self._epoch

    def find(self, datastream: int) -> Ready | None:
        """What is known of a datastream now. As `keep`, for any thread."""
        found = self._ready.get(datastream)
        return found[0] if found is not None and found[1] > self._clock() else None

    def keep(self, datastream: int, ready: Ready, epoch: int) -> None:
        """Remember what was looked up, unless metadata changed since `epoch`."""
        # What changed while we were looking must not be outlived by what we found.
        if epoch == self._epoch:
            if len(self._ready) >= _KEPT:
                self._ready.clear()
            self._ready[datastream] = (ready, self._clock() + LIFE)

    async def get(self, datastream: int, classes: frozenset[AccessClass], look: Look) -> Ready | None:
        """What is known of a datastream, looked up if need be; None where a reader of `classes` does not see it."""
        found = self.find(datastream)
        if found is not None:
            return found if found.classes <= classes else None
        epoch = self._epoch
        ready = await look(datastream, classes)
        if ready is None:
            return None
        self.keep(datastream, ready, epoch)
        return ready if ready.classes <= classes else None


def plain(body: Mapping[str, object], datastream: int | None) -> tuple[Checked, int] | None:
    """The checked body and its datastream, if it is an observation that names nothing else; None for any other way.

    `datastream` is the one whose Observations it is posted to. Raises InvalidInput.
    """
    if "FeatureOfInterest" in body or "MultiDatastream" in body or ("Datastream" in body) is (datastream is not None):
        return None
    if datastream is None:
        link = link_of(body["Datastream"])
        if link is None:
            return None
        datastream = identifier(link, "Datastream")
    if not 0 < datastream < ID_LIMIT:
        return None
    return check(OBSERVATION, body, complete=True), datastream


async def observation(
    known: Known, look: Look, *, reader: Reader, checked: Checked, datastream: int
) -> NewObservation | None:
    """The observation to be written; None where this way does not lead there. Raises Forbidden, InvalidInput."""
    require_scope(reader, "Observation")
    ready = await known.get(datastream, reader.classes, look)
    return None if ready is None else new_observation(checked, datastream, ready.feature)
