"""Observations encoded at once are those that mappings would have given."""

from datetime import UTC

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.exchange.sensorthings.represent import encode, shape
from mainzdigital.store.entities_read import MORE
from mainzdigital.store.model import OBSERVATION

_times = st.datetimes(timezones=st.just(UTC)) | st.builds(
    lambda time, thousand: time.replace(microsecond=thousand * 1000),
    st.datetimes(timezones=st.just(UTC)),
    st.integers(0, 999),
)
_numbers = st.floats(-1e300, 1e300) | st.integers(-(2**60), 2**60).map(float)
_more = st.sampled_from(
    ['{"result": "text"}', '{"end": "2026-01-01T00:00:00Z"}', '{"parameters": {"a": 1}}', '{"key": "k"}']
)
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 2**53), "phenomenonTime": _times, "resultTime": st.none() | _times,
            "result": st.none() | _numbers, MORE: st.none() | _more,
        }
    )
)  # fmt: skip


@given(_ROWS, st.sampled_from(["http://city.example/v1.1", 'http://täst.example/100%/a"b']), st.booleans())
def test_encoded_at_once(rows: list[dict[str, object]], root: str, self_link: bool) -> None:
    select = None
    if not self_link:
        select = tuple((name,) for name in ("@iot.id", "phenomenonTime", "result", "resultTime", "Datastream"))
    form = shape(OBSERVATION, select)
    assert select is not None or form.plain is not None
    tuples = [tuple(row[name] for name in form.columns) for row in rows]
    wanted = msgspec.json.decode(encode(form.records(tuples, root)))
    assert msgspec.json.decode(encode(form.encoded(tuples, root))) == wanted
    assert msgspec.json.decode(encode(form.array(tuples, root))) == wanted
