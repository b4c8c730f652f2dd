"""Air quality of the Umweltbundesamt, every hour: the same things, datastreams and keys as the files of `uba-luft`.

An hour's value has one identity (source, station, component, hour), so that reading it again changes nothing, and a
later revision replaces it. Every round reads two days back, one round a day reads further.
"""

import logging
import random
import threading
import time
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

import msgspec
import psycopg

from mainzdigital.connect.files.decode import Decoder
from mainzdigital.connect.files.load import Chunk, Report, Writer
from mainzdigital.connect.files.mapping import Mapping, Place, find_mapping
from mainzdigital.connect.files.table import Header
from mainzdigital.connect.files.values import Cell
from mainzdigital.connect.origin import Catalogue
from mainzdigital.connect.polled import uba_answers
from mainzdigital.connect.polled.fetch import Failed, Fetcher
from mainzdigital.connect.polled.told import Told
from mainzdigital.connect.polled.uba_answers import Station
from mainzdigital.connect.polled.uba_plan import COMPONENTS, Plan
from mainzdigital.store import progress
from mainzdigital.store.connect import connect

_logger = logging.getLogger(__name__)

NAME = "uba-air"
_MEZ = timezone(timedelta(hours=1))
_SHORT_DAYS = 2
_DAY = 86_400.0
_FIRST_RETRY = 60.0
_MOST_FAILURES = 3  # one after another: then the rest of the round is left to the next


@dataclass(slots=True)
class _Round:
    """What one round has met with."""

    errors: list[Failed] = field(default_factory=list)
    in_a_row: int = 0
    incomplete: bool = False  # something was not answered
    report: Report = field(default_factory=lambda: Report(NAME, NAME, ""))

    def failed(self, error: Failed) -> None:
        self.errors.append(error)
        self.in_a_row += 1
        self.incomplete = True


