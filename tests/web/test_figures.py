"""The figures of the start page are the data's, found by what is observed."""

from datetime import datetime, timedelta

import psycopg
import pytest
from django.utils import translation

from mainzdigital.kernel.access import ANONYMOUS
from mainzdigital.web import figures
from tests.web import city


def test_air_is_the_highest_visible_value_against_the_hourly_limit(
    db: psycopg.Connection, stations: dict[str, int], now: datetime
) -> None:
    air, _ = figures.start_figures(db, reader=ANONYMOUS, now=now)
    assert air is not None
    assert air.stream.thing_id == stations["Luftmessstation Parcusstraße"]
    assert air.value == city.value(36, 0)
    assert air.limit is not None
    assert (air.limit.value, air.limit.title) == (200, "Stundengrenzwert")
    assert air.last_week == city.value(36, 7 * 24)
    assert air.stations == 2

    hidden, _ = figures.start_figures(db, reader=city.MANAGER, now=now)
    assert hidden is not None
    assert hidden.stream.thing_name == city.HIDDEN


@pytest.mark.usefixtures("stations")
def test_old_values_are_not_now(db: psycopg.Connection, now: datetime) -> None:
    air, found = figures.start_figures(db, reader=ANONYMOUS, now=now + timedelta(hours=5))
    assert air is None
    assert found == []


@pytest.mark.usefixtures("stations")
def test_figures_sum_and_count(db: psycopg.Connection, now: datetime) -> None:
    with translation.override("en"):
        _, found = figures.start_figures(db, reader=ANONYMOUS, now=now)
    shown = {figure.title: figure for figure in found}
    assert set(shown) == {"Bicycles", "Free parking spaces", "Air temperature", "Rain", "Full containers"}
    assert shown["Free parking spaces"].value == f"{round(city.value(140, 0)):,}"
    assert shown["Free parking spaces"].note.startswith("of 300")
    assert shown["Full containers"].value == str(int(city.value(70, 0) >= figures.FULL))
    assert all(figure.trend is not None for figure in found)


def test_empty_city_has_no_figures(db: psycopg.Connection, now: datetime) -> None:
    assert figures.start_figures(db, reader=ANONYMOUS, now=now) == (None, [])
