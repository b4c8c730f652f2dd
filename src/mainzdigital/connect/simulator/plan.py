"""The demo city as data: which things stand where and what is measured at them (things.csv, kinds.yaml)."""

import csv
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from mainzdigital.connect.simulator.patterns import PATTERNS, Stream
from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.errors import InvalidInput

SOURCE = "simulator"
NOTICE = "Simuliert: kein echter Messwert"


class StreamKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One datastream of a kind of thing. `pattern: character` takes the pattern from the thing."""

    code: str
    name: str
    observed: str
    unit: str
    pattern: str
    minutes: int
    live: int
    character: str = ""
    scale: float = 1.0
    level: float | None = None
    aggregation: str = ""
    limits: str = ""


class SensorKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    description: str


class ThingKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    description: str
    sensor: SensorKind
    streams: tuple[StreamKind, ...]
    capacity: bool = False


class Unit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    symbol: str
    definition: str


class Observed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    definition: str
    description: str


class Kinds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    units: dict[str, Unit]
    observed: dict[str, Observed]
    kinds: dict[str, ThingKind]
    limits: dict[str, list[dict[str, object]]]


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """A datastream to be made; `stream` makes its values, `delay` seconds pass until a value is complete."""

    code: str
    kind: StreamKind
    stream: Stream

    @property
    def delay(self) -> int:
        return self.kind.minutes * 60 if self.kind.aggregation else 0


@dataclass(frozen=True, slots=True)
class PlannedThing:
    key: str
    name: str
    description: str
    properties: dict[str, object]
    point: tuple[float, float]
    access: AccessClass
    sensor: SensorKind
    streams: tuple[PlannedStream, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole city; `sha256` tells whether it changed since it was furnished."""

    things: tuple[PlannedThing, ...]
    kinds: Kinds
    sha256: str


def load_plan(folder: Path) -> Plan:
    """Read things.csv and kinds.yaml; raises InvalidInput that names row or field."""
    kinds_text, things_text = ((folder / name).read_bytes() for name in ("kinds.yaml", "things.csv"))
    try:
        kinds = msgspec.convert(yaml.safe_load(kinds_text), Kinds)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise InvalidInput(f"kinds.yaml: {error}", where="kinds.yaml") from None
    things: list[PlannedThing] = []
    rows = csv.DictReader(things_text.decode("utf-8").splitlines(), delimiter=";")
    for number, row in enumerate(rows, start=2):
        try:
            things.append(_thing(row, kinds))
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidInput(f"things.csv, row {number}: {error}", where=f"row {number}") from None
    return Plan(tuple(things), kinds, hashlib.sha256(kinds_text + things_text).hexdigest())


def _thing(row: dict[str, str], kinds: Kinds) -> PlannedThing:
    kind = kinds.kinds[row["kind"]]
    key = f"{row['kind']}/{row['key']}"
    level = float(row["level"])
    properties: dict[str, object] = {
        "kind": kind.kind, "district": row["district"], "simulated": True, "notice": NOTICE,
    }  # fmt: skip
    if kind.capacity:
        properties["capacity"] = int(level)
    if row["character"] and row["kind"] == "airstation":
        properties["siting"] = row["character"]
    if row["note"]:
        properties["note"] = row["note"]
    return PlannedThing(
        key=key,
        name=row["name"],
        description=kind.description,
        properties=properties,
        point=(float(row["longitude"]), float(row["latitude"])),
        access=AccessClass(row["access"]),
        sensor=kind.sensor,
        streams=tuple(_stream(key, item, level, row["character"]) for item in kind.streams),
    )


def _stream(thing: str, kind: StreamKind, level: float, character: str) -> PlannedStream:
    key = f"{thing}/{kind.code}"
    pattern = character if kind.pattern == "character" else kind.pattern
    if pattern not in PATTERNS:
        raise ValueError(f"there is no pattern '{pattern}'")
    if 1440 % kind.minutes or (kind.live and kind.minutes * 60 % kind.live):
        raise ValueError(f"{kind.code}: minutes must divide a day, live must divide minutes")
    period = kind.minutes * 60
    # Sums and means of a period lie on the clock; devices that report now and then do so at their own second.
    second = 0 if kind.aggregation else zlib.crc32(key.encode()) % period
    own = kind.level if kind.level is not None else level * kind.scale
    return PlannedStream(
        kind.code,
        kind,
        Stream(key, pattern, kind.minutes, kind.live, own, kind.character or character, second),
    )