class UbaFeed:
    """The feed, hosted by `mainzdigital ingest`."""

    name = NAME

    def __init__(self, dsn: str, plan: Plan) -> None:
        self._dsn = dsn
        self._plan = plan
        self._fetch = Fetcher(plan.agent)
        self._stations: Dict[str, Station] = {}
        self._stations_at = self._deep_at = float("-inf")
        self._told = Told(every=plan.minutes * 60.0)

    def told(self) -> Told:
        return self._told

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set: a round, and a wait. Raises psycopg.Error where the database goes away."""
        while not stop.is_set():
            stop.wait(self.round(stop))

    def round(self, stop: threading.Event) -> float:
        """Read everything once; seconds to the next round."""
        done = _Round()
        now = time.monotonic()
        deep = now - self._deep_at >= _DAY
        try:
            self._learn_stations(now)
            for number in self._plan.stations:
                self._station(number, self._plan.days if deep else _SHORT_DAYS, done, stop)
        except Failed as error:
            done.failed(error)
        if stop.is_set():
            return 0.0
        if deep and not done.incomplete:
            self._deep_at = now
        if not done.errors:
            self._told = self._told.succeeded(time.time(), written=done.report.written, replaced=done.report.replaced)
            # Not all cities at the same second.
            return self._plan.minutes * 60.0 + random.uniform(0, 120)  # noqa: S311
        self._told = self._told.failed("; ".join(dict.fromkeys(error.message for error in done.errors))[:500])
        asked = max((error.retry_after or 0 for error in done.errors), default=0)
        wait = min(_FIRST_RETRY * 2.0 ** min(self._told.failures - 1, 10), max(_FIRST_RETRY, self._plan.minutes * 60.0))
        _logger.warning("%s: %s; next try in %.0f s", NAME, self._told.error, max(wait, asked))
        return max(wait, asked)

    def _learn_stations(self, now: float) -> None:
        """Names and places, once a day; what is known serves while the list cannot be had."""
        if now - self._stations_at < _DAY:
            return
        today = datetime.now(_MEZ).date()
        question = urlencode(
            {"use": "measure", "lang": "de", "index": "id", "date_from": today - timedelta(days=self._plan.days),
             "date_to": today, "time_from": 1, "time_to": 24}
        )  # fmt: skip
        try:
            self._stations = uba_answers.stations(self._fetch.json(f"{self._plan.address}/stations/json?{question}"))
            self._stations_at = now
        except Failed:
            if not self._stations:
                raise

    def _station(self, number: str, days: int, done: _Round, stop: threading.Event) -> None:
        station = self._stations.get(number)
        if station is None:
            done.errors.append(
                Failed(f"the Umweltbundesamt has no station {number}", where="feeds.uba_air.stations",
                       remedy="look up its number in the list of stations")
            )  # fmt: skip
            return
        hours: dict[datetime, dict[str, Cell]] = {}
        for component in self._plan.components:
            if done.in_a_row >= _MOST_FAILURES or stop.wait(self._plan.pause):
                break
            try:
                found = self._measures(number, component, days)
            except Failed as error:
                done.failed(error)
                continue
            done.in_a_row = 0
            if found.odd:
                _logger.warning(
                    "%s: %d entries of %s at %s are none of what was asked", NAME, found.odd, component, number
                )
            for start, value in found.values.items():
                if value is not None:
                    hours.setdefault(start, {})[component] = value
        if hours:
            self._write(station, hours, done.report, stop)

    def _measures(self, station: str, component: str, days: int) -> uba_answers.Measures:
        number, scope = COMPONENTS[component]
        today = datetime.now(_MEZ).date()
        question = urlencode(
            {"date_from": today - timedelta(days=days), "time_from": 1, "date_to": today, "time_to": 24,
             "station": station, "component": number, "scope": scope, "index": "id", "lang": "de"}
        )  # fmt: skip
        answer = self._fetch.json(f"{self._plan.address}/measures/json?{question}")
        return uba_answers.measures(answer, station=station, component=number, scope=scope)

    def _write(
        self, station: Station, hours: Dict[datetime, Dict[str, Cell]], report: Report, stop: threading.Event
    ) -> None:
        mapping = _mapping(station)
        names = ("station_name", "station_id", "datetime", "city", *self._plan.components)
        decoder = Decoder(mapping, Header(0, names, ""))
        chunk = Chunk()
        for row, (start, values) in enumerate(sorted(hours.items()), start=1):
            cells: list[Cell] = [station.name or station.id, station.id, start.isoformat(), station.city]
            chunk.add(decoder.decode(row, [*cells, *(values.get(name, "") for name in self._plan.components)]))
        with connect(self._dsn, name=NAME, statement_seconds=120) as connection:
            if not _lock(connection, mapping.source, stop):
                return
            with connection.transaction():
                writer = Writer(
                    connection, mapping, decoder.slots, Catalogue(connection, mapping.source, mapping.access)
                )
                wrong = writer.write(chunk, report)
        for row, problem in wrong[:5]:
            _logger.warning(
                "%s: station %s, row %d: %s is refused: %s",
                NAME,
                station.id,
                row,
                problem.value,
                problem.message.format(**problem.values),
            )


def _mapping(station: Station) -> Mapping:
    """The mapping of the files, with the place that the source tells where the mapping has none or a rough one."""
    mapping = find_mapping("uba-luft")
    known = mapping.thing.places.get(station.id)
    if station.point is None or (known is not None and not known.approximate):
        return mapping
    place = Place(point=station.point, source="Umweltbundesamt, Stationsliste")
    thing = msgspec.structs.replace(mapping.thing, places={**mapping.thing.places, station.id: place})
    return msgspec.structs.replace(mapping, thing=thing)


def _lock(connection: psycopg.Connection, source: str, stop: threading.Event) -> bool:
    """Wait until no file of the source is being imported; False where `stop` is set first."""
    while not progress.lock(connection, source):
        if stop.wait(2):
            return False
    return not stop.is_set()
