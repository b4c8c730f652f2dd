"""What the portal's frame needs from above: the city, its looks, the menu, and who reads.

`web` knows neither config nor the modules: config registers itself through the setting PORTAL_SHELL, tests call
`configure` with their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from mainzdigital.kernel.access import ANONYMOUS, Reader
from mainzdigital.kernel.errors import Unavailable
from mainzdigital.kernel.modules import Link

# The pages of the shell itself; everything else in the menu comes from the modules.
OWN_LINKS: tuple[Link, ...] = (
    Link("Map", "web:map", order=10),
    Link("Measuring stations", "web:things", order=20),
)


def nobody_signed_in(_request: HttpRequest) -> Reader:
    """Until config registers the roles everybody reads what is open."""
    return ANONYMOUS


@dataclass(frozen=True, slots=True)
class Place:
    """A district: its name and the point (longitude, latitude) its label stands on."""

    name: str
    point: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Shell:
    """`bounds` is west, south, east, north in degrees (EPSG:4326); `boundary` is GeoJSON.

    `map_style` is the address of a MapLibre style that the operator named; empty: no map tile is ever asked for.
    `reader` tells what the person behind a request may see at the data core.
    """

    city: str
    platform: str
    bounds: tuple[float, float, float, float]
    zone: ZoneInfo
    state: str = ""
    origin: str = ""
    organisation: str = ""
    email: str = ""
    accent: str = "#a3172b"
    accent_dark: str = "#ff8a92"
    logo: str = ""
    districts: tuple[Place, ...] = ()
    boundary: Mapping[str, object] | None = None
    map_style: str = ""
    map_attribution: str = ""
    links: tuple[Link, ...] = ()
    reader: Callable[[HttpRequest], Reader] = field(default=nobody_signed_in)


_current: list[Shell] = []


def configure(shell: Shell) -> None:
    """Set the frame of all pages of this process; the last call counts."""
    _current[:] = [shell]


def current() -> Shell:
    """The frame; made on first use by the function that Django's setting PORTAL_SHELL names."""
    if not _current:
        maker = getattr(settings, "PORTAL_SHELL", "")
        if not maker:
            raise Unavailable("the portal is not configured", remedy="name its maker in the setting PORTAL_SHELL")
        configure(import_string(maker)())
    return _current[0]


def links(area: str) -> tuple[Link, ...]:
    """The menu of an area (main, footer, account, staff), in its order."""
    everything = (*OWN_LINKS, *current().links)
    return tuple(sorted((link for link in everything if link.area == area), key=lambda link: link.order))
