"""The declared mapping of a file: which columns say what. One YAML file each; the shipped ones stand in `mappings/`."""

import re
import string
from collections.abc import Mapping as Dict
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec
import yaml

from mainzdigital.connect.files.values import Bounds, parse_zone
from mainzdigital.kernel.access import AccessClass
from mainzdigital.kernel.errors import InvalidInput, NotFound

_PERIOD = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,39}$")


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Part of a mapping: unknown fields are errors, so that a typing mistake is found."""


class TableShape(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the table is written. Empty `delimiter` and `encoding` are found by looking at the file."""

    delimiter: str = ""
    encoding: Literal["", "utf-8", "utf-16", "cp1252", "latin-1"] = ""
    decimal: Literal[".", ","] = "."
    sheet: str = ""
    header_row: int = 0  # 1 is the first row; 0: the first row that has all needed columns
    missing: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        if len(self.delimiter) > 1 or self.delimiter in {'"', "\n", "\r"}:
            raise ValueError("`delimiter` is one character")
        if self.header_row < 0:
            raise ValueError("`header_row` counts from 1")


class TimeShape(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the time stands. `period` (ISO 8601, such as PT1H): the value holds for a period that `label`s it."""

    columns: tuple[str, ...]
    form: str = "iso"
    zone: str = "UTC"
    period: str = ""
    label: Literal["start", "end"] = "start"

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("`columns` is empty")
        parse_zone(self.zone)
        _ = self.length

    @property
    def length(self) -> timedelta | None:
        if not self.period:
            return None
        match = _PERIOD.match(self.period)
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
        length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if not length:
            raise ValueError("`period` is a duration such as PT15M, PT1H or P1D")
        return length


class Place(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A position that the file does not hold, with the source it comes from."""

    point: tuple[float, float]
    source: str
    approximate: bool = False


class LocationShape(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    longitude: str
    latitude: str
    bounds: Bounds | None = None


class ThingShape(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a row is about. `key`, `name` and `description` are templates over the columns, such as `{station_id}`."""

    key: str
    name: str
    description: str
    kind: str
    number_repeats: bool = False  # registers without numbers: equal keys get #2, #3 in the order of the file
    properties: Dict[str, str] = {}  # property → column
    numbers: tuple[str, ...] = ()  # properties that are numbers
    dates: tuple[str, ...] = ()  # properties that are dates
    fixed: Dict[str, object] = {}
    location: LocationShape | None = None
    places: Dict[str, Place] = {}


class Unit(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    symbol: str
    definition: str


class Observed(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    definition: str
    description: str


class Instrument(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    description: str
    metadata: str = ""


class Quantity(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of value: a `column`, or all columns whose header fits `pattern` (named groups fill the templates)."""

    name: str
    description: str
    observed: Observed
    unit: Unit
    sensor: Instrument
    column: str = ""
    pattern: str = ""
    code: str = ""  # long form: the value of `parameter` that this stands for
    key: str = ""  # template of the datastream's key below its thing; default: column or code
    status: str = ""  # template of the column of the status code, kept as resultQuality
    result: Literal["number", "count", "text"] = "number"
    low: float | None = None
    high: float | None = None
    properties: Dict[str, object] = {}

    def __post_init__(self) -> None:
        if self.pattern:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"`pattern` is not a regular expression: {error}") from None

    @property
    def observation_type(self) -> str:
        kind = {"number": "Measurement", "count": "CountObservation", "text": "Observation"}[self.result]
        return f"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_{kind}"


class LongForm(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One value per row: `parameter` names the quantity (none: the only one), `result` holds the value."""

    result: str
    parameter: str = ""


class Mapping(_Part, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole mapping. `source` is part of every key, so that a row keeps its identity from file to file."""

    name: str
    title: str
    source: str
    licence: str
    attribution: str
    thing: ThingShape
    recognise: tuple[str, ...]
    notes: str = ""
    access: AccessClass = AccessClass.INTERNAL
    on_duplicate: Literal["keep", "replace"] = "keep"
    table: TableShape = TableShape()
    time: TimeShape | None = None
    long: LongForm | None = None
    values: tuple[Quantity, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or not _NAME.match(self.source):
            raise ValueError("`name` and `source` are 1 to 40 of a–z, 0–9 and -")
        if not self.recognise:
            raise ValueError("`recognise` names the columns the file is known by")
        if self.values and self.time is None:
            raise ValueError("`time` is missing: values need a time")
        if self.long is None:
            for quantity in self.values:
                if bool(quantity.column) == bool(quantity.pattern):
                    raise ValueError(f"value '{quantity.name}' needs either `column` or `pattern`")
        elif self.long.parameter and any(not quantity.code for quantity in self.values):
            raise ValueError("in the long form with `parameter` every value needs a `code`")
        elif not self.long.parameter and len(self.values) != 1:
            raise ValueError("the long form without `parameter` has exactly one value")
        if any(quantity.pattern for quantity in self.values) and self.long:
            raise ValueError("`pattern` belongs to the wide form")
        for quantity in self.values:
            if self.columns_of(quantity.key):
                raise ValueError(f"value '{quantity.name}': `key` may use groups of `pattern` only")

    def columns_of(self, template: str) -> set[str]:
        """The columns a template refers to; names made from header patterns are not columns."""
        names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
        return {name for name in names if name not in self.groups}

    @property
    def groups(self) -> set[str]:
        found: set[str] = set()
        for quantity in self.values:
            if quantity.pattern:
                for group in re.compile(quantity.pattern).groupindex:
                    found |= {group, f"first_{group}"}
        return found

    @property
    def columns(self) -> set[str]:
        """All columns the file must have; those of `values` may be absent, as long as one is there."""
        needed = set(self.recognise)
        for template in (self.thing.key, self.thing.name, self.thing.description):
            needed |= self.columns_of(template)
        if self.time:
            needed |= set(self.time.columns)
        if self.long:
            needed |= {self.long.result} | ({self.long.parameter} if self.long.parameter else set())
        if self.thing.location:
            needed |= {self.thing.location.longitude, self.thing.location.latitude}
        return needed


def read_mapping(text: str, *, where: str) -> Mapping:
    """A mapping from YAML; raises InvalidInput that names line or field."""
    try:
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InvalidInput(f"{where}{line}: {error.problem}", where=where, remedy="correct the YAML") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInput(f"{where}: this is not YAML: {error}", where=where) from None
    try:
        return msgspec.convert(tree, Mapping)
    except (msgspec.ValidationError, RecursionError) as error:
        raise InvalidInput(
            f"{where}: {error}", where=where, remedy="compare with the mappings shown by `mainzdigital import --list`"
        ) from None


def shipped() -> dict[str, Mapping]:
    """The mappings that come with the platform, by name."""
    folder = resources.files("mainzdigital.connect.files") / "mappings"
    found = [
        read_mapping(item.read_text("utf-8"), where=item.name)
        for item in folder.iterdir()
        if item.name.endswith(".yaml")
    ]
    return {mapping.name: mapping for mapping in sorted(found, key=lambda mapping: mapping.name)}


def find_mapping(name: str) -> Mapping:
    """A shipped mapping by name, or one from a YAML file by path; raises NotFound or InvalidInput."""
    if not name.endswith((".yaml", ".yml")):
        known = shipped()
        if name in known:
            return known[name]
        raise NotFound(
            f"there is no mapping named '{name}'",
            where="--mapping",
            remedy=f"use one of {', '.join(known)} or the path of a .yaml file",
        )
    try:
        return read_mapping(Path(name).read_text("utf-8"), where=name)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the mapping {name} cannot be read: {error}", where="--mapping") from None
