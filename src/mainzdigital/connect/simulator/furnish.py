"""Makes the things and datastreams of the simulated city, once, and brings them up to date where the plan changed."""

from dataclasses import dataclass

import psycopg

from mainzdigital.connect.origin import Catalogue
from mainzdigital.connect.simulator.patterns import Stream
from mainzdigital.connect.simulator.plan import NOTICE, SOURCE, Plan, PlannedStream, PlannedThing
from mainzdigital.kernel.access import AccessClass
from mainzdigital.store import progress

SHARDS = 2
_PROVENANCE: dict[str, object] = {"license": "CC0 1.0", "source": "mainzDIGITAL (Simulator)"}
_MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


@dataclass(frozen=True, slots=True)
class Furnished:
    """A stream with its datastream's id; `delay` seconds pass until a value is complete."""

    datastream_id: int
    stream: Stream
    delay: int

    @property
    def shard(self) -> int:
        return self.datastream_id % SHARDS


def furnish(connection: psycopg.Connection, plan: Plan) -> list[Furnished]:
    """Make what is missing in one transaction; answers all streams with their datastreams' ids."""
    done: list[Furnished] = []
    with connection.transaction():
        catalogue = Catalogue(connection, SOURCE, AccessClass.OPEN)
        for thing in plan.things:
            catalogue.thing(
                thing.key, name=thing.name, description=thing.description,
                properties={**_PROVENANCE, **thing.properties}, point=thing.point, access=thing.access,
            )  # fmt: skip
            for item in thing.streams:
                number = _datastream(catalogue, plan, thing, item)
                done.append(Furnished(number, item.stream, item.delay))
        progress.save(
            connection, source=SOURCE, sha256=plan.sha256, name="plan", position=0, rows_read=len(plan.things),
            rows_rejected=0, finished=True,
        )  # fmt: skip
    return done


def furnished(connection: psycopg.Connection, plan: Plan) -> list[Furnished]:
    """The streams that are there, without making any: what someone deleted stays deleted."""
    known = progress.keyed(connection, "Datastream", source=SOURCE)
    return [
        Furnished(found.id, item.stream, item.delay)
        for thing in plan.things
        for item in thing.streams
        if (found := known.get(f"{thing.key}/{item.code}")) is not None
    ]


def is_furnished(connection: psycopg.Connection, plan: Plan) -> bool:
    return progress.find(connection, source=SOURCE, sha256=plan.sha256) is not None


def _datastream(catalogue: Catalogue, plan: Plan, thing: PlannedThing, item: PlannedStream) -> int:
    kinds, kind = plan.kinds, item.kind
    unit, observed = kinds.units[kind.unit], kinds.observed[kind.observed]
    properties: dict[str, object] = {
        "simulated": True,
        "notice": NOTICE,
        **_PROVENANCE,
    }
    if kind.aggregation:
        properties["aggregation"] = kind.aggregation
    if kind.limits:
        properties["limits"] = kinds.limits[kind.limits]
    return catalogue.datastream(
        thing.key,
        item.code,
        name=kind.name,
        description=f"{kind.name}, {thing.name} (simuliert)",
        observation_type=_MEASUREMENT,
        unit={"name": unit.name, "symbol": unit.symbol, "definition": unit.definition},
        sensor=catalogue.sensor(
            name=thing.sensor.name, description=thing.sensor.description, metadata="", properties={"simulated": True}
        ),
        observed=catalogue.observed_property(
            name=observed.name, definition=observed.definition, description=observed.description
        ),
        properties=properties,
        access=thing.access,
    )
