import asyncio
import csv
import io
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from mainzdigital.exchange import series, series_query, series_write
from mainzdigital.exchange.series_time import BUCKETS, Bucket, floor
from mainzdigital.exchange.series_write import SeriesQuery
from mainzdigital.ingest.batch import Batch, NewObservation
from mainzdigital.ingest.write import write
from mainzdigital.kernel.access import ANONYMOUS, Reader, Scope, reader_for
from mainzdigital.kernel.errors import CityError, InvalidInput, NotFound
from mainzdigital.kernel.time import Interval
from mainzdigital.serve.series import answer, series_app
from tests.store.datastreams import make_datastreams, make_feature

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MANAGER = reader_for("key:1", Scope.MANAGE)


def parse(text: str, accept: str = "") -> SeriesQuery:
    return series_query.parse(text, accept=accept, now=NOW, zone=BERLIN)


def values(connection: psycopg.Connection, text: str, reader: Reader = ANONYMOUS) -> list[list[tuple[Any, ...]]]:
    return [one.points for one in series.read_sync(connection, reader=reader, query=parse(text))]


def expected(rows: list[tuple[datetime, float]], bucket: Bucket) -> dict[datetime, tuple[Any, ...]]:
    groups: dict[datetime, list[tuple[datetime, float]]] = {}
    for time, value in sorted(rows):
        groups.setdefault(floor(time, bucket, BERLIN), []).append((time, value))
    result = {}
    for start, group in groups.items():
        numbers = [value for _, value in group]
        total = sum(numbers)
        result[start] = (
            start, len(group), min(numbers), total / len(group), max(numbers), total, group[-1][1],
        )  # fmt: skip
    return result


@pytest.mark.parametrize("bucket", [one for one in BUCKETS if one != "raw"])
@pytest.mark.parametrize("night", [datetime(2026, 3, 28, 20, tzinfo=UTC), datetime(2026, 10, 24, 20, tzinfo=UTC)])
def test_buckets_hold_what_the_rows_say(conn: psycopg.Connection, bucket: Bucket, night: datetime) -> None:
    (one,) = make_datastreams(conn, 1)
    chance = random.Random(bucket)
    seconds = sorted(chance.sample(range(40 * 3600), 500))
    rows = [(night + timedelta(seconds=second), float(chance.randrange(100))) for second in seconds]
    write(conn, Batch([NewObservation(one, time, value) for time, value in rows]))
    # A dense hour whose rollup is stale, so that rows must answer.
    dense = [(night + timedelta(hours=5, seconds=second / 7), 7.0) for second in range(1000)]
    write(conn, Batch([NewObservation(one, time, value) for time, value in dense]))
    write(conn, Batch([NewObservation(one, night + timedelta(hours=5, minutes=59), 1000.0)]))
    write(conn, Batch([NewObservation(one, night, "no number")]))
    rows += [*dense, (night + timedelta(hours=5, minutes=59), 1000.0)]
    assert conn.execute("SELECT count(*) FROM rollup_stale").fetchone() == (1,)
    (points,) = values(conn, f"datastreams={one}&from=2026-01-01&to=2026-12-31&bucket={bucket}")
    present = {point[0]: point for point in points if point[1]}
    assert present == expected(rows, bucket)
    assert [point[1:] for point in points if not point[1]] == [(0, *[None] * 5)] * (len(points) - len(present))
    starts = [point[0] for point in points]
    assert starts[0] == min(present)
    assert starts[-1] == max(present)
    assert starts == sorted(set(starts))
    # A reader who does not see every row is answered from rows; here that is the same.
    conn.execute("UPDATE datastream_latest SET features = true")
    assert values(conn, f"datastreams={one}&from=2026-01-01&to=2026-12-31&bucket={bucket}") == [points]


