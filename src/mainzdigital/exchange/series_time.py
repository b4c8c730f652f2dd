"""Buckets of time in the city's time zone, as PostgreSQL's date_trunc cuts them."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Bucket = Literal["raw", "minute", "quarter", "hour", "day", "week", "month", "year"]
BUCKETS: tuple[Bucket, ...] = get_args(Bucket)
# The width of a bucket, at least; how far back an answer goes whose caller names no start.
WIDTH: dict[Bucket, timedelta] = {
    "minute": timedelta(minutes=1), "quarter": timedelta(minutes=15), "hour": timedelta(hours=1),
    "day": timedelta(hours=23), "week": timedelta(days=6.9), "month": timedelta(days=27.9), "year": timedelta(days=364),
}  # fmt: skip
SPAN: dict[Bucket, timedelta] = {
    "raw": timedelta(days=1), "minute": timedelta(days=1), "quarter": timedelta(days=7), "hour": timedelta(days=31),
    "day": timedelta(days=366), "week": timedelta(days=5 * 366), "month": timedelta(days=10 * 366),
    "year": timedelta(days=100 * 366),
}  # fmt: skip
# Of the buckets that are as long on every day.
STEP: Mapping[str, timedelta] = {
    "minute": timedelta(minutes=1),
    "quarter": timedelta(minutes=15),
    "hour": timedelta(hours=1),
}


def _floor_clock(time: datetime, step: timedelta, zone: ZoneInfo) -> datetime:
    local = time.astimezone(zone)
    hours = step if step < timedelta(hours=1) else timedelta(hours=1)
    past = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond) % hours
    return time.astimezone(UTC) - past


def floor(time: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Start (UTC) of the bucket that `time` lies in; of `raw` the time itself."""
    if bucket == "raw":
        return time.astimezone(UTC)
    if bucket in STEP:
        return _floor_clock(time, STEP[bucket], zone)
    local = time.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if bucket == "week":
        local -= timedelta(days=local.weekday())
    elif bucket == "month":
        local = local.replace(day=1)
    elif bucket == "year":
        local = local.replace(day=1, month=1)
    return local.replace(tzinfo=zone).astimezone(UTC)


def following(start: datetime, bucket: Bucket, zone: ZoneInfo) -> datetime:
    """Start (UTC) of the bucket after the one that starts at `start`."""
    if bucket in STEP:
        return start + STEP[bucket]
    local = start.astimezone(zone).replace(tzinfo=None)
    if bucket == "day":
        local += timedelta(days=1)
    elif bucket == "week":
        local += timedelta(days=7)
    elif bucket == "month":
        local = local.replace(year=local.year + local.month // 12, month=local.month % 12 + 1)
    else:
        local = local.replace(year=local.year + 1)
    return local.replace(hour=0, tzinfo=zone).astimezone(UTC)


def between(first: datetime, last: datetime, bucket: Bucket, zone: ZoneInfo) -> Iterator[datetime]:
    """Starts of all buckets from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = following(first, bucket, zone)
