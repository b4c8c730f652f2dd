"""Things and datastreams of a source, found again by their natural keys: made once, changed where they changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from mainzdigital.exchange.sensorthings import write
from mainzdigital.kernel.access import AccessClass, Reader, Scope, reader_for
from mainzdigital.store import progress

# Kinds of observation are shared by all sources, so that NO₂ is one entity whoever measures it.
VOCABULARY = "vocabulary"


def system_reader(source: str) -> Reader:
    """Who writes when a file or the simulator does."""
    return reader_for(f"source:{source}", Scope.MANAGE)


@dataclass(slots=True)
class Counts:
    things_new: int = 0
    things_changed: int = 0
    datastreams_new: int = 0
    without_location: int = 0


def point_of(point: tuple[float, float]) -> dict[str, object]:
    return {"type": "Point", "coordinates": [point[0], point[1]]}


@dataclass(slots=True)
class Catalogue:
    """The entities of one source, read once. All verbs join the caller's transaction.

    A transaction that is rolled back leaves the catalogue wrong: make a new one then.
    """

    connection: psycopg.Connection
    source: str
    access: AccessClass
    counts: Counts = field(default_factory=Counts)
    _things: dict[str, progress.Known] = field(init=False)
    _datastreams: dict[str, progress.Known] = field(init=False)
    _sensors: dict[str, progress.Known] = field(init=False)
    _observed: dict[str, progress.Known] = field(init=False)
    _reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self._reader = system_reader(self.source)
        self._things = progress.keyed(self.connection, "Thing", source=self.source)
        self._datastreams = progress.keyed(self.connection, "Datastream", source=self.source)
        self._sensors = progress.keyed(self.connection, "Sensor", source=self.source)
        self._observed = progress.keyed(self.connection, "ObservedProperty", source=VOCABULARY)

    def thing_id(self, key: str) -> int | None:
        known = self._things.get(key)
        return known.id if known else None

    def thing(
        self, key: str, *, name: str, description: str, properties: Mapping[str, object],
        point: tuple[float, float] | None, access: AccessClass | None = None,
    ) -> int:  # fmt: skip
        """The thing of this key, made or brought up to date; what others added to its properties stays."""
        known = self._things.get(key)
        given = {**properties, "origin": {"source": self.source, "key": key}}
        if known is None:
            return self._new_thing(
                key, name=name, description=description, properties=given, point=point, access=access or self.access
            )
        merged = {**known.properties, **given}
        body: dict[str, object] = {}
        if known.name != name:
            body["name"] = known.name = name
        if known.description != description:
            body["description"] = known.description = description
        if known.properties != merged:
            body["properties"] = known.properties = merged
        if point is not None and known.location != point_of(point):
            location = self._create("Location", _location(name, point), access or self.access)
            body["Locations"] = [{"@iot.id": location}]
            known.location = point_of(point)
        if body:
            write.update(self.connection, reader=self._reader, entity="Thing", id=known.id, body=body, replace=False)
            self.counts.things_changed += 1
        return known.id

    def _new_thing(
        self, key: str, *, name: str, description: str, properties: dict[str, object],
        point: tuple[float, float] | None, access: AccessClass,
    ) -> int:  # fmt: skip
        body: dict[str, object] = {"name": name, "description": description, "properties": properties}
        if point is not None:
            body["Locations"] = [_location(name, point)]
        else:
            self.counts.without_location += 1
        number = self._create("Thing", body, access)
        where = point_of(point) if point is not None else None
        self._things[key] = progress.Known(number, name, description, properties, where)
        self.counts.things_new += 1
        return number

    def datastream_id(self, thing: str, key: str) -> int | None:
        known = self._datastreams.get(f"{thing}/{key}")
        return known.id if known else None

    def datastream(
        self, thing: str, key: str, *, name: str, description: str, observation_type: str,
        unit: Mapping[str, str], sensor: int, observed: int, properties: Mapping[str, object],
        access: AccessClass | None = None,
    ) -> int:  # fmt: skip
        """The datastream `key` of a thing, made where it is missing. Its name follows the newest file."""
        whole = f"{thing}/{key}"
        known = self._datastreams.get(whole)
        given = {**properties, "origin": {"source": self.source, "key": whole}}
        if known is not None:
            merged = {**known.properties, **given}
            if (known.name, known.description, known.properties) != (name, description, merged):
                body = {"name": name, "description": description, "properties": merged}
                write.update(
                    self.connection, reader=self._reader, entity="Datastream", id=known.id, body=body, replace=False
                )
                known.name, known.description, known.properties = name, description, merged
            return known.id
        number = self._create(
            "Datastream",
            {
                "name": name,
                "description": description,
                "observationType": observation_type,
                "unitOfMeasurement": dict(unit),
                "properties": given,
                "Thing": {"@iot.id": self._things[thing].id},
                "Sensor": {"@iot.id": sensor},
                "ObservedProperty": {"@iot.id": observed},
            },
            access or self.access,
        )
        self._datastreams[whole] = progress.Known(number, name, description, given, None)
        self.counts.datastreams_new += 1
        return number

    def sensor(self, *, name: str, description: str, metadata: str, properties: Mapping[str, object]) -> int:
        if (known := self._sensors.get(name)) is not None:
            return known.id
        given = {**properties, "origin": {"source": self.source, "key": name}}
        number = self._create(
            "Sensor",
            {
                "name": name,
                "description": description,
                "encodingType": "text/html",
                "metadata": metadata or description,
                "properties": given,
            },
            self.access,
        )
        self._sensors[name] = progress.Known(number, name, description, given, None)
        return number

    def observed_property(self, *, name: str, definition: str, description: str) -> int:
        """Kinds of observation hold no data, so they are open; by their definition they are the same for all."""
        if (known := self._observed.get(definition)) is not None:
            return known.id
        given: dict[str, object] = {"origin": {"source": VOCABULARY, "key": definition}}
        number = self._create(
            "ObservedProperty",
            {"name": name, "definition": definition, "description": description, "properties": given},
            AccessClass.OPEN,
        )
        self._observed[definition] = progress.Known(number, name, description, given, None)
        return number

    def _create(self, entity: str, body: Mapping[str, object], access: AccessClass) -> int:
        return write.create(self.connection, reader=self._reader, entity=entity, body=body, default_access=access)


def _location(name: str, point: tuple[float, float]) -> dict[str, object]:
    return {
        "name": name,
        "description": f"Standort: {name}",
        "encodingType": "application/geo+json",
        "location": point_of(point),
    }
