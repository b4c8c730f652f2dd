"""Random small cities."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from mainzdigital.kernel.time import Interval
from tests.query.city import CLASSES, POINT, SHAPES, SQUARE, TEXTS, TIMES, City, Row, month_id

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -2, 5, 2.5, -0.5, 1e-9, 3e8, 1e200, 10**22]),
    st.sampled_from(TEXTS),
)
JSON_OBJECTS = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {},
        optional={
            "k": _scalars,
            "n": _scalars,
            "o": st.one_of(_scalars, st.fixed_dictionaries({}, optional={"k": _scalars})),
            "l": st.lists(_scalars, max_size=2),
        },
    ),
)
RESULTS = st.one_of(
    st.sampled_from([0.0, 1.0, 2.5, -3.0, 7.0]),
    st.sampled_from([0.0, 1.0, 2.5, -3.0, 7.0]),
    st.none(),
    st.booleans(),
    st.sampled_from(TEXTS),
    st.fixed_dictionaries({"k": _scalars}),
)

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def cities(draw: Draw, *, classes: tuple[str, ...] = CLASSES) -> City:
    """A city with up to three of each, in all access classes."""
    city = City()

    def rows(least: int, most: int, **more: st.SearchStrategy[Any]) -> list[Row]:
        return [
            {
                "id": number + 1,
                "name": draw(st.sampled_from(TEXTS)),
                "description": draw(st.sampled_from(TEXTS)),
                "properties": draw(JSON_OBJECTS),
                "access": draw(st.sampled_from(classes)),
                **{key: draw(strategy) for key, strategy in more.items()},
            }
            for number in range(draw(st.integers(least, most)))
        ]

    def key_of(some: list[Row]) -> int:
        return int(draw(st.sampled_from(some))["id"])

    times = st.sampled_from(TIMES)
    city.things = rows(1, 3)
    city.locations = rows(
        0, 3, encodingType=st.just("application/geo+json"), location=st.sampled_from([*SHAPES, "here"])
    )
    city.sensors = rows(1, 2, encodingType=st.sampled_from(TEXTS), metadata=st.sampled_from(["x", {"k": 1}]))
    city.observed = rows(1, 2, definition=st.sampled_from(TEXTS))
    city.features = rows(
        0, 2, encodingType=st.just("application/geo+json"), feature=st.sampled_from([*SHAPES, "there"])
    )
    city.datastreams = rows(
        0,
        4,
        observationType=st.sampled_from(TEXTS),
        unitOfMeasurement=st.sampled_from([{"symbol": "a"}, {"symbol": "b", "name": None}]),
        observedArea=st.sampled_from([None, POINT, SQUARE]),
    )
    for row in city.datastreams:
        row |= {"thing": key_of(city.things), "sensor": key_of(city.sensors), "observed": key_of(city.observed)}
        row["foi"] = draw(st.sampled_from([None, *(item["id"] for item in city.features)]))
        row["multi"] = row["types"] = None
        if draw(st.integers(0, 3)) == 0:
            row["multi"] = draw(st.permutations([item["id"] for item in city.observed]))
            row["types"] = [draw(st.sampled_from(TEXTS)) for _ in row["multi"]]
            row["unitOfMeasurement"] = [row["unitOfMeasurement"]] * len(row["multi"])
            row["observed"] = row["multi"][0]
    taken: dict[tuple[int, datetime], int] = {}
    for number in range(draw(st.integers(0, 8)) if city.datastreams else 0):
        start = draw(times)
        datastream = key_of(city.datastreams)
        length = draw(st.sampled_from([None, None, 0, 15, 60]))
        seq = taken.get((datastream, start), 0)
        taken[datastream, start] = seq + 1
        city.observations.append(
            {
                "id": month_id(start, number + 1),
                "phenomenonTime": start if length is None else Interval(start, start + timedelta(minutes=length)),
                "result": draw(RESULTS),
                "resultTime": draw(st.one_of(st.none(), times)),
                "validTime": draw(st.sampled_from([None, None, Interval(TIMES[0], TIMES[1])])),
                "resultQuality": draw(JSON_OBJECTS),
                "parameters": draw(JSON_OBJECTS),
                "datastream": datastream,
                "foi": draw(st.sampled_from([None, None, *(item["id"] for item in city.features)])),
                "seq": seq,
            }
        )
    city.history = [
        {"id": number + 1, "time": draw(times), "thing": key_of(city.things)}
        for number in range(draw(st.integers(0, 3)))
    ]
    for left, right, pairs in (
        (city.things, city.locations, city.thing_locations),
        (city.history, city.locations, city.history_locations),
    ):
        pairs += [(a["id"], b["id"]) for a in left for b in right if draw(st.booleans())]
    return city
