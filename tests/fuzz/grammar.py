"""Query options as a grammar: valid, almost valid, and absurd, for every entity type."""

from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from mainzdigital.kernel.entities import EntityType, ValueType
from mainzdigital.query.types import FUNCTIONS, Kind
from mainzdigital.store.model import ENTITY_TYPES

Text = st.SearchStrategy[str]
KINDS: dict[ValueType, Kind] = {
    ValueType.INTEGER: Kind.NUMBER, ValueType.TEXT: Kind.TEXT, ValueType.INSTANT: Kind.TIME, ValueType.TIME: Kind.TIME,
    ValueType.JSON: Kind.JSON, ValueType.GEOMETRY: Kind.GEOMETRY, ValueType.RESULT: Kind.JSON,
}  # fmt: skip
entities = st.sampled_from(list(ENTITY_TYPES.values()))

odd = st.sampled_from(
    ["ß", "İ", "ﬀ", "e\u0301", "\u200b", "\u202e", "\ufeff", "😀", "\U0010ffff", "\uffff", "\x7f", "\x1b", "'", "''",
     "\\", "%", "_", "%%", "\\%", "\t", "\r\n", "$", "{}", ";", ")", "a" * 3000]
)  # fmt: skip
_texts = (st.text(max_size=12) | odd).filter(lambda text: "\x00" not in text)
_strings = _texts.map(lambda text: "'" + text.replace("'", "''") + "'")
_numbers = st.one_of(
    st.integers().map(str), st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "-0", "9" * 18, "9" * 400, "1e308", "1e309", "-1e400", "1e-400", "2147483648",
                     "9223372036854775808", "0.1", "1e150", "4.9e-324"]),
)  # fmt: skip
_times = st.one_of(
    st.datetimes().map(lambda at: at.isoformat(timespec="seconds") + "Z"),
    st.sampled_from(
        ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "0000-01-01T00:00:00Z",
         "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "2026-06-30T23:59:60Z", "123456-01-01T00:00:00Z", "now()",
         "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z/P1D", "P1D/2026-01-01T00:00:00Z",
         "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "mindatetime()", "maxdatetime()",
         "2026-01-01T00:00:00.1234567891Z"]
    ),
)  # fmt: skip
_durations = st.sampled_from(
    ["duration'P1D'", "duration'PT0S'", "duration'-P9999D'", "duration'P366001D'", "duration'P1Y'",
     "duration'PT9999999999S'", "duration'P'"]
)  # fmt: skip
_geometries = st.sampled_from(
    ["geography'POINT(8 50)'", "geography'POLYGON((8 49,9 49,9 51,8 51,8 49))'", "geography'POINT EMPTY'",
     "geography'POINT(1e400 NaN)'", "geography'POLYGON((0 0,1 1,0 1,1 0,0 0))'", "geometry'LINESTRING(8 50)'",
     "geography'SRID=4326;POINT(8 50)'", "geography''", "geography'" + "GEOMETRYCOLLECTION(" * 200 + ")" * 200 + "'",
     "geography'MULTIPOLYGON(((180 90,-180 90,-180 -90,180 -90,180 90)))'"]
)  # fmt: skip
LITERALS: dict[Kind, Text] = {
    Kind.TEXT: _strings, Kind.NUMBER: _numbers, Kind.TIME: _times, Kind.DURATION: _durations,
    Kind.BOOLEAN: st.sampled_from(["true", "false"]), Kind.GEOMETRY: _geometries, Kind.NULL: st.just("null"),
    Kind.DATE: st.sampled_from(["2026-11-22", "0001-01-01", "2026-13-01"]),
    Kind.CLOCK: st.sampled_from(["10:00:00", "24:00:00", "23:59:59.999999999"]), Kind.JSON: _numbers | _strings,
}  # fmt: skip


