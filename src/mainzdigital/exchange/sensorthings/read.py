"""Reads SensorThings resources: the JSON body of a GET, by one statement for each level of `$expand`.

The plan is written once and run over sync and async connections; what the reader may not see is as good as deleted.
"""

import base64
import binascii
from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import psycopg

from mainzdigital.exchange.sensorthings import READING, STANDARD, ReadLimits, formats
from mainzdigital.exchange.sensorthings.expansions import expansions, geometries, is_newest, needs_extents
from mainzdigital.exchange.sensorthings.formats import Formatted, Page
from mainzdigital.exchange.sensorthings.path import ResourcePath, parse_path
from mainzdigital.exchange.sensorthings.represent import Record, Shape, dig, encode, shape
from mainzdigital.govern.access import guard
from mainzdigital.kernel.access import Reader
from mainzdigital.kernel.entities import EntityType, Navigation, ValueType
from mainzdigital.kernel.errors import InvalidInput, NotFound
from mainzdigital.query.odata import QueryOptions
from mainzdigital.store import entities_read as statements
from mainzdigital.store import entities_related as expansions_of
from mainzdigital.store.compile_order import OrderKey, pack
from mainzdigital.store.entities_read import Access, Moved, Selection, Statement, Step
from mainzdigital.store.model import BY_SET_NAME, STREAMS
from mainzdigital.store.select import Compute, Plan, Rows, run, run_async
from mainzdigital.store.spatial import resolve_geometries

Answer = TypeVar("Answer")
Part = Generator[Statement | Compute, Any, Answer]


def service_root(root: str, conformance: Sequence[str] = READING) -> bytes:
    """The document at the service root (18-088, 9.2.1)."""
    return encode(
        {
            "value": [{"name": name, "url": f"{root}/{name}"} for name in BY_SET_NAME],
            "serverSettings": {"conformance": list(conformance)},
        }
    )


def _query(given: Iterable[tuple[str, str]]) -> str:
    """The query that repeats the options given; what follows is the token of the row to go on after."""
    pairs = [(name, value) for name, value in given if name not in ("$skip", "$skiptoken")]
    return "?" + "".join(f"{name}={quote(value, safe=_KEPT)}&" for name, value in pairs) + "$skiptoken="


def _text_of_token(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).decode("ascii").rstrip("=")


_KEPT = "$(),;/'@:*!~-._="


def _token(options: QueryOptions) -> bytes | None:
    text = options.skip_token
    if text is None:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad_token() from None


def _bad_token() -> InvalidInput:
    return InvalidInput("the token is none of ours", where="$skiptoken", remedy="follow @iot.nextLink as it was given")


