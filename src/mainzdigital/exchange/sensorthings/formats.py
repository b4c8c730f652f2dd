"""Result formats beside JSON: the `dataArray` of 18-088 (clause 12), and CSV and GeoJSON as other servers have them.

All work on one page of records as `represent` makes them, so memory is bounded by the size of a page.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from mainzdigital.exchange.sensorthings import MAX_EXPANDED
from mainzdigital.exchange.sensorthings.represent import Record, Shape, dig, encode
from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.kernel.errors import InvalidInput, TooLarge
from mainzdigital.query.odata import QueryOptions

DATA_ARRAY, CSV, GEOJSON = "dataArray", "CSV", "GeoJSON"
CSV_TYPE, GEOJSON_TYPE = "text/csv", "application/geo+json"
COLUMN_LIMIT = 2_000  # columns of a CSV, properties of a GeoJSON feature
HOLDERS = ("Datastream", "MultiDatastream")  # what the rows of a data array are grouped by
_NAMES = {name.lower(): name for name in (DATA_ARRAY, CSV, GEOJSON)}


@dataclass(frozen=True, slots=True)
class Page:
    """Entities as they were read: rows as the store gave them, records as JSON shows them, in the same order."""

    form: Shape
    rows: Sequence[Sequence[Any]]
    records: Sequence[Any]
    root: str
    count: int | None = None
    next_link: str = ""


@dataclass(frozen=True, slots=True)
class Formatted:
    """The body of an answer, without media type where there is none; `next_link` leads to the page after it."""

    body: bytes
    media_type: str = "application/json"
    next_link: str = ""


def format_of(options: QueryOptions) -> str:
    """The format that `$resultFormat` names, empty for the usual JSON; raises InvalidInput."""
    given = options.result_format
    if given is None:
        return ""
    name = _NAMES.get(given.strip().lower())
    if name is None:
        raise InvalidInput(
            f"the format '{given[:40]}' is not offered", where="$resultFormat",
            remedy=f"use {', '.join(_NAMES.values())}, or leave it out",
        )  # fmt: skip
    return name


def selection(entity: EntityType, options: QueryOptions, name: str) -> tuple[tuple[tuple[str, ...], ...] | None, str]:
    """What to select for a format: (`$select`, the relation whose id is wanted too). Raises InvalidInput."""
    if name != DATA_ARRAY:
        return options.select, ""
    if entity.name != "Observation":
        raise InvalidInput(
            "a data array is of Observations", where="$resultFormat", remedy="ask for Observations, or use CSV"
        )
    if options.expand:
        raise InvalidInput(
            "a data array expands nothing", where="$expand", remedy="leave out $expand, or use $resultFormat=CSV"
        )
    if options.select is None:
        return (("@iot.id",), *((item,) for item in entity.properties if item != "id")), HOLDERS[0]
    for steps in options.select:
        if steps[0] in entity.navigations or steps[0] == "@iot.selfLink":
            raise InvalidInput(
                f"'{steps[0]}' is no component of a data array", where="$select", remedy="select properties"
            )
    return options.select, HOLDERS[0]


def data_array(page: Page, select: Sequence[tuple[str, ...]]) -> Formatted:
    """A page of Observations by datastream (18-088, 12.1); groups stand as their first rows do."""
    components = ["id" if steps == ("@iot.id",) else "/".join(steps) for steps in select]
    relations = [name for name in HOLDERS if f"~{name}" in page.form.positions]
    places = [(name, page.form.positions[f"~{name}"]) for name in relations]
    base = f"{page.root}/Observations("
    groups: dict[tuple[str, int], list[list[Any]]] = {}
    links: dict[tuple[str, int], str] = {}
    for row, record in zip(page.rows, page.records, strict=True):
        holder = next(((name, row[at]) for name, at in places if row[at] is not None), (HOLDERS[0], 0))
        values = groups.get(holder)
        if values is None:
            values = groups[holder] = []
            set_name = page.form.entity.target(page.form.entity.navigations[holder[0]]).set_name
            links[holder] = f"{page.root}/{set_name}({holder[1]})" if holder[1] else f"{base}{row[0]})/{holder[0]}"
        values.append([dig(record, steps) for steps in select])
    value = [
        {
            f"{holder[0]}@iot.navigationLink": links[holder], "components": components,
            "dataArray@iot.count": len(values), "dataArray": values,
        }
        for holder, values in groups.items()
    ]  # fmt: skip
    return Formatted(encode(_annotated(page, {"value": value})), next_link=page.next_link)


def csv_text(page: Page) -> Formatted:
    """One line for each entity, or for each item of the one list that is expanded (RFC 4180).

    The values are the data as it is: nothing is put before those that a spreadsheet takes for a formula, since machines
    read this. Parts of JSON stand in columns like `properties/owner`, geometries and lists as JSON.
    """
    columns: dict[str, None] = dict.fromkeys(_plain_columns(page.form))
    lines: list[dict[str, Any]] = []
    for record in _plain(page.records):
        for line in _lines(page.form.entity, record, ""):
            lines.append(line)
            if len(lines) > MAX_EXPANDED:
                raise TooLarge(
                    f"the table has more than {MAX_EXPANDED} lines", where="$expand", remedy="ask for less with $top"
                )
            columns.update(dict.fromkeys(line))
    _limit(len(columns))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(line.get(name)) for name in columns] for line in lines)
    return Formatted(out.getvalue().encode(), f"{CSV_TYPE}; charset=utf-8; header=present", page.next_link)


def geojson(page: Page) -> Formatted:
    """A FeatureCollection (RFC 7946): a feature for each entity, with its geometry or that of what is expanded."""
    features = []
    for record in _plain(page.records):
        flat: dict[str, Any] = {}
        _flatten(page.form.entity, record, "", flat)
        _limit(len(flat))
        features.append(
            {
                "type": "Feature", "id": record.get("@iot.id"), "geometry": _geometry(page.form.entity, record),
                "properties": flat,
            }
        )  # fmt: skip
        if features[-1]["id"] is None:
            del features[-1]["id"]
    body = _annotated(page, {"type": "FeatureCollection", "features": features})
    return Formatted(encode(body), GEOJSON_TYPE, page.next_link)


RENDER: Mapping[str, Callable[[Page], Formatted]] = {CSV: csv_text, GEOJSON: geojson}


def _annotated(page: Page, body: Record) -> Record:
    head: Record = {} if page.count is None else {"@iot.count": page.count}
    if page.next_link:
        head["@iot.nextLink"] = page.next_link
    return head | body


def _plain(records: Sequence[Record]) -> list[Record]:
    """Records as a reader of the JSON has them: no raw JSON, times as text."""
    found: list[Record] = msgspec.json.decode(encode(records))
    return found


def _limit(count: int) -> None:
    if count > COLUMN_LIMIT:
        raise TooLarge(
            f"the table has more than {COLUMN_LIMIT} columns", where="$select", remedy="name what you need in $select"
        )


def _plain_columns(form: Shape) -> list[str]:
    """Columns that stand also where no entity has a value; those with parts are known by the values only."""
    names = ["@iot.id"] if form.shows_id else []
    return names + [name for name, _, kind in form.fields if kind is not ValueType.JSON]


def _shown(name: str) -> bool:
    """Links are for those who follow them, not for tables."""
    return name == "@iot.id" or "@iot." not in name


def _own(entity: EntityType, record: Mapping[str, Any], prefix: str, out: dict[str, Any]) -> None:
    """The properties of one entity, parts of JSON apart."""
    for name, value in record.items():
        if not _shown(name) or name in entity.navigations:
            continue
        known = entity.properties.get(name)
        if isinstance(value, dict) and known is not None and known.type is not ValueType.GEOMETRY:
            _parts(value, f"{prefix}{name}", out)
        else:
            out[prefix + name] = value


def _parts(value: Mapping[str, Any], prefix: str, out: dict[str, Any]) -> None:
    waiting: list[tuple[str, Any]] = [(prefix, value)]
    while waiting:
        name, item = waiting.pop(0)
        if isinstance(item, dict) and item:
            waiting[:0] = [(f"{name}/{key}", inner) for key, inner in item.items()]
        else:
            out[name] = item
        _limit(len(out))


def _lines(entity: EntityType, record: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """The lines of one entity: as many as the one expanded list has items, at least one."""
    line: dict[str, Any] = {}
    _own(entity, record, prefix, line)
    lists: list[tuple[str, list[dict[str, Any]]]] = []
    for name, navigation in entity.navigations.items():
        if name not in record:
            continue
        target, inner = entity.target(navigation), f"{prefix}{name}/"
        value = record[name]
        if navigation.many:
            lists.append((name, [found for item in value for found in _lines(target, item, inner)]))
        elif value is not None:
            found = _lines(target, value, inner)
            if len(found) > 1:
                lists.append((name, found))
            else:
                line |= found[0]
    if len(lists) > 1:
        raise InvalidInput(
            f"a table can follow one list, not {lists[0][0]} and {lists[1][0]}", where="$expand",
            remedy="expand one of them, or read JSON",
        )  # fmt: skip
    if not lists or not lists[0][1]:
        return [line]
    return [line | found for found in lists[0][1]]


def _flatten(entity: EntityType, record: Mapping[str, Any], prefix: str, out: dict[str, Any]) -> None:
    """All properties in one object, those of related entities under `Thing/name` and `Locations/0/name`.

    The geometry of the entity itself is the feature's and does not stand there again.
    """
    own: dict[str, Any] = {}
    _own(entity, record, prefix, own)
    for name, known in entity.properties.items():
        if known.type is ValueType.GEOMETRY and is_geometry(own.get(prefix + name)):
            del own[prefix + name]
    out |= own
    for name, navigation in entity.navigations.items():
        value = record.get(name)
        target = entity.target(navigation)
        if isinstance(value, list):
            for index, item in enumerate(value):
                _flatten(target, item, f"{prefix}{name}/{index}/", out)
        elif isinstance(value, dict):
            _flatten(target, value, f"{prefix}{name}/", out)
        _limit(len(out))


def is_geometry(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("type"), str)


def _geometry(entity: EntityType, record: Mapping[str, Any]) -> Any:
    """The geometry of an entity, else of what is expanded in it, nearest first; None where there is none."""
    level: list[tuple[EntityType, Mapping[str, Any]]] = [(entity, record)]
    while level:
        below: list[tuple[EntityType, Mapping[str, Any]]] = []
        for kind, item in level:
            for name, known in kind.properties.items():
                value: Any = item.get(name)
                if known.type is ValueType.GEOMETRY and is_geometry(value):
                    return value.get("geometry") if value["type"] == "Feature" else value
            for name, navigation in kind.navigations.items():
                inner = item.get(name)
                found = inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) else []
                below += [(kind.target(navigation), one) for one in found]
        level = below
    return None


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return encode(value).decode()
    return value