@st.composite
def properties(draw: st.DrawFn, entity: EntityType, kind: Kind | None = None, *, depth: int = 2) -> str:
    """A path to a property, of a kind where one is near."""
    steps: list[str] = []
    while depth and draw(st.integers(0, 3)) == 0:
        navigation = draw(st.sampled_from(list(entity.navigations.values())))
        steps.append(navigation.name)
        entity, depth = entity.target(navigation), depth - 1
    there = list(entity.properties.values())
    suiting = [item for item in there if kind is None or KINDS[item.type] in (kind, Kind.JSON)] or there
    chosen = draw(st.sampled_from(suiting))
    steps.append("@iot.id" if chosen.name == "id" else chosen.name)
    if KINDS[chosen.type] == Kind.JSON and draw(st.booleans()):
        steps += draw(
            st.lists(st.sampled_from(["owner", "a", "0", "x.y", "Ä", "@iot.id", "type"]), min_size=1, max_size=3)
        )
    return "/".join(steps)


@st.composite
def values(draw: st.DrawFn, entity: EntityType, kind: Kind, depth: int) -> str:
    """An expression of a kind."""
    if kind == Kind.BOOLEAN:
        return draw(booleans(entity, depth - 1)) if depth > 0 else draw(LITERALS[kind])
    calls = [name for name, function in FUNCTIONS.items() if function.yields == kind]
    match draw(st.integers(0, 5 if depth > 0 else 2)):
        case 0 | 1:
            return draw(properties(entity, kind))
        case 3 if calls:
            return draw(call(entity, draw(st.sampled_from(calls)), depth - 1))
        case 4 if kind in (Kind.NUMBER, Kind.TIME, Kind.DURATION):
            operator = draw(st.sampled_from(["add", "sub", "mul", "div", "mod"]))
            right = draw(values(entity, draw(st.sampled_from([kind, Kind.DURATION])), depth - 1))
            return f"({draw(values(entity, kind, depth - 1))} {operator} {right})"
        case 5 if kind == Kind.NUMBER:
            return f"-{draw(values(entity, kind, depth - 1))}"
        case _:
            return draw(LITERALS[kind])


@st.composite
def call(draw: st.DrawFn, entity: EntityType, name: str, depth: int) -> str:
    return f"{name}({','.join(draw(values(entity, kind, depth)) for kind in FUNCTIONS[name].takes)})"


@st.composite
def booleans(draw: st.DrawFn, entity: EntityType, depth: int = 4) -> str:
    """A valid filter, or nearly."""
    kinds = st.sampled_from([Kind.TEXT, Kind.NUMBER, Kind.TIME, Kind.JSON, Kind.DURATION, Kind.NULL])
    inner = booleans(entity, depth - 1)
    match draw(st.integers(0, 6 if depth > 0 else 1)):
        case 2:
            return f"not ({draw(inner)})"
        case 3:
            joined = draw(st.sampled_from([" and ", " or "])).join(draw(st.lists(inner, min_size=2, max_size=4)))
            return f"({joined})"
        case 4:
            calls = [name for name, function in FUNCTIONS.items() if function.yields == Kind.BOOLEAN]
            return draw(call(entity, draw(st.sampled_from(calls)), depth - 1))
        case 5:
            kind = draw(kinds)
            items = draw(st.lists(LITERALS[kind], min_size=1, max_size=5))
            return f"{draw(properties(entity, kind))} in ({','.join(items)})"
        case _:
            kind = draw(kinds)
            operator = draw(st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]))
            return f"{draw(values(entity, kind, depth - 1))} {operator} {draw(values(entity, kind, depth - 1))}"


def selections(entity: EntityType) -> Text:
    names = [*entity.properties, *entity.navigations, "@iot.id", "@iot.selfLink", "*"]
    return st.lists(st.sampled_from(names) | properties(entity, depth=0), min_size=1, max_size=6).map(",".join)


def orderings(entity: EntityType) -> Text:
    kinds = st.sampled_from([Kind.TEXT, Kind.NUMBER, Kind.TIME, Kind.JSON])
    item = st.builds(
        "{} {}".format, kinds.flatmap(lambda kind: values(entity, kind, 2)), st.sampled_from(["asc", "desc", ""])
    )
    return st.lists(item, min_size=1, max_size=4).map(",".join)


@st.composite
def expansions(draw: st.DrawFn, entity: EntityType, depth: int = 3) -> str:
    items = []
    for navigation in draw(st.lists(st.sampled_from(list(entity.navigations.values())), min_size=1, max_size=3)):
        pairs = draw(options(entity.target(navigation), depth=depth - 1)) if depth > 0 else []
        inner = ";".join(f"{name}={value}" for name, value in pairs)
        items.append(f"{navigation.name}({inner})" if inner else navigation.name)
    return ",".join(items)


