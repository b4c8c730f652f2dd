"""Axes, trends and numbers hold for any values."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.web import drawing, plotting, wording

values = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).map(lambda value: round(value, 3))


@given(st.lists(values, min_size=1, max_size=50), st.booleans())
def test_axis_holds_all_values_in_few_round_steps(numbers: list[float], from_zero: bool) -> None:
    low, high, step = plotting.scale_of(numbers, from_zero=from_zero and min(numbers) >= 0)
    assert low <= min(numbers) + 1e-6
    assert max(numbers) <= high + 1e-6
    assert 1 <= round((high - low) / step) <= 13


@given(st.lists(st.one_of(st.none(), values), max_size=60))
def test_trend_draws_what_is_known_and_leaves_gaps(numbers: list[float | None]) -> None:
    found = drawing.spark(numbers)
    known = [value for value in numbers if value is not None]
    if len(known) < 3:
        assert found is None
        return
    assert found is not None
    runs = sum(
        1 for index, value in enumerate(numbers) if value is not None and (index == 0 or numbers[index - 1] is None)
    )
    assert found.line.count("M") == runs
    assert (found.end is None) == (numbers[-1] is None)


@given(st.integers(min_value=1, max_value=4000), st.integers(min_value=0, max_value=365))
def test_marks_of_time_lie_inside_and_are_few(hours: int, day: int) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
    until = since + timedelta(hours=hours)
    marks = plotting.time_ticks(since, until)
    assert len(marks) <= 16
    assert all(since <= at <= until for at, _text in marks)


@pytest.mark.parametrize(
    ("language", "value", "shown"),
    [
        ("de", 1234.5, "1.234"), ("de", 23.44, "23,4"), ("de", 0.056, "0,06"), ("de", -3.2, "\N{MINUS SIGN}3,2"),
        ("en", 1234.5, "1,234"), ("de", 35.0, "35"), ("de", math.nan, "–"), ("de", None, "–"),
    ],
)  # fmt: skip
def test_numbers_as_people_here_write_them(language: str, value: float | None, shown: str) -> None:
    with translation.override(language):
        assert wording.number(value) == shown


def test_times_name_their_zone() -> None:
    with translation.override("de"):
        assert wording.instant_with_zone(datetime(2026, 7, 1, 10, tzinfo=UTC)) == "1. Juli 2026, 12:00 MESZ"
        assert wording.instant_with_zone(datetime(2026, 11, 22, 10, tzinfo=UTC)) == "22. November 2026, 11:00 MEZ"


def test_age_of_a_value() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    with translation.override("de"):
        ages = [
            wording.ago(now - timedelta(**{unit: count}), now)
            for unit, count in (("seconds", 5), ("minutes", 1), ("hours", 5), ("days", 9))
        ]
    assert ages == ["gerade eben", "vor 1 Minute", "vor 5 Stunden", "13. November 2026"]
