"""Material of the style page: one example of everything, invented and plainly so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sin

from django.utils.translation import gettext as _

from mainzdigital.web import drawing, icons, kinds
from mainzdigital.web.figures import Figure


def everything() -> dict[str, object]:
    """The context of `/gestaltung/`."""
    wave = [20 + 9 * sin(index / 3.2) + (index * 7 % 5) for index in range(24)]
    gappy: list[float | None] = [None if 9 < index < 14 else value for index, value in enumerate(wave)]
    now = datetime.now(UTC)

    example = Figure(
        "", "", "", "", now - timedelta(minutes=12), drawing.spark(list(wave)), "#figures", simulated=False
    )
    return {
        "crumbs": [(_("Design"), "")],
        "figures": [
            replace(
                example, title=_("Example with a trend"), value="23,4", unit="°C", note=_("in 24 hours from 12 to 29")
            ),
            replace(
                example, title=_("Example with a gap"), value="1.234", note=_("simulated, so marked"),
                trend=drawing.spark(gappy), simulated=True,
            ),
            replace(
                example, title=_("Example without a value"), value="–", note=_("no value in the last three hours"),
                trend=None, time=None,
            ),
        ],
        "kinds": [*kinds.KINDS.values(), kinds.kind("")],
        "icons": sorted(icons.ICONS),
        "scale": drawing.scale(31, 200, 44),
        "swatches": [
            "accent", "ink", "ink-2", "line", "paper-2", "good", "warn", "bad", "info",
            "series-1", "series-2", "series-3", "series-4", "series-5", "series-6",
        ],
        "states": ["current", "late", "silent", "none"],
        "rows": [("Zitadelle", 18.0), ("Mombach", 22.5), ("Parcusstraße", 34.1)],
    }  # fmt: skip
