"""What kind of day it is in Mainz. Public holidays: LFtG Rheinland-Pfalz § 2; school holidays: the Land's list."""

from datetime import date, timedelta
from functools import lru_cache

_SCHOOL = (
    ("2024-03-25", "2024-04-02"), ("2024-05-21", "2024-05-29"), ("2024-07-15", "2024-08-23"),
    ("2024-10-14", "2024-10-25"), ("2024-12-23", "2025-01-08"), ("2025-04-14", "2025-04-25"),
    ("2025-07-07", "2025-08-15"), ("2025-10-13", "2025-10-24"), ("2025-12-22", "2026-01-07"),
    ("2026-03-30", "2026-04-10"), ("2026-06-29", "2026-08-07"), ("2026-10-05", "2026-10-16"),
    ("2026-12-23", "2027-01-08"), ("2027-03-22", "2027-04-02"), ("2027-06-28", "2027-08-06"),
    ("2027-10-04", "2027-10-15"), ("2027-12-23", "2028-01-07"), ("2028-04-10", "2028-04-21"),
    ("2028-07-03", "2028-08-11"), ("2028-10-09", "2028-10-20"), ("2028-12-21", "2029-01-08"),
)  # fmt: skip
_SCHOOL_HOLIDAYS = tuple((date.fromisoformat(first), date.fromisoformat(last)) for first, last in _SCHOOL)


@lru_cache(64)
def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    i = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * i) // 451
    month, day = divmod(h + i - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(64)
def public_holidays(year: int) -> frozenset[date]:
    """The public holidays of Rheinland-Pfalz."""
    sunday = easter(year)
    moving = (-2, 1, 39, 50, 60)  # Karfreitag, Ostermontag, Himmelfahrt, Pfingstmontag, Fronleichnam
    fixed = ((1, 1), (5, 1), (10, 3), (11, 1), (12, 25), (12, 26))
    return frozenset(
        [sunday + timedelta(days=days) for days in moving] + [date(year, month, day) for month, day in fixed]
    )


def is_school_holiday(day: date) -> bool:
    return any(first <= day <= last for first, last in _SCHOOL_HOLIDAYS)


def is_carnival(day: date) -> bool:
    """Rosenmontag and the Sunday before it: the old town is closed to traffic."""
    return (easter(day.year) - day).days in (48, 49)


def workday(day: date) -> float:
    """1 for a working day, 0.55 for a Saturday, 0.25 for Sundays and public holidays, a bit less in school holidays."""
    if day.weekday() == 6 or day in public_holidays(day.year):
        return 0.25
    if day.weekday() == 5:
        return 0.55
    if is_carnival(day) or (day.month == 12 and day.day in (24, 31)):
        return 0.4
    return 0.82 if is_school_holiday(day) else 1.0
