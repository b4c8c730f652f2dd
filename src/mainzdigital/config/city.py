"""`city.toml`: the name, place, looks and modules of one city. Another city needs another file, no code."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from mainzdigital.connect.polled.uba_plan import ADDRESS, COMPONENTS, require_address
from mainzdigital.kernel.errors import InvalidInput

# What each field of city.toml means; docs/reference/city.md is made of it, and a test misses none.
FIELDS: dict[str, str] = {
    "name": "the city's name",
    "platform": "the name under which the platform appears",
    "bounds": "the map's first view: west, south, east, north in degrees (EPSG:4326)",
    "time_zone": "days and hours of charts and opening times, as in the IANA list; default `Europe/Berlin`",
    "state": "the state whose law applies, for the accessibility statement",
    "languages": "languages of the portal, of `de` and `en`; German comes first",
    "logo": "an SVG or PNG file beside city.toml",
    "colours.accent": "accent colour on a light background, contrast 4.5:1 or better to white",
    "colours.accent_dark": "accent colour on a dark background",
    "map.style": "address of a MapLibre style; empty: a plain background of our own, no third party is asked",
    "map.boundary": "a GeoJSON file beside city.toml with the city's boundary",
    "map.attribution": "who is to be named for boundary and style",
    "districts": "the districts, each with:",
    "districts.name": "its name",
    "districts.point": "longitude and latitude of its label",
    "contact.organisation": "who answers for the platform (imprint)",
    "contact.address": "postal address",
    "contact.email": "e-mail address; sender of mails too",
    "contact.phone": "telephone",
    "contact.data_protection_officer": "e-mail address of the data protection officer",
    "contact.accessibility_enforcement": "the enforcement body of the accessibility statement",
    "contact.accessibility_enforcement_address": "its postal address",
    "contact.accessibility_enforcement_email": "its e-mail address",
    "feeds.uba_air.stations": "numbers of stations of the Umweltbundesamt to read air quality of; none: it is off",
    "feeds.uba_air.components": "what is read, of `no2`, `pm10` and `o3`; default all",
    "feeds.uba_air.address": "address of the air data API, version 4",
    "feeds.uba_air.minutes": "minutes between two rounds, 15 to 1440; default 60",
    "feeds.uba_air.days": "days that one round a day reads back, for revised values, 1 to 92; default 31",
    "modules": "settings of city modules, `[modules.<slug>]`, as each module's README lists them",
}


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


class UbaAir(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Air quality of the Umweltbundesamt. Off where no station is named."""

    stations: tuple[str, ...] = ()
    components: tuple[str, ...] = tuple(COMPONENTS)
    address: str = ADDRESS
    minutes: int = 60
    days: int = 31

    def __post_init__(self) -> None:
        if wrong := [one for one in self.stations if not (one.isascii() and one.isdigit() and len(one) < 10)]:
            raise ValueError(f"the station '{wrong[0][:40]}' is no number, such as \"1444\"")
        if len(set(self.stations)) != len(self.stations):
            raise ValueError("a station stands twice")
        if not self.components or not set(self.components) <= set(COMPONENTS):
            raise ValueError(f"`components` are of {', '.join(COMPONENTS)}")
        if not 15 <= self.minutes <= 1440:
            raise ValueError("`minutes` is 15 to 1440")
        if not 1 <= self.days <= 92:
            raise ValueError("`days` is 1 to 92")
        require_address(self.address)


class Feeds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sources that are asked again and again; all off unless switched on."""

    uba_air: UbaAir = UbaAir()


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
    feeds: Feeds = Feeds()
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
