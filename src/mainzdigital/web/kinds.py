"""Kinds of things: what a thing's `properties.kind` is called, and its sign on the map (shape and colour)."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Shapes on a 16 × 16 grid; each kind has its own, so that colour never stands alone.
_CIRCLE = "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2z"
_SQUARE = "M2.5 2.5h11v11h-11z"
_TRIANGLE = "M8 1.5L15 14H1z"
_DIAMOND = "M8 1l7 7-7 7-7-7z"
_PENTAGON = "M8 1l7 5.2L12.3 14.5H3.7L1 6.2z"
_HEXAGON = "M4.5 2h7L15 8l-3.5 6h-7L1 8z"
_DROP = "M8 1c3 4 4.8 6.3 4.8 8.8a4.8 4.8 0 0 1-9.6 0C3.2 7.3 5 5 8 1z"
_BARS = "M2 9h3v5H2zM6.5 5.5h3V14h-3zM11 2h3v12h-3z"
_CROSS = "M5.5 1.5h5v4h4v5h-4v4h-5v-4h-4v-5h4z"
_RING = "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM8 5a3 3 0 1 1 0 6a3 3 0 0 1 0-6z"


@dataclass(frozen=True, slots=True)
class Kind:
    """`key` as in the data; `words` are further search words in German and English."""

    key: str
    title: str | Promise
    colour: int
    shape: str
    words: str = ""


KINDS: dict[str, Kind] = {
    item.key: item
    for item in (
        Kind("airquality", _("Air quality"), 1, _CIRCLE, "luft luftqualität luftgüte air quality schadstoffe"),
        Kind("bicyclecounter", _("Bicycle counter"), 2, _TRIANGLE, "rad fahrrad radverkehr zählstelle bicycle bike"),
        Kind("parking", _("Car park"), 3, _SQUARE, "parken parkhaus parkplatz parking garage"),
        Kind("weather", _("Weather"), 6, _PENTAGON, "wetter temperatur regen niederschlag weather rain"),
        Kind("usedclothescontainer", _("Used-clothes container"), 4, _DIAMOND, "altkleider kleidung container clothes"),
        Kind("watergauge", _("Water level"), 1, _DROP, "wasser pegel wasserstand rhein water level gauge"),
        Kind("soil", _("Soil moisture"), 3, _BARS, "boden bodenfeuchte baum bäume soil moisture tree"),
        Kind("noise", _("Sound level"), 4, _HEXAGON, "lärm schall lautstärke noise sound"),
        Kind("chargingstation", _("Charging station"), 5, _CROSS, "laden ladesäule strom elektro charging"),
    )
}


def kind(key: str) -> Kind:
    """The kind of this key; one nobody described is shown under its own name."""
    return KINDS.get(key) or Kind(key, key or _("Other"), 0, _RING)


def keys_matching(term: str) -> list[str]:
    """Kinds whose name or words begin with the search term, in German and English."""
    return [item.key for item in KINDS.values() if any(word.startswith(term) for word in item.words.split())]
