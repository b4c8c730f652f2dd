"""Makes a home the demo city: boundary, things, a year of values, real files, accounts. Each step only once."""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mainzdigital.config.demo.feed import MARK
from mainzdigital.config.report import Report
from mainzdigital.config.settings import Settings
from mainzdigital.connect.simulator.plan import SOURCE, Plan
from mainzdigital.kernel.errors import Conflict, InvalidInput

DAYS = 365
_LARGEST_BOUNDARY = 20_000_000
_SCHEMATIC = 'boundary = "demo/boundary-schematic.geojson"\nattribution = "Stadtgrenze: schematisch, nicht amtlich"'
_OFFICIAL = 'boundary = "boundary.geojson"\nattribution = "Stadtgrenze: © GeoBasis-DE / BKG, dl-de/by-2-0"'


@dataclass(slots=True)
class Marks:
    """What is done already, kept in the home folder: `plan` is furnished and filled, `data` were imported."""

    plan: str = ""
    filled: bool = False
    data: list[str] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, home: Path) -> "Marks":
        try:
            return msgspec.json.decode((home / MARK).read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError):
            return cls()

    def save(self, home: Path) -> None:
        """Passwords stand in it, so nobody else may read it."""
        temporary = home / f"{MARK}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            json.dump(asdict(self), out, ensure_ascii=False, indent=1)
        temporary.replace(home / MARK)


def is_prepared(marks: Marks, plan: Plan, data: Path | None) -> bool:
    return marks.filled and marks.plan == plan.sha256 and (data is None or str(data) in marks.data)


def furnish_city(dsn: str, plan: Plan, *, report: Report, backfill: bool) -> None:
    """Things, datastreams and the past of the simulated city; goes on where it was interrupted."""
    from mainzdigital.connect.simulator import fill, furnish
    from mainzdigital.store import progress
    from mainzdigital.store.connect import connect

    with connect(dsn, name="demo", statement_seconds=None) as connection:
        if not progress.lock(connection, SOURCE):
            raise Conflict(
                "this demo city is running", where="demo", remedy="stop it first, or choose another MAINZDIGITAL_HOME"
            )
        if furnish.is_furnished(connection, plan):
            streams = furnish.furnished(connection, plan)
        else:
            streams = furnish.furnish(connection, plan)
        report.say(f"{len(plan.things)} things with {len(streams)} datastreams stand in the city")
        if not backfill:
            return
        now = int(time.time())
        start = now // 86_400 * 86_400 - DAYS * 86_400
        known = [fill.position_of(connection, shard) for shard in range(furnish.SHARDS)]
        begin = min(start if position is None else max(position, start) for position in known)
        total = fill.expected(streams, begin, now)
        if total:
            with report.progress("A year of simulated values", total=total) as advance:
                fill.fill(dsn, streams, start=start, until=now, advance=advance)


def import_folder(dsn: str, settings: Settings, data: Path, *, report: Report) -> None:
    """Import all files below a folder that one of our mappings fits; the register only within the city's bounds."""
    from mainzdigital.config.commands.importing import import_all
    from mainzdigital.connect.files.mapping import shipped
    from mainzdigital.connect.files.recognise import walk

    found = walk(data, shipped().values())
    report.say(f"{len(found.files)} files to import, {found.skipped} others skipped", skipped=found.skipped)
    import_all(dsn, found.files, home=settings.home, within=settings.city.bounds, report=report)


def take_boundary(settings: Settings, data: Path, *, report: Report) -> bool:
    """Copy the city's boundary out of a GeoJSON of the BKG below `data`, and name it in the home's city.toml."""
    feature = find_boundary(data, settings.city.name)
    target = settings.home / "city.toml"
    if feature is None:
        return False
    body = {"type": "FeatureCollection", "features": [feature]}
    (settings.home / "boundary.geojson").write_text(json.dumps(body, ensure_ascii=False), "utf-8")
    if not target.exists():
        text = settings.city_file.read_text("utf-8")
        if _SCHEMATIC not in text:
            raise InvalidInput(f"{settings.city_file} names its own boundary", where="map.boundary")
        target.write_text(
            text.replace(
                _SCHEMATIC,
                'boundary = "boundary.geojson"\nattribution = "Stadtgrenze: © GeoBasis-DE / BKG, dl-de/by-2-0"',
            ),
            "utf-8",
        )
    report.say("the city's boundary is that of the BKG")
    return True


def find_boundary(data: Path, name: str) -> dict[str, Any] | None:
    """The GeoJSON feature of the city in a file of the BKG's districts (property GEN) below `data`."""
    for path in sorted(data.rglob("*.geojson")):
        try:
            if path.stat().st_size > _LARGEST_BOUNDARY or b'"GEN"' not in (text := path.read_bytes()):
                continue
            tree = msgspec.json.decode(text)
            for feature in tree["features"]:
                properties = feature["properties"]
                if properties.get("GEN") == name and "Polygon" in feature["geometry"]["type"]:
                    kept = {key: properties[key] for key in ("GEN", "BEZ", "AGS") if key in properties}
                    kept |= {"schematic": False, "attribution": "© GeoBasis-DE / BKG, dl-de/by-2-0"}
                    return {"type": "Feature", "properties": kept, "geometry": feature["geometry"]}
        except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
            continue
    return None
