"""The requests of the budgets (architecture §9)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.city import BATCH, THINGS
from bench.http import CONNECTIONS, Call
from bench.measure import Budget

ROOT = "/sensorthings/v1.1"
_AREA = "geography'POLYGON ((8.26 49.98, 8.28 49.98, 8.28 50, 8.26 50, 8.26 49.98))'"
_LATEST = "$expand=Observations($top=1;$orderby=phenomenonTime desc)"


def _arrays(first: int) -> Callable[[int], bytes]:
    """Bodies of data arrays: 10,000 observations of 400 datastreams, later with every body."""
    each = BATCH // THINGS
    begin = datetime(2027, 1, 1, tzinfo=UTC)

    def body(number: int) -> bytes:
        times = [(begin + timedelta(minutes=number * each + n)).isoformat().replace("+00:00", "Z") for n in range(each)]
        return json.dumps(
            [
                {
                    "Datastream": {"@iot.id": first + stream},
                    "components": ["phenomenonTime", "result"],
                    "dataArray": [[time, 21.5 + stream % 7] for time in times],
                }
                for stream in range(THINGS)
            ]
        ).encode()

    return body


def calls(datastream: int, observation: int, scale: float) -> list[Call]:
    """In the order to do them; reads come first, as writes change what they meet."""

    def times(count: int) -> int:
        return max(int(count * scale), 10)

    return [
        Call(
            "newest 100 of a datastream",
            f"{ROOT}/Datastreams({datastream})/Observations?$top=100&$orderby=phenomenonTime desc",
            times(5_000), Budget("≤ 0.5 ms CPU", own_ms=0.5),
        ),
        Call(
            "Observations(id)", f"{ROOT}/Observations({observation})", times(5_000), Budget("≤ 0.5 ms CPU", own_ms=0.5)
        ),
        Call(
            "newest of 400 Things ($expand)", f"{ROOT}/Things?$top=400&$expand=Datastreams({_LATEST})",
            times(200), Budget("≤ 10 ms CPU", own_ms=10),
        ),
        Call(
            "latest of 10,000 datastreams", f"{ROOT}/Datastreams?$top=10000&$select=id&{_LATEST}",
            times(20), Budget("≤ 100 ms CPU", own_ms=100),
        ),
        Call(
            "100 of 100,000 Locations by geo.intersects", f"{ROOT}/Locations?$filter=geo.intersects(location,{_AREA})",
            times(500),
        ),
        Call(
            "series: a year of hourly values",
            f"/series/v1?datastreams={datastream}&from=2025-01-01&to=2025-12-31&bucket=hour", times(100),
        ),
        Call(
            "data arrays of 10,000, two connections", f"{ROOT}/CreateObservations", times(40),
            Budget("≥ 100,000 observations/s", rate=100_000), body=_arrays(datastream), connections=2, each=BATCH,
        ),
        Call(
            "POST one observation, 64 connections", f"{ROOT}/Datastreams({datastream})/Observations",
            times(20_000), Budget("≥ 5,000/s; ≤ 0.12 ms CPU", rate=5_000, own_ms=0.12),
            body=lambda _: b'{"result": 21.5}', connections=CONNECTIONS,
        ),
    ]  # fmt: skip
