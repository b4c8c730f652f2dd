"""What portal pages show: things found by words and facets, one thing in full, live figures, points of the map."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.errors import NotFound
from mainzdigital.store import things as store

FACETS = ("kind", "district", "observed", "operator", "state")
STATES = ("current", "late", "silent", "none")
ORDERS = ("name", "newest", "kind", "district", "added")
Value = float | str | bool | None


@dataclass(frozen=True, slots=True)
class ThingQuery:
    """What is looked for. `kind_words` gives search words per kind, folded as `fold` does; `now` decides the state."""

    now: datetime
    words: str = ""
    kinds: tuple[str, ...] = ()
    districts: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    order: str = "name"
    limit: int = 25
    offset: int = 0
    kind_words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit value of a stream, in its unit: over which time (ISO 8601, empty: any), and where it is written."""

    value: float
    title: str
    source: str = ""
    period: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A datastream and its latest value; `value` and `time` are None where nothing (visible) was measured.

    Not `whole` is one whose observations may have features of interest that the reader may not see: what is known of
    it as a whole (its beginning, its rollups) is not shown.
    """

    id: int
    thing_id: int
    name: str
    description: str
    property_id: int
    property_name: str
    definition: str
    unit: str
    unit_name: str
    value: Value
    time: datetime | None
    first: datetime | None
    limits: tuple[Limit, ...]
    properties: Mapping[str, Any]
    sensor: str
    sensor_description: str
    thing_name: str
    thing_properties: Mapping[str, Any]
    whole: bool

    @property
    def number(self) -> float | None:
        return self.value if isinstance(self.value, float) else None


@dataclass(frozen=True, slots=True)
class ThingRow:
    """A thing in a list or on the map; `lon` and `lat` in degrees, None where it has no place."""

    id: int
    name: str
    description: str
    kind: str
    district: str
    operator: str
    state: str
    newest: datetime | None
    lon: float | None
    lat: float | None
    properties: Mapping[str, Any]
    streams: tuple[Stream, ...] = ()


@dataclass(frozen=True, slots=True)
class ThingList:
    """A page of things, the number of all found, and per facet the values with their counts, most frequent first."""

    rows: tuple[ThingRow, ...]
    total: int
    facets: Mapping[str, tuple[tuple[str, int], ...]]


@dataclass(frozen=True, slots=True)
class ThingPage:
    """Everything the page of a thing shows. `places` are (name, longitude, latitude)."""

    id: int
    name: str
    description: str
    properties: Mapping[str, Any]
    changed: datetime
    places: tuple[tuple[str, float | None, float | None], ...]
    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour over several streams: `total` of all values, `mean` of the streams' means, `level` their sum."""

    start: datetime
    total: float
    mean: float
    level: float
    highest: float


def fold(text: str) -> str:
    """Lower case with ä, ae → a and so on, the way the store folds what it searches in."""
    text = text.lower().translate(str.maketrans("äöüß", "aous"))
    for pair, one in (("ae", "a"), ("oe", "o"), ("ue", "u"), ("ss", "s")):
        text = text.replace(pair, one)
    return text


_ENDINGS = ("ern", "em", "en", "er", "es", "e", "n", "s")


