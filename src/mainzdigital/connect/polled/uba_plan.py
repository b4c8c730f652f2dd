"""Which air data of the Umweltbundesamt are read."""

from dataclasses import dataclass
from urllib.parse import urlsplit

ADDRESS = "https://luftdaten.umweltbundesamt.de/api/air-data/v4"
# Number of the component and of its kind of mean, as the mapping `uba-luft` describes them: NO₂ and O₃ hourly means,
# PM₁₀ the moving mean of a day.
COMPONENTS = {"no2": (5, 2), "pm10": (1, 6), "o3": (3, 2)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read: stations by their number, components, how often (minutes), how far back (days)."""

    stations: tuple[str, ...]
    components: tuple[str, ...] = tuple(COMPONENTS)
    address: str = ADDRESS
    minutes: int = 60
    days: int = 31
    agent: str = "mainzDIGITAL"
    pause: float = 1.0  # seconds between two questions


def require_address(address: str) -> str:
    """An http(s) address without a trailing slash; raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("`address` is a web address such as https://example.org/api")
    return address.rstrip("/")
