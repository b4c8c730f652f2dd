"""The query string of `/series/v1`."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from mainzdigital.exchange.series_time import BUCKETS, SPAN
from mainzdigital.exchange.series_write import TYPES, Form, SeriesQuery
from mainzdigital.kernel.errors import InvalidInput, NotAcceptable
from mainzdigital.kernel.time import parse_instant
from mainzdigital.store.ids import EARLIEST, LATEST

DATASTREAM_LIMIT = 200
PARAMETERS = ("datastreams", "from", "to", "bucket", "format", "percentiles")
PERCENTILE_LIMIT = 20
_PERCENTILE = re.compile(r"100(?:\.0+)?|\d{1,2}(?:\.\d{1,4})?")
_DURATION = re.compile(
    r"P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?"
)


def parse(raw_query: str, *, accept: str, now: datetime, zone: ZoneInfo) -> SeriesQuery:
    """Read `datastreams=1,2&from=…&to=…&bucket=hour&format=csv`; raises InvalidInput and NotAcceptable.

    `from` and `to` are date-times, days (by the city's calendar, `to` included) or, `from`, a duration before `to`
    (P7D). Without `to` it is now; without `from` a period that suits the bucket; without `bucket` an hour.
    `percentiles=5,50,95` adds columns p5, p50, p95: between the values by linear interpolation, read from rows.
    """
    given = parameters(raw_query, PARAMETERS)
    bucket = given.get("bucket", "hour")
    if bucket not in BUCKETS:
        raise InvalidInput(f"'{bucket[:80]}' is no bucket", where="bucket", remedy=f"use one of {', '.join(BUCKETS)}")
    end = _time(given["to"], where="to", zone=zone, whole_day=True) if "to" in given else now
    start_text = given.get("from", "")
    if start_text.startswith("P"):
        start = _before(end, start_text, zone)
    elif start_text:
        start = _time(start_text, where="from", zone=zone, whole_day=False)
    else:
        start = max(end - SPAN[bucket], EARLIEST)
    if start >= end:
        raise InvalidInput("the period ends before it begins", where="from", remedy="swap 'from' and 'to'")
    return SeriesQuery(
        datastream_ids(given.get("datastreams", "")), start, end, bucket, _form(given.get("format"), accept), zone,
        _percentiles(given["percentiles"], bucket) if "percentiles" in given else (),
    )  # fmt: skip


def parameters(raw_query: str, known: tuple[str, ...]) -> Mapping[str, str]:
    """The parameters by name, each once; the singular of a plural name is taken too."""
    given: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise InvalidInput("the query cannot be read", where="query", remedy="percent-encode it as UTF-8") from None
    for raw_name, value in pairs:
        name = raw_name if raw_name in known else raw_name + "s"
        if name not in known:
            raise InvalidInput(
                f"there is no parameter '{raw_name[:80]}'", where=raw_name[:80], remedy=f"use {', '.join(known)}"
            )
        if name in given:
            raise InvalidInput(f"'{name}' is given twice", where=name)
        given[name] = value
    return given


def datastream_ids(text: str, *, where: str = "datastreams") -> tuple[int, ...]:
    """Ids separated by commas, each once, in order."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part[:12]) < 2**31 for part in parts):
        raise InvalidInput(
            f"'{text[:80]}' is no list of ids" if text else f"'{where}' is missing",
            where=where,
            remedy=f"write it like {where}=1,2,3",
        )
    ids = tuple(dict.fromkeys(int(part) for part in parts))
    if len(ids) > DATASTREAM_LIMIT:
        raise InvalidInput(f"more than {DATASTREAM_LIMIT} are asked for", where=where, remedy="ask several times")
    return ids


def _time(text: str, *, where: str, zone: ZoneInfo, whole_day: bool) -> datetime:
    text = re.sub(r" (\d\d:?\d\d)$", r"+\1", text.strip())  # an unescaped + arrives as a space
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = date.fromisoformat(text) + timedelta(days=whole_day)
            time = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        else:
            time = parse_instant(text, where=where)
    except (ValueError, OverflowError):
        raise InvalidInput(f"'{text[:80]}' is no day", where=where, remedy="write it like 2026-11-22") from None
    return min(max(time, EARLIEST), LATEST)


def _before(end: datetime, text: str, zone: ZoneInfo) -> datetime:
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise InvalidInput(f"'{text[:80]}' is no duration", where="from", remedy="write it like P7D, P1M or PT12H")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    local = end.astimezone(zone)
    month = local.year * 12 + local.month - 1 - years * 12 - months
    try:
        while True:  # the last day of a shorter month
            try:
                local = local.replace(year=month // 12, month=month % 12 + 1)
                break
            except ValueError:
                local -= timedelta(days=1)
                if not 1 <= month // 12 <= 9999:
                    return EARLIEST
        local -= timedelta(weeks=weeks, days=days)
        start = local.astimezone(UTC) - timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return EARLIEST
    return max(start, EARLIEST)


def _percentiles(text: str, bucket: str) -> tuple[float, ...]:
    if bucket == "raw":
        raise InvalidInput(
            "single values have no percentiles", where="percentiles", remedy="ask for a bucket, such as bucket=day"
        )
    parts = [part.strip() for part in text.split(",")]
    if not all(_PERCENTILE.fullmatch(part) for part in parts):
        raise InvalidInput(
            f"'{text[:80]}' is no list of percentiles", where="percentiles",
            remedy="write numbers from 0 to 100, like percentiles=5,50,95",
        )  # fmt: skip
    found = tuple(dict.fromkeys(float(part) for part in parts))
    if len(found) > PERCENTILE_LIMIT:
        raise InvalidInput(f"more than {PERCENTILE_LIMIT} are asked for", where="percentiles", remedy="ask for fewer")
    return found


def _form(given: str | None, accept: str) -> Form:
    if given is not None:
        if given not in TYPES:
            raise InvalidInput(f"'{given[:80]}' is no format", where="format", remedy=f"use one of {', '.join(TYPES)}")
        return given
    best: dict[Form, float] = dict.fromkeys(TYPES, 0.0)
    for part in (accept or "*/*").split(","):
        name, *options = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for option in options:
            if option.startswith("q="):
                quality = float(option[2:]) if re.fullmatch(r"q=[01](\.\d{0,3})?", option) else 0.0
        for form, media_type in TYPES.items():
            if name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
                best[form] = max(best[form], quality)
    chosen = max(best, key=best.__getitem__)  # the first of equals: JSON before others
    if not best[chosen]:
        raise NotAcceptable(
            f"nothing of '{accept[:80]}' is offered here", where="Accept", remedy=f"accept {', '.join(TYPES.values())}"
        )
    return chosen