class Reading:
    """One request being answered."""

    def __init__(self, reader: Reader, root: str, limits: ReadLimits) -> None:
        self.root = root
        self.limits = limits
        self.access = Access(guard(reader))

    def prepare(self, entity: EntityType, options: QueryOptions) -> Part[None]:
        """Find datastreams whose extent or newest value would tell of hidden observations, and near geometries."""
        if self.access.guard is not None and needs_extents(entity, options):
            hidden = yield statements.hidden_features(self.access)
            if hidden:
                rows = yield statements.tainted_datastreams([key for (key,) in hidden])
                self.access = Access(self.access.guard, tuple(key for (key,) in rows))
        if asked := tuple(geometries(entity, options)):
            self.access = yield from resolve_geometries(asked, self.access, most=self.limits.geometries)

    def collection(self, path: ResourcePath, options: QueryOptions) -> Part[Formatted]:
        name = formats.format_of(options)
        if not name:
            select = (("@iot.selfLink",),) if path.ref else options.select
            form = shape(path.entity, select, tuple(expansions(options)))
            page = yield from self.entities(path, options, form, encoded=True)
            body: Record = {} if page.count is None else {"@iot.count": page.count}
            if page.next_link:
                body["@iot.nextLink"] = page.next_link
            body["value"] = page.records
            return Formatted(encode(body), next_link=page.next_link)
        select, holder = formats.selection(path.entity, options, name)
        if holder and select is not None:
            holders = tuple(item for item in formats.HOLDERS if item in path.entity.navigations)
            form = shape(path.entity, tuple(steps for steps in select), holders)
            return formats.data_array((yield from self.entities(path, options, form)), select)
        form = shape(path.entity, select, tuple(expansions(options)))
        return formats.RENDER[name]((yield from self.entities(path, options, form)))

    def entities(self, path: ResourcePath, options: QueryOptions, form: Shape, *, encoded: bool = False) -> Part[Page]:
        """One page of the entities that a path leads to; `encoded` if nobody will look into its records."""
        yield from self.prepare(path.entity, options)
        limit = self.limits.rows(options.top)
        selection = _selection(form, options, limit)
        moved: Moved | None = None
        rows, keys = yield from self.page(path.steps, selection, moved)
        if not rows and len(path.steps) > 1:
            moved = yield from self.find_moved(path.steps)
            yield from self.require(path, moved)
            if moved is not None:
                rows, keys = yield from self.page(path.steps, selection, moved)
        count: int | None = None
        if options.count:
            counted = yield statements.count(path.steps, options.filter, self.access, moved=moved)
            count = counted[0][0]
        next_link = ""
        if len(rows) > limit > 0:
            token = pack(rows[limit - 1][-len(keys) :])
            base = f"{self.root}/{quote(path.text, safe=_KEPT)}"
            next_link = base + _query(options.given) + _text_of_token(token)
        rows = rows[:limit]
        asked = expansions(options)
        if encoded and not asked:
            return Page(form, rows, form.array(rows, self.root), self.root, count, next_link)
        records = form.records(rows, self.root)
        yield from self.expand(form, rows, records, asked)
        return Page(form, rows, records, self.root, count, next_link)

    def count(self, path: ResourcePath, options: QueryOptions) -> Part[Formatted]:
        """`$count` at the end of a path: the number as text (OData 4.0, 11.2.9)."""
        yield from self.prepare(path.entity, options)
        rows = yield statements.count(path.steps, options.filter, self.access)
        if not rows[0][0] and len(path.steps) > 1:
            moved = yield from self.find_moved(path.steps)
            yield from self.require(path, moved)
            if moved is not None:
                rows = yield statements.count(path.steps, options.filter, self.access, moved=moved)
        return Formatted(str(rows[0][0]).encode(), "text/plain")

    def page(
        self, steps: Sequence[Step], selection: Selection, moved: Moved | None
    ) -> Part[tuple[Rows, tuple[OrderKey, ...]]]:
        try:
            statement = statements.page(steps, selection, self.access, moved=moved)
        except ValueError:
            raise _bad_token() from None
        rows: Rows = yield statement
        return rows, statement.keys

    def find_moved(self, steps: Sequence[Step]) -> Part[Moved | None]:
        """Where an observation went that is not where its id says."""
        for step in steps:
            if step.key is not None and step.entity.name == "Observation":
                rows = yield statements.moved_observation(step.key)
                if rows:
                    return Moved(*rows[0])
        return None

    def require(self, path: ResourcePath, moved: Moved | None) -> Part[None]:
        """An empty collection is empty only if the entity before it is there."""
        rows = yield statements.single(path.steps[:-1], ("id",), self.access, moved=moved)
        if not rows:
            raise _missing(path)

    def one(self, path: ResourcePath, columns: Sequence[str]) -> Part[Sequence[Any]]:
        rows: Rows = yield statements.single(path.steps, columns, self.access)
        if not rows and (moved := (yield from self.find_moved(path.steps))) is not None:
            rows = yield statements.single(path.steps, columns, self.access, moved=moved)
        if not rows:
            raise _missing(path)
        return rows[0]

    def entity(self, path: ResourcePath, options: QueryOptions) -> Part[Formatted]:
        name = formats.format_of(options)
        if name == formats.DATA_ARRAY:
            raise InvalidInput("a data array is of many Observations", where="$resultFormat", remedy="leave it out")
        yield from self.prepare(path.entity, options)
        asked = expansions(options)
        form = shape(path.entity, (("@iot.selfLink",),) if path.ref else options.select, tuple(asked))
        row = yield from self.one(path, form.columns)
        records = form.records([row], self.root)
        yield from self.expand(form, [tuple(row)], records, asked)
        if name:
            return formats.RENDER[name](Page(form, [row], records, self.root))
        return Formatted(encode(records[0]))

    def attribute(self, path: ResourcePath) -> Part[Formatted]:
        steps = (path.property_name, *path.parts)
        options = QueryOptions(select=(steps,))
        yield from self.prepare(path.entity, options)
        form = shape(path.entity, options.select)
        row = yield from self.one(path, form.columns)
        (record,) = form.records([row], self.root)
        value = dig(record, steps)
        if value is None:
            return Formatted(b"", "")
        if not path.value:
            return Formatted(encode({steps[-1]: value}))
        if isinstance(value, str):
            return Formatted(value.encode(), "text/plain")
        return _bare(encode(value), path)

    def expand(self, form: Shape, rows: Rows, records: Sequence[Record], asked: dict[str, QueryOptions]) -> Part[None]:
        for name, options in asked.items():
            if not rows:
                return
            navigation = form.entity.navigations[name]
            if navigation.many:
                yield from self.expand_many(form.entity, navigation, [row[0] for row in rows], records, options)
            else:
                at = form.positions[f"~{name}"]
                yield from self.expand_one(form.entity, navigation, [row[at] for row in rows], records, options)

    def expand_one(
        self,
        entity: EntityType,
        navigation: Navigation,
        keys: Sequence[int | None],
        records: Sequence[Record],
        options: QueryOptions,
    ) -> Part[None]:
        inner = expansions(options)
        form = shape(entity.target(navigation), options.select, tuple(inner))
        wanted = sorted({key for key in keys if key is not None})
        found: dict[int, Record] = {}
        if wanted:
            statement = expansions_of.related_to_one(form.entity, wanted, form.columns, options.filter, self.access)
            rows = [row[1:] for row in (yield statement)]
            related = form.records(rows, self.root)
            yield from self.expand(form, rows, related, inner)
            found = {row[0]: record for row, record in zip(rows, related, strict=True)}
        for key, record in zip(keys, records, strict=True):
            record[navigation.name] = None if key is None else found.get(key)

    def expand_many(
        self,
        entity: EntityType,
        navigation: Navigation,
        parents: Sequence[int],
        records: Sequence[Record],
        options: QueryOptions,
    ) -> Part[None]:
        inner = expansions(options)
        name = navigation.name
        form = shape(entity.target(navigation), options.select, tuple(inner))
        limit = min(self.limits.rows(options.top), max(1, self.limits.expanded // len(parents)))
        rows: list[tuple[Any, ...]] = []
        cuts: dict[int, tuple[int, int]] = {}  # parent: its rows
        more: dict[int, bytes] = {}  # parent: where the next page begins
        slow = list(parents)
        if entity.name in STREAMS and is_newest(name, options):
            tainted = set(self.access.tainted)
            fast, slow = [key for key in parents if key not in tainted], [key for key in parents if key in tainted]
            statement = expansions_of.newest_of_datastreams(fast, form.columns, self.access)
            several = -len(statement.keys) - 2
            rows += (yield statement) if fast else ()
            for at, row in enumerate(rows):
                cuts[row[-1]] = (at, at + 1)
                if row[several]:
                    more[row[-1]] = pack(row[several + 1 : -1])
        if slow:
            try:
                statement = expansions_of.related_to_many(
                    entity, navigation, slow, _selection(form, options, limit), self.access
                )
            except ValueError:
                raise _bad_token() from None
            for row in (yield statement):
                parent = row[-1]
                begin, end = cuts.get(parent, (len(rows), len(rows)))
                if end - begin < limit:
                    cuts[parent] = (begin, end + 1)
                    rows.append(row)
                elif limit:
                    more[parent] = pack(rows[end - 1][-len(statement.keys) - 1 : -1])
        related: Sequence[object]
        if inner:
            related = found = form.records(rows, self.root)
            yield from self.expand(form, rows, found, inner)
        else:
            related = form.encoded(rows, self.root)
        counts: dict[int, int] = {}
        if options.count:
            counted = yield expansions_of.count_related(entity, navigation, parents, options.filter, self.access)
            counts = dict(counted)
        base, query = f"{self.root}/{entity.set_name}(", f")/{name}{_query(options.given)}"
        for parent, record in zip(parents, records, strict=True):
            if options.count:
                record[f"{name}@iot.count"] = counts.get(parent, 0)
            if parent in more:
                record[f"{name}@iot.nextLink"] = f"{base}{parent}{query}{_text_of_token(more[parent])}"
            begin, end = cuts.get(parent, (0, 0))
            record[name] = related[begin:end]


def _selection(form: Shape, options: QueryOptions, limit: int) -> Selection:
    return Selection(
        form.columns,
        options.filter,
        tuple((item.expression, item.descending) for item in options.orderby),
        limit,
        options.skip or 0,
        _token(options),
    )


def _bare(body: bytes, path: ResourcePath) -> Formatted:
    """The value of a property alone: text where it is simple, JSON where it has parts."""
    if body[:1] in (b"{", b"["):
        known = path.entity.properties[path.property_name].type
        whole = known is ValueType.GEOMETRY and not path.parts
        return Formatted(body, formats.GEOJSON_TYPE if whole else "application/json")
    return Formatted(body.strip(b'"'), "text/plain")


def _missing(path: ResourcePath) -> NotFound:
    return NotFound(f"there is no {path.text[:200]}", where=path.text[:200])


def _check(path: ResourcePath, options: QueryOptions) -> None:
    given = [name for name, _ in options.given]
    if path.is_collection and not path.ref:
        return
    allowed: frozenset[str] = frozenset()
    if path.is_collection:
        allowed = frozenset({"$filter", "$orderby", "$top", "$skip", "$count", "$skiptoken"})
    elif path.count:
        allowed = frozenset({"$filter"})
    elif path.steps and not path.property_name and not path.ref:
        allowed = frozenset({"$select", "$expand", "$resultFormat"})
    for name in given:
        if name not in allowed:
            raise InvalidInput(f"'{name}' does not apply here", where=name, remedy="it is for collections of entities")


def _plan(reader: Reader, path: ResourcePath, options: QueryOptions, root: str, limits: ReadLimits) -> Plan[Formatted]:
    _check(path, options)
    if not path.steps:
        return Formatted(service_root(root))
    reading = Reading(reader, root, limits)
    if path.property_name:
        return (yield from reading.attribute(path))
    if path.count:
        return (yield from reading.count(path, options))
    if path.is_collection:
        return (yield from reading.collection(path, options))
    return (yield from reading.entity(path, options))


async def read(
    connection: psycopg.AsyncConnection[Any],
    *,
    reader: Reader,
    path: ResourcePath,
    options: QueryOptions,
    root: str,
    limits: ReadLimits = STANDARD,
) -> Formatted:
    """The answer to a GET; `root` is the address of the service root without trailing slash.

    Without media type where a property is asked for that has no value (answer 204). Raises NotFound, InvalidInput,
    TooLarge, and Unavailable when the statement timeout strikes.
    """
    return await run_async(connection, _plan(reader, path, options, root, limits))


def read_sync(
    connection: psycopg.Connection[Any], *, reader: Reader, path: ResourcePath, options: QueryOptions, root: str
) -> bytes:
    """The body of `read`, for the pages of the portal and for writes."""
    return run(connection, _plan(reader, path, options, root, STANDARD)).body


def area_of(connection: psycopg.Connection[Any], reader: Reader, entity: EntityType, key: int) -> object:
    """The observedArea of a datastream as the reader sees it; None where there is none."""
    path = parse_path(f"{entity.set_name}({key})")
    body = read_sync(connection, reader=reader, path=path, options=QueryOptions(select=_AREA), root="")
    return msgspec.json.decode(body).get("observedArea")


_AREA = (("observedArea",),)