@st.composite
def options(draw: st.DrawFn, entity: EntityType, *, depth: int = 3) -> list[tuple[str, str]]:
    """Options that belong together, each once."""
    absurd = ["10000", "99999999999999999999", "007", "٣", "1e3"]
    amounts = st.integers(0, 9).flatmap(lambda n: st.just(str(n)) if n else st.sampled_from(absurd))
    known: dict[str, Text] = {
        "$filter": booleans(entity), "$orderby": orderings(entity), "$select": selections(entity), "$top": amounts,
        "$skip": amounts, "$count": st.sampled_from(["true"] * 8 + ["false", "TRUE"]),
        "$skiptoken": st.text("abcXYZ019-_=", min_size=1, max_size=24),
    }  # fmt: skip
    if depth > 0:
        known["$expand"] = expansions(entity, depth)
    names = draw(st.lists(st.sampled_from(list(known)), min_size=1, max_size=3, unique=True))
    return [(name, draw(known[name])) for name in names]


@st.composite
def almost(draw: st.DrawFn, source: st.SearchStrategy[str]) -> str:
    """A text with one thing wrong."""
    text = draw(source)
    begin = draw(st.integers(0, len(text)))
    end = min(len(text), begin + draw(st.integers(0, 6)))
    put = draw(
        st.sampled_from(["", "(", ")", "'", ",", " ", "/", "$", "eq", "null", "-", "@", "\u202e"]) | st.text(max_size=3)
    )
    return text[:begin] + put.replace("\x00", "") + text[end:]


def deep(entity: EntityType) -> Text:
    """What nests, repeats or swells beyond every limit."""
    first = next(iter(entity.navigations.values()))
    back = next((name for name, item in entity.target(first).navigations.items() if item.target == entity.name), "x")
    many = st.integers(40, 900)
    return st.one_of(
        many.map(lambda n: "$filter=" + "(" * n + "true" + ")" * n),
        many.map(lambda n: "$filter=" + "not (" * n + "id eq 1" + ")" * n),
        many.map(lambda n: "$filter=" + " and ".join(["id ne 0"] * n)),
        many.map(lambda n: "$filter=" + "tolower(" * n + "'x'" + ")" * n + " eq 'x'"),
        many.map(lambda n: f"$filter=id in ({','.join(map(str, range(n)))})"),
        many.map(lambda n: "$filter=" + "-" * n + "1 eq 1"),
        many.map(lambda n: "$filter=" + "1 add " * n + "1 eq 1"),
        many.map(lambda n: "$filter=" + "/".join([first.name, back] * (n // 2)) + "/id eq 1"),
        many.map(lambda n: "$orderby=" + ",".join(["id"] * n)),
        many.map(lambda n: "$select=" + "/".join(["properties"] * n)),
        many.map(lambda n: "$expand=" + "/".join([first.name, back] * (n // 2))),
        many.map(
            lambda n: "$expand=" + f"{first.name}($expand={back}($expand=" * (n // 30) + first.name + "))" * (n // 30)
        ),
        many.map(lambda n: "$expand=" + ",".join([first.name] * n)),
        many.map(lambda n: "&".join(["$top=1"] * n)),
    )


@st.composite
def encoded(draw: st.DrawFn, text: str) -> bytes:
    """A text as it may come in a URL: encoded as it should be, too much, too little, or wrongly."""
    match draw(st.integers(0, 7)):
        case 0:
            return quote(text, safe="$&=(),;'/ ").replace(" ", "+").encode()
        case 1:
            return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "replace")).encode()
        case 2:
            return quote(quote(text)).encode()
        case 3:
            wrong = draw(
                st.sampled_from([b"%00", b"%C0%80", b"%ED%A0%80", b"%FF", b"%zz", b"%", b"%F4%90%80%80", b"%E2%82"])
            )
            raw = quote(text, safe="$&=(),;'").encode()
            place = draw(st.integers(0, len(raw)))
            return raw[:place] + wrong + raw[place:]
        case _:
            return quote(text, safe="$&=").encode()


def query(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


Json = Any