def test_an_answer_covers_whole_buckets_of_the_period(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    start = datetime(2026, 6, 1, tzinfo=BERLIN)
    write(conn, Batch([NewObservation(one, start + timedelta(hours=n), 1.0) for n in range(24 * 10)]))
    ((*_, last),) = values(conn, f"datastreams={one}&from=2026-06-03T10:00:00Z&to=2026-06-05&bucket=day")
    assert last[:2] == (datetime(2026, 6, 4, 22, tzinfo=UTC), 24)
    (points,) = values(conn, f"datastreams={one}&from=2026-06-03T10:00:00Z&to=2026-06-05&bucket=day")
    assert [point[1] for point in points] == [24, 24, 24]


def test_raw_values_of_every_type_and_their_gaps(conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    start = datetime(2026, 11, 22, 6, tzinfo=UTC)
    minutes = [0, 15, 30, 90, 105]
    results: list[Any] = [1.0, "Regen", 2**60, None, True]
    rows = [NewObservation(one, start + timedelta(minutes=n), value) for n, value in zip(minutes, results, strict=True)]
    rows[0].phenomenon_time = Interval(start, start + timedelta(minutes=15))
    write(conn, Batch(rows))
    (found,) = series.read_sync(conn, reader=ANONYMOUS, query=parse(f"datastream={one}&bucket=raw"))
    assert found.interval == 15 * 60
    assert [point[1:] for point in found.points] == [
        (1.0, "2026-11-22T06:15:00Z", False), ("Regen", None, False), (2**60, None, False), (None, None, True),
        (True, None, False),
    ]  # fmt: skip


@pytest.mark.parametrize("hidden", ["datastream", "thing", "sensor", "observed_property"])
def test_what_a_reader_does_not_see_is_answered_like_what_is_not_there(conn: psycopg.Connection, hidden: str) -> None:
    (one,) = make_datastreams(conn, 1)
    write(conn, Batch([NewObservation(one, NOW - timedelta(hours=2), 1.0)]))
    assert values(conn, f"datastreams={one}") != [[]]
    conn.execute(f"UPDATE {hidden} SET access = 'personal'".encode())
    assert values(conn, f"datastreams={one}", MANAGER) != [[]]
    with pytest.raises(NotFound) as refused:
        values(conn, f"datastreams={one}")
    with pytest.raises(NotFound) as absent:
        values(conn, "datastreams=999999")
    assert refused.value.message.replace(str(one), "N") == absent.value.message.replace("999999", "N")
    assert (refused.value.where, refused.value.remedy) == (absent.value.where, absent.value.remedy)


@pytest.mark.parametrize("bucket", BUCKETS)
def test_observations_of_a_hidden_feature_count_for_nothing(conn: psycopg.Connection, bucket: str) -> None:
    one, other = make_datastreams(conn, 2)
    feature = make_feature(conn)
    times = [NOW - timedelta(minutes=20 * n) for n in range(1, 50)]
    seen = [NewObservation(one, time, 1.0) for time in times]
    secret = [
        NewObservation(one, time + timedelta(minutes=n % 3), 99.0, foi_id=feature) for n, time in enumerate(times)
    ]
    write(conn, Batch([*seen, *secret, NewObservation(one, NOW - timedelta(days=3), 99.0, foi_id=feature)]))
    write(conn, Batch([NewObservation(other, time, 1.0) for time in times]))
    text = f"bucket={bucket}&from=P10D&datastreams="
    assert values(conn, text + str(one)) != values(conn, text + str(other))
    conn.execute("UPDATE feature_of_interest SET access = 'restricted'")
    assert values(conn, text + str(one)) == values(conn, text + str(other))
    assert len(values(conn, text + str(one), MANAGER)[0]) > 0
    conn.execute("UPDATE datastream SET foi_id = %s", (feature,))
    assert values(conn, text + str(one)) == [[]]
    assert values(conn, text + str(other)) == [[]]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "datastreams"),
        ("datastreams=", "datastreams"),
        ("datastreams=x", "datastreams"),
        ("datastreams=1,,2", "datastreams"),
        ("datastreams=-1", "datastreams"),
        ("datastreams=99999999999999999999", "datastreams"),
        ("datastreams=" + ",".join(map(str, range(1, 300))), "datastreams"),
        ("datastreams=1&datastream=2", "datastreams"),
        ("datastreams=1&bucket=fortnight", "bucket"),
        ("datastreams=1&format=xls", "format"),
        ("datastreams=1&from=yesterday", "from"),
        ("datastreams=1&from=2026-01-01T00:00:00", "from"),
        ("datastreams=1&from=2026-02-30", "from"),
        ("datastreams=1&from=P", "from"),
        ("datastreams=1&from=2026-02-03&to=2026-02-01", "from"),
        ("datastreams=1&to=9999-12-31", "to"),
        ("datastreams=1&limit=5", "limit"),
        ("datastreams=%ff", "query"),
    ],
)
def test_questions_that_cannot_be_answered_say_where(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(text)
    assert error.value.where == where


def test_periods_can_be_written_in_several_ways() -> None:
    query = parse("datastreams=3,1,3&from=P1M&to=2026-03-30&bucket=day")
    assert query.datastreams == (3, 1)
    assert query.end == datetime(2026, 3, 31, tzinfo=BERLIN)
    assert query.start == datetime(2026, 2, 28, tzinfo=BERLIN)
    assert parse("datastreams=1&from=2026-01-01T00:00:00 01:00").start == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert parse("datastreams=1&to=9999-01-01").end.year == 2282
    assert parse("datastreams=1", "text/csv").form == "csv"
    assert parse("datastreams=1", "text/csv;q=0.5, */*").form == "json"
    assert parse("datastreams=1&format=csv", "application/json").form == "csv"


def test_too_long_answers_are_refused_with_a_remedy(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = make_datastreams(conn, 1)
    write(conn, Batch([NewObservation(one, NOW - timedelta(minutes=n), 1.0) for n in range(1, 200)]))
    monkeypatch.setitem(series_write.LIMIT, "json", 150)
    for bucket in ("raw", "minute"):
        with pytest.raises(InvalidInput) as error:
            values(conn, f"datastreams={one}&bucket={bucket}")
        assert "coarser" in error.value.remedy
    assert len(values(conn, f"datastreams={one}&bucket=quarter")[0]) == 14


def get(dsn: str, text: str, *, accept: str = "", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def run() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {
            "type": "http",
            "method": method,
            "query_string": text.encode(),
            "headers": [(b"accept", accept.encode())],
        }
        async with AsyncConnectionPool(dsn, min_size=1, max_size=2, kwargs={"autocommit": True}, open=False) as pool:
            await series_app(scope, receive, send, pool=pool, reader=ANONYMOUS, zone=BERLIN)

    asyncio.run(run())
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


def test_json_says_what_it_holds(dsn: str, conn: psycopg.Connection) -> None:
    (one,) = make_datastreams(conn, 1)
    start = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    write(conn, Batch([NewObservation(one, start, 1), NewObservation(one, start + timedelta(hours=2), 4)]))
    status, headers, body = get(dsn, f"datastreams={one}&from=2026-10-25&to=2026-10-25&bucket=hour")
    assert (status, headers["content-type"]) == (200, "application/json")
    answer = json.loads(body)
    assert (answer["timeZone"], answer["bucket"]) == ("Europe/Berlin", "hour")
    (found,) = answer["series"]
    assert (found["name"], found["unit"]["symbol"], found["source"]["thing"]["name"]) == ("PM10 1", "µg/m³", "Station")
    assert [dict(zip(answer["columns"], point, strict=True)) for point in found["points"]] == [
        {"time": "2026-10-25T02:00:00+02:00", "count": 1, "min": 1, "mean": 1, "max": 1, "sum": 1, "last": 1},
        {
            "time": "2026-10-25T02:00:00+01:00", "count": 0,
            "min": None, "mean": None, "max": None, "sum": None, "last": None,
        },
        {"time": "2026-10-25T03:00:00+01:00", "count": 1, "min": 4, "mean": 4, "max": 4, "sum": 4, "last": 4},
    ]  # fmt: skip


def test_csv_of_many_datastreams_is_tidy_and_no_formula(dsn: str, conn: psycopg.Connection) -> None:
    one, two = make_datastreams(conn, 2)
    conn.execute('UPDATE datastream SET name = \'=HYPERLINK("x"), "y"\' WHERE id = %s', (two,))
    start = datetime(2026, 1, 1, tzinfo=BERLIN).astimezone(UTC)
    write(
        conn, Batch([NewObservation(n, start + timedelta(hours=h), -1.5 * n) for n in (one, two) for h in range(5000)])
    )
    status, headers, body = get(dsn, f"datastreams={one},{two}&from=2026-01-01&to=2026-12-31", accept="text/csv")
    assert status == 200
    assert headers["content-type"].startswith("text/csv")
    assert headers["content-disposition"] == 'attachment; filename="series_hour_2026-01-01_2027-01-01.csv"'
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert len(rows) == 10_000
    assert rows[0] == {
        "datastream": str(one), "name": "PM10 1", "unit": "µg/m³", "time": "2026-01-01T00:00:00+01:00", "count": "1",
        "min": str(-1.5 * one), "mean": str(-1.5 * one), "max": str(-1.5 * one), "sum": str(-1.5 * one),
        "last": str(-1.5 * one),
    }  # fmt: skip
    assert {row["name"] for row in rows[5000:]} == {'\'=HYPERLINK("x"), "y"'}
    write(conn, Batch([NewObservation(one, start, "@SUM(1)")]))
    _, _, raw = get(dsn, f"datastreams={one}&from=2026-01-01&to=2026-01-01&bucket=raw&format=csv")
    assert b",'@SUM(1)," in raw


def test_refusals_over_http(dsn: str, conn: psycopg.Connection) -> None:
    assert get(dsn, "datastreams=5")[0] == 404
    status, headers, body = get(dsn, "datastreams=5&bucket=x")
    assert (status, headers["content-type"], json.loads(body)["where"]) == (400, "application/json", "bucket")
    status, headers, _ = get(dsn, "datastreams=5", method="POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert get(dsn, "datastreams=5", accept="image/png")[0] == 406
    assert get(dsn, "datastreams=5", method="HEAD")[2] == b""
    assert issubclass(NotFound, CityError)


def _percentile(values: list[float], percent: float) -> float:
    """Linear between the nearest two, by definition."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


@pytest.mark.parametrize("bucket", [one for one in BUCKETS if one != "raw"])
def test_percentiles_are_those_of_the_rows(conn: psycopg.Connection, bucket: Bucket) -> None:
    (one,) = make_datastreams(conn, 1)
    chance = random.Random(bucket)
    start = datetime(2026, 3, 28, 20, tzinfo=UTC)
    rows = [(start + timedelta(seconds=chance.randrange(30 * 3600)), chance.random() * 100) for _ in range(400)]
    write(conn, Batch([NewObservation(one, time, value) for time, value in rows]))
    query = f"datastreams={one}&from=2026-03-28&to=2026-03-31&bucket={bucket}&percentiles=0,12.5,50,100"
    (points,) = values(conn, query)
    assert series_write.columns(parse(query))[7:] == ("p0", "p12.5", "p50", "p100")
    groups: dict[datetime, list[float]] = {}
    for time, value in rows:
        groups.setdefault(floor(time, bucket, BERLIN), []).append(value)
    filled = [point for point in points if point[1]]
    assert [point[0] for point in filled] == sorted(groups)
    for point in filled:
        assert point[7:] == pytest.approx([_percentile(groups[point[0]], percent) for percent in (0, 12.5, 50, 100)])
    assert all(point[2:] == (None,) * 9 for point in points if not point[1])


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("bucket=raw&percentiles=50", "percentiles"),
        ("percentiles=101", "percentiles"),
        ("percentiles=-1", "percentiles"),
        ("percentiles=", "percentiles"),
        ("percentiles=a", "percentiles"),
        ("percentiles=1e1", "percentiles"),
        ("percentiles=" + ",".join(str(n) for n in range(21)), "percentiles"),
        ("format=xml", "format"),
    ],
)
def test_what_percentiles_are_not(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(f"datastreams=1&{text}")
    assert refusal.value.where == where


async def _columns(pool: AsyncConnectionPool, query: str) -> bytes:
    headers, body = await answer(query, "", pool=pool, reader=ANONYMOUS, zone=BERLIN)
    assert headers["content-type"] in series_write.TYPES.values()
    assert not isinstance(body, bytes)
    return b"".join([chunk async for chunk in body])


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_columns_say_what_json_says(conn: psycopg.Connection, dsn: str, form: str) -> None:
    first, second, empty = make_datastreams(conn, 3)
    start = datetime(2026, 10, 24, 20, tzinfo=UTC)
    results: list[Any] = [1.5, 2, "wet", True, {"a": [1]}, None, 10**17, -2.5e-300]
    batch = [NewObservation(first, start + timedelta(minutes=40 * n), result) for n, result in enumerate(results)]
    batch += [NewObservation(second, Interval(start, start + timedelta(hours=1)), 7.0)]
    batch += [NewObservation(second, start + timedelta(days=1), 8.0)]
    write(conn, Batch(batch))
    for bucket in ("raw", "hour", "day"):
        query = f"datastreams={second},{empty},{first}&from=2026-10-24&to=2026-10-26&bucket={bucket}"
        wanted = json.loads(asyncio.run(_body(dsn, query, _json)))
        table = _table(form, asyncio.run(_body(dsn, f"{query}&format={form}", _columns)))
        told = table.schema.metadata
        assert json.loads(told[b"series"])[0]["name"] == wanted["series"][0]["name"]
        assert (told[b"bucket"].decode(), told[b"timeZone"].decode()) == (bucket, "Europe/Berlin")
        assert table.column("datastream").to_pylist() == [
            one["datastream"] for one in wanted["series"] for _ in one["points"]
        ]
        points = [point for one in wanted["series"] for point in one["points"]]
        assert [time.isoformat() for time in table.column("time").to_pylist()] == [point[0] for point in points]
        if bucket != "raw":
            for at, name in enumerate(wanted["columns"]):
                if name != "time":
                    assert table.column(name).to_pylist() == [point[at] for point in points]
            continue
        numbers, others = (table.column(name).to_pylist() for name in ("result", "other"))
        for point, number, other in zip(points, numbers, others, strict=True):
            assert point[1] == (number if other is None else json.loads(other))
        ends = [None if point[2] is None else datetime.fromisoformat(point[2]) for point in points]
        assert table.column("end").to_pylist() == ends
        assert table.column("gap").to_pylist() == [point[3] for point in points]


async def _json(pool: AsyncConnectionPool, query: str) -> bytes:
    headers, body = await answer(query, "", pool=pool, reader=ANONYMOUS, zone=BERLIN)
    assert isinstance(body, bytes)
    assert headers["ETag"].startswith('W/"')
    return body


async def _body(dsn: str, query: str, ask: Callable[[AsyncConnectionPool, str], Awaitable[bytes]]) -> bytes:
    async with AsyncConnectionPool(dsn, min_size=1, kwargs={"autocommit": True}, open=False) as pool:
        return await ask(pool, query)


def _table(form: str, body: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(body)) if form == "parquet" else pa.ipc.open_stream(body).read_all()