def stem(word: str) -> str:
    """A folded word without its German ending, so that `Parkhäuser` finds `Parkhaus`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def terms(words: str) -> list[str]:
    """The search terms of a text; at most eight of them."""
    return [stem(fold(word)) for word in re.findall(r"[\w.-]+", words)[:8]]


def search(connection: psycopg.Connection[Any], *, reader: Reader, query: ThingQuery) -> ThingList:
    """Things the reader may see. A page after the last one is answered with the last one."""
    parameters = _parameters(reader, query)
    counted = store.count_facets(connection, parameters)
    facets: dict[str, list[tuple[str, int]]] = {name: [] for name in FACETS}
    total = 0
    for row in counted:
        if row["facet"] == "total":
            total = row["count"]
        elif row["value"]:
            facets[row["facet"]].append((row["value"], row["count"]))
    offset = query.offset
    if total and offset >= total:
        offset = (total - 1) // query.limit * query.limit
    rows = store.search_things(connection, {**parameters, "offset": offset}) if total else []
    streams = _streams_by_thing(connection, reader, [row["id"] for row in rows])
    return ThingList(
        rows=tuple(_row(row, streams) for row in rows),
        total=total,
        facets={
            name: tuple(sorted(values, key=lambda item: (-item[1], fold(item[0])))) for name, values in facets.items()
        },
    )


def suggestion(connection: psycopg.Connection[Any], *, reader: Reader, words: str) -> str:
    """The search text with each unknown word replaced by the nearest known one; empty when nothing is near."""
    known = {fold(word): word for word in store.read_vocabulary(connection, _classes(reader))}
    found = []
    for word in re.findall(r"[\w.-]+", words)[:8]:
        near = difflib.get_close_matches(fold(word), known, n=1, cutoff=0.72)
        found.append(known[near[0]] if near else word)
    text = " ".join(found)
    return text if fold(text) != fold(words.strip()) else ""


def detail(connection: psycopg.Connection[Any], *, reader: Reader, identifier: int) -> ThingPage:
    """One thing in full; raises NotFound, also for what the reader may not see."""
    row = store.read_thing(connection, _classes(reader), identifier) if 0 < identifier < 2**31 else None
    if row is None:
        raise NotFound("this thing does not exist", where=str(identifier))
    places = store.read_locations(connection, _classes(reader), identifier)
    streams = _streams_by_thing(connection, reader, [identifier])
    return ThingPage(
        id=row["id"],
        name=row["name"],
        description=row["description"],
        properties=_mapping(row["properties"]),
        changed=row["changed"],
        places=tuple((place["name"], place["lon"], place["lat"]) for place in places),
        streams=streams.get(identifier, ()),
    )


def observed_properties(connection: psycopg.Connection[Any], *, reader: Reader) -> list[tuple[int, str, str]]:
    """(id, name, definition) of each observed property the reader may see."""
    rows = store.read_observed_properties(connection, _classes(reader))
    return [(row["id"], row["name"], row["definition"]) for row in rows]


def measured(connection: psycopg.Connection[Any], *, reader: Reader, properties: Sequence[int]) -> tuple[Stream, ...]:
    """Streams of these observed properties, with their latest values."""
    rows = store.read_streams(connection, _classes(reader), properties=properties)
    return tuple(_stream(row) for row in rows)


def hours(
    connection: psycopg.Connection[Any], *, streams: Sequence[Stream], since: datetime, until: datetime
) -> list[Hour]:
    """Hour by hour over streams that the reader was shown; hours without a value are absent."""
    ids = [stream.id for stream in streams if stream.whole and stream.time is not None]
    rows = store.read_hours(connection, ids, since, until) if ids else []
    return [Hour(row["bucket"], row["total"], row["mean"], row["level"], row["highest"]) for row in rows]


def _classes(reader: Reader) -> list[str]:
    return sorted(item.value for item in reader.classes)


def _parameters(reader: Reader, query: ThingQuery) -> dict[str, object]:
    return {
        "classes": _classes(reader),
        "now": query.now,
        "patterns": [f"%{_literal(term)}%" for term in terms(query.words)],
        "kind_words": dict(query.kind_words),
        "kinds": list(query.kinds),
        "districts": list(query.districts),
        "operators": list(query.operators),
        "states": list(query.states),
        "observed": list(query.observed),
        "order": query.order,
        "limit": query.limit,
        "offset": query.offset,
    }


def _literal(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _streams_by_thing(
    connection: psycopg.Connection[Any], reader: Reader, things: Sequence[int]
) -> dict[int, tuple[Stream, ...]]:
    if not things:
        return {}
    found: dict[int, list[Stream]] = {}
    for row in store.read_streams(connection, _classes(reader), things=things):
        found.setdefault(row["thing_id"], []).append(_stream(row))
    return {thing: tuple(streams) for thing, streams in found.items()}


def _row(row: Mapping[str, Any], streams: Mapping[int, tuple[Stream, ...]]) -> ThingRow:
    return ThingRow(
        id=row["id"], name=row["name"], description=row["description"], kind=row["kind"], district=row["district"],
        operator=row["operator"], state=row["state"], newest=row["newest"], lon=row["lon"], lat=row["lat"],
        properties=_mapping(row["properties"]), streams=streams.get(row["id"], ()),
    )  # fmt: skip


def _stream(row: Mapping[str, Any]) -> Stream:
    unit, properties, more = _mapping(row["unit"]), _mapping(row["properties"]), _mapping(row["more"])
    value: Value = row["number"]
    if value is None and row["time"] is not None:
        result = more.get("result")
        value = result if isinstance(result, (str, bool)) or result is None else str(result)
    return Stream(
        id=row["id"],
        thing_id=row["thing_id"],
        name=row["name"],
        description=row["description"],
        property_id=row["property_id"],
        property_name=row["property_name"],
        definition=row["property_definition"],
        unit=_text(unit.get("symbol")),
        unit_name=_text(unit.get("name")),
        value=value,
        time=row["time"],
        first=row["phenomenon_start"] if row["whole"] and row["time"] else None,
        limits=_limits(properties.get("limits")),
        properties=properties,
        sensor=row["sensor_name"],
        sensor_description=row["sensor_description"],
        thing_name=row["thing_name"],
        thing_properties=_mapping(row["thing_properties"]),
        whole=row["whole"],
    )


def _limits(given: object) -> tuple[Limit, ...]:
    """`properties.limits` as people wrote it: entries without a number are passed over."""
    found = []
    for item in given if isinstance(given, list) else []:
        if (
            isinstance(item, dict)
            and isinstance(item.get("value"), (int, float))
            and not isinstance(item["value"], bool)
        ):
            source = _text(item.get("source")) or _text(item.get("basis"))
            found.append(Limit(float(item["value"]), _text(item.get("title")), source, _text(item.get("period"))))
    return tuple(found)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
