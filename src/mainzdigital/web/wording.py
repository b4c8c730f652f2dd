"""Numbers, days and times as people read them here: 1.234,5; 22. November 2026; 14:05; the zone named."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import isfinite

from babel.dates import format_date, format_datetime, format_time
from django.utils.translation import get_language, gettext, ngettext

from mainzdigital.web import shell

MINUS = "\N{MINUS SIGN}"
_GERMAN = str.maketrans(",.", ".,")
THIN = "\N{NARROW NO-BREAK SPACE}"


def language() -> str:
    """`de` or `en`: what Babel and the pages format for."""
    return (get_language() or "de")[:2]


def number(value: float | int | None, digits: int | None = None) -> str:
    """A number with `digits` decimals, or as many as its size deserves: 0,05; 9,9; 104."""
    if value is None or not isfinite(value):
        return "–"
    if digits is None:
        digits = digits_for([value])
    # By hand, since a table has thousands of them and Babel takes twenty times as long.
    text = f"{value:,.{digits}f}".replace("-", MINUS)
    return text.translate(_GERMAN) if language() == "de" else text


def digits_for(values: Sequence[float]) -> int:
    """Decimals with which all these values are written alike."""
    if all(float(value).is_integer() for value in values):
        return 0
    most = max(abs(value) for value in values)
    return 2 if most < 1 else 1 if most < 100 else 0


def local(value: datetime) -> datetime:
    return value.astimezone(shell.current().zone)


def day(value: date) -> str:
    return str(format_date(local(value).date() if isinstance(value, datetime) else value, "long", locale=language()))


def clock(value: datetime) -> str:
    return str(format_time(local(value), "HH:mm", locale=language()))


def instant(value: datetime) -> str:
    """`22. November 2026, 14:05`; today only the time."""
    return f"{day(value)}, {clock(value)}"


def instant_with_zone(value: datetime) -> str:
    return f"{instant(value)} {zone_name(value)}"


def zone_name(value: datetime) -> str:
    """`MEZ`, `MESZ`, `CET`: the zone as this language abbreviates it."""
    return str(format_datetime(local(value), "z", tzinfo=shell.current().zone, locale=language()))


def ago(value: datetime, now: datetime | None = None) -> str:
    """How old a value is: `just now`, `12 minutes ago`; from two days on the day itself."""
    age = (now or datetime.now(UTC)) - value
    minutes = int(age.total_seconds() // 60)
    if minutes < 1:
        return gettext("just now")
    if minutes < 60:
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", minutes) % {"count": minutes}
    if age < timedelta(hours=48):
        hours = minutes // 60
        return ngettext("%(count)d hour ago", "%(count)d hours ago", hours) % {"count": hours}
    return day(value)


def percent(share: float) -> str:
    return f"{number(share * 100, 0)}{THIN}%"


def shown(value: object) -> str:
    """A measured value of any type."""
    match value:
        case None:
            return "–"
        case bool():
            return gettext("yes") if value else gettext("no")
        case int() | float():
            return number(value)
        case _:
            return str(value)


def state_title(state: str) -> str:
    """How a thing reports: within three hours, within two days, longer ago, never."""
    match state:
        case "current":
            return gettext("Up to date")
        case "late":
            return gettext("Late")
        case "silent":
            return gettext("Silent")
        case _:
            return gettext("No values")
