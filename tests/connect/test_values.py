"""Numbers, times and places as people write them."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.connect.files import problems
from mainzdigital.connect.files.problems import Refused
from mainzdigital.connect.files.values import Clock, LocalTime, parse_number, parse_place, parse_zone

BERLIN = ZoneInfo("Europe/Berlin")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_survives_with_either_decimal_mark(value: float) -> None:
    text = repr(value)
    assert parse_number(text) == value
    assert parse_number(text.replace(".", ","), decimal=",") == value


@given(st.text(max_size=30))
def test_any_text_is_a_finite_number_or_refused(text: str) -> None:
    for decimal in (".", ","):
        try:
            value = parse_number(text, decimal=decimal)
        except Refused:
            continue
        assert abs(value) < float("inf")


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.234,5", ",", 1234.5),
        ("1 234,5", ",", 1234.5),
        ("12.345.678", ",", 12345678),
        ("1,234.5", ".", 1234.5),
        ("−3,5", ",", -3.5),
        (" 7 ", ",", 7),
        (".5", ".", 0.5),
    ],
)
def test_german_and_english_grouping(text: str, decimal: str, value: float) -> None:
    assert parse_number(text, decimal=decimal) == value


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("1.5", ","), ("1,5", "."), ("1_000", "."), ("٣", "."), ("0x10", "."), ("", "."), ("1,2,3", ","), ("1e999", ".")],
)
def test_what_may_mean_something_else_is_refused(text: str, decimal: str) -> None:
    with pytest.raises(Refused):
        parse_number(text, decimal=decimal)


def test_a_boolean_cell_is_no_number() -> None:
    with pytest.raises(Refused) as refused:
        parse_number(True, column="no2")
    assert refused.value.problem.column == "no2"


def clock(form: str = "iso", zone: str = "Europe/Berlin") -> Clock:
    return Clock(form=form, zone=parse_zone(zone), column="time")


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2037, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_local_times_come_back_as_the_instant_or_one_of_two(instant: datetime) -> None:
    instant = instant.replace(microsecond=0)
    local = instant.astimezone(BERLIN)
    reader = clock()
    answer = reader.resolve(local.replace(tzinfo=None).isoformat(sep=" "))
    if isinstance(answer, LocalTime):
        assert reader.settle(answer, second=bool(local.fold)) == instant
        first, second = reader.settle(answer, second=False), reader.settle(answer, second=True)
        assert second - first == timedelta(hours=1)
    else:
        assert answer == instant


def test_the_hour_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        clock().resolve("2025-03-30 02:15")
    assert refused.value.problem.message == problems.NO_SUCH_HOUR


def test_a_fixed_zone_knows_no_summer_time() -> None:
    assert clock(zone="+01:00").resolve("2024-07-01 12:00:00") == datetime(2024, 7, 1, 11, tzinfo=UTC)
    assert clock(zone="-03:30").resolve("2024-07-01 12:00:00") == datetime(2024, 7, 1, 15, 30, tzinfo=UTC)


def test_an_offset_in_the_cell_wins_over_the_zone() -> None:
    assert clock().resolve("2024-07-01T12:00:00Z") == datetime(2024, 7, 1, 12, tzinfo=UTC)
    cell = datetime(2024, 7, 1, 12, tzinfo=timezone(timedelta(hours=5)))
    assert clock().resolve(cell) == datetime(2024, 7, 1, 7, tzinfo=UTC)


def test_german_form() -> None:
    assert clock("%d.%m.%Y %H:%M").resolve("01.07.2024 12:00") == datetime(2024, 7, 1, 10, tzinfo=UTC)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for form in ("iso", "%d.%m.%Y %H:%M"):
        try:
            answer = clock(form).resolve(text)
        except Refused:
            continue
        assert isinstance(answer, LocalTime) or answer.tzinfo is not None


@pytest.mark.parametrize("text", ["0001-01-01 00:00", "9999-12-31 23:59"])
def test_the_ends_of_time_do_not_break(text: str) -> None:
    try:
        answer = clock(zone="Europe/Berlin").resolve(text)
    except Refused:
        return
    assert isinstance(answer, datetime)


BOUNDS = (5.8, 47.2, 15.1, 55.1)


@pytest.mark.parametrize(
    ("longitude", "latitude", "message"),
    [
        ("50.0", "8.27", problems.SWAPPED),
        ("15.592092", "50.681519", problems.ELSEWHERE),
        ("827", "5000", problems.NOT_A_PLACE),
        ("8,27", "50,0", problems.NOT_A_PLACE),
        ("", "", problems.NOT_A_PLACE),
    ],
)
def test_wrong_places_say_what_is_wrong(longitude: str, latitude: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_place(longitude, latitude, bounds=BOUNDS, columns=("x", "y"))
    assert refused.value.problem.message == message
    assert refused.value.problem.column == "x / y"


def test_a_right_place() -> None:
    assert parse_place(8.27, "50.0", bounds=BOUNDS, columns=("x", "y")) == (8.27, 50.0)
