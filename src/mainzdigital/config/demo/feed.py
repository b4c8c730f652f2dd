"""The simulator as a feed of `mainzdigital ingest`, where `mainzdigital demo` has made the home a demo city."""

from collections.abc import Iterable
from pathlib import Path

from mainzdigital.config.settings import Settings
from mainzdigital.connect.simulator.feed import SimulatorFeed
from mainzdigital.connect.simulator.plan import load_plan

FOLDER = Path(__file__).parent
MARK = "demo.json"


def feeds(settings: Settings) -> Iterable[SimulatorFeed]:
    if not (settings.home / MARK).exists():
        return ()
    return (SimulatorFeed(settings.dsn, load_plan(FOLDER)),)
