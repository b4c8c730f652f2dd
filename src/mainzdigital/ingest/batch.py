"""What goes into the store: observations, alone or as a batch, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from mainzdigital.kernel.time import Interval

Result = float | int | str | bool | dict[str, Any] | list[Any] | None


@dataclass(slots=True)
class NewObservation:
    """One observation as the edges hand it in. Times carry a time zone.

    `key` makes it one: the same (datastream, start of the phenomenon time, key) twice is one observation. Without
    a key every hand-in is an observation of its own, also at the same instant.
    """

    datastream_id: int
    phenomenon_time: datetime | Interval
    result: Result
    result_time: datetime | None = None
    foi_id: int | None = None
    quality: object = None
    valid_time: Interval | None = None
    parameters: dict[str, Any] | None = None
    key: str | None = None
    multi: bool = False  # of a MultiDatastream: the result is a list


@dataclass(slots=True)
class Batch:
    """Observations that are committed together. The same `key` twice is one batch (Idempotency-Key, file chunk)."""

    observations: Sequence[NewObservation]
    key: str | None = None
    on_duplicate: Literal["keep", "replace"] = "keep"


@dataclass(slots=True)
class RowError:
    """Why the observation at `index` of the batch was not taken; `where` is its property in SensorThings' words."""

    index: int
    message: str
    where: str


@dataclass(slots=True)
class WriteResult:
    """`ids` stand as the observations did; None where one was rejected."""

    ids: list[int | None]
    written: int = 0
    duplicates: int = 0
    replaced: int = 0
    rejected: list[RowError] = field(default_factory=list)
