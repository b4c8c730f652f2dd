"""The polled sources that this city has switched on in city.toml."""

from collections.abc import Iterable
from importlib.metadata import version

from mainzdigital.config.settings import Settings
from mainzdigital.connect.polled.uba import UbaFeed
from mainzdigital.connect.polled.uba_plan import Plan


def feeds(settings: Settings) -> Iterable[UbaFeed]:
    chosen = settings.city.feeds.uba_air
    if not chosen.stations:
        return ()
    plan = Plan(
        stations=chosen.stations, components=chosen.components, address=chosen.address.rstrip("/"),
        minutes=chosen.minutes, days=chosen.days, agent=_agent(settings),
    )  # fmt: skip
    return (UbaFeed(settings.dsn, plan),)


def _agent(settings: Settings) -> str:
    """Who asks, with an address for complaints."""
    contact = settings.city.contact.email.encode("ascii", "ignore").decode()
    return f"mainzDIGITAL/{version('mainzdigital')} (+{contact})".replace("\n", "").replace("\r", "")
