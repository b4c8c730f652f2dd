from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainzdigital.exchange.series_time import BUCKETS, Bucket, between, floor, following
from mainzdigital.store.observations import EPOCH
from mainzdigital.store.zone import HourGrid

BERLIN = ZoneInfo("Europe/Berlin")
zones = st.sampled_from(["Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata", "Pacific/Chatham"])
times = st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1)).map(lambda time: time.replace(tzinfo=UTC))  # noqa: DTZ001
nights = st.builds(
    lambda day, minutes: datetime.fromtimestamp(day.timestamp() + minutes * 60, UTC),
    st.sampled_from([datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)]),
    st.integers(0, 600),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    time=times | nights, zone=zones, bucket=st.sampled_from([one for one in BUCKETS if one not in ("raw", "quarter")])
)
def test_buckets_are_cut_as_the_database_cuts_them(
    conn: psycopg.Connection, time: datetime, zone: str, bucket: Bucket
) -> None:
    start = floor(time, bucket, ZoneInfo(zone))
    assert conn.execute("SELECT date_trunc(%s, %s, %s)", (bucket, time, zone)).fetchone() == (start,)
    after = following(start, bucket, ZoneInfo(zone))
    assert start <= time < after
    assert conn.execute("SELECT date_trunc(%s, %s, %s)", (bucket, after, zone)).fetchone() == (after,)
    if bucket == "hour":
        micros = round((time - EPOCH).total_seconds() * 1e6)
        assert HourGrid(ZoneInfo(zone)).start(micros) == round((start - EPOCH).total_seconds() * 1e6)


@pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25), ((2026, 6, 1), 24)])
def test_days_have_the_hours_they_have(day: tuple[int, int, int], hours: int) -> None:
    start = floor(datetime(*day, 12, tzinfo=UTC), "day", BERLIN)
    end = following(start, "day", BERLIN)
    assert len(list(between(start, end, "hour", BERLIN))) == hours + 1
