"""`city.toml`: the name, place, looks and modules of one city. Another city needs another file, no code."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from mainzdigital.kernel.errors import InvalidInput


class District(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A district: name and the point (longitude, latitude) its label stands on."""

    name: str
    point: tuple[float, float]


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who answers for the platform: imprint, privacy, accessibility."""

    organisation: str
    address: str
    email: str
    phone: str = ""
    data_protection_officer: str = ""
    accessibility_enforcement: str = ""
    accessibility_enforcement_address: str = ""
    accessibility_enforcement_email: str = ""


class Map(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The map: `style` names a MapLibre style (and its tile server); empty means the own plain background."""

    style: str = ""
    boundary: str = ""  # a GeoJSON file beside city.toml
    attribution: str = ""


class Colours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    accent: str = "#a3172b"
    accent_dark: str = "#ff8a92"


class City(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`bounds` is west, south, east, north in degrees (EPSG:4326)."""

    name: str
    platform: str
    bounds: tuple[float, float, float, float]
    contact: Contact
    time_zone: str = "Europe/Berlin"
    state: str = ""
    languages: tuple[str, ...] = ("de", "en")
    logo: str = ""
    colours: Colours = Colours()
    map: Map = Map()
    districts: tuple[District, ...] = ()
    modules: Mapping[str, Mapping[str, str | int | float | bool]] = {}

    def __post_init__(self) -> None:
        west, south, east, north = self.bounds
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise ValueError("bounds must be west, south, east, north in degrees")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"time_zone '{self.time_zone}' is not known") from None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


def load_city(path: Path) -> City:
    """Read and check a city.toml; raises InvalidInput that names the field."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), City)
    except FileNotFoundError:
        raise InvalidInput(f"there is no file {path}", remedy="name the city's file in MAINZDIGITAL_CITY") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}", where=str(path), remedy="correct the line and start again") from None
