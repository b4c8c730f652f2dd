"""What the portal's frame gets from here: the city of city.toml, the menu of the modules, the reader of a request."""

import json
from collections.abc import Mapping
from pathlib import Path

from mainzdigital.config import registry
from mainzdigital.config.city import City
from mainzdigital.config.settings import settings
from mainzdigital.identity.reader import request_reader
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.web.shell import Place, Shell


def shell() -> Shell:
    """The frame of this process; Django's setting PORTAL_SHELL names this function."""
    current = settings()
    city = current.city
    return Shell(
        city=city.name,
        platform=city.platform,
        bounds=city.bounds,
        zone=city.zone,
        state=city.state,
        origin=current.origin,
        organisation=city.contact.organisation,
        email=city.contact.email,
        accent=city.colours.accent,
        accent_dark=city.colours.accent_dark,
        logo=city.logo,
        districts=tuple(Place(district.name, district.point) for district in city.districts),
        boundary=boundary(city, current.city_file.parent),
        map_style=city.map.style,
        map_attribution=city.map.attribution,
        links=tuple(link for module in registry.modules() for link in module.navigation),
        reader=request_reader,
    )


def boundary(city: City, folder: Path) -> Mapping[str, object] | None:
    """The city's boundary as GeoJSON, from the file that city.toml names; raises InvalidInput."""
    if not city.map.boundary:
        return None
    file = folder / city.map.boundary
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"the boundary {file} cannot be read: {error}", where="map.boundary", remedy="name a GeoJSON file"
        ) from None
    if not isinstance(found, dict) or "type" not in found:
        raise InvalidInput(f"{file} is no GeoJSON", where="map.boundary", remedy="name a GeoJSON file")
    return found
