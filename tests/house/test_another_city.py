"""Another city is another city.toml: its days are its own."""

from pathlib import Path

import httpx

from tests.house.city import city

CITY = """\
name = "Ponta Delgada"
platform = "Cidade digital"
bounds = [-25.9, 37.7, -25.6, 37.8]
time_zone = "Atlantic/Azores"

[contact]
organisation = "Câmara"
address = "Praça"
email = "digital@cidade.example"
"""

THING = {
    "name": "Counter", "description": "d",
    "Datastreams": [{
        "name": "bicycles", "description": "d", "observationType": "om", "unitOfMeasurement": {},
        "Sensor": {"name": "s", "description": "d", "encodingType": "text/plain", "metadata": "m"},
        "ObservedProperty": {"name": "p", "description": "d", "definition": "https://example.org/p"},
    }],
    "Locations": [{
        "name": "l", "description": "d", "encodingType": "application/geo+json",
        "location": {"type": "Point", "coordinates": [-25.7, 37.74]},
    }],
}  # fmt: skip


def test_days_are_those_of_the_city(tmp_path: Path) -> None:
    (tmp_path / "city.toml").write_text(CITY, "utf-8")
    with city(tmp_path / "home", "--open-write", MAINZDIGITAL_CITY=str(tmp_path / "city.toml")) as found:
        root = f"{found.url}/sensorthings/v1.1"
        assert httpx.post(f"{root}/Things", json=THING, timeout=60).status_code == 201
        # On both sides of midnight in Ponta Delgada (UTC in summer); in Berlin both would be 1 July.
        for time, result in (("2026-06-30T23:30:00Z", 1), ("2026-07-01T00:30:00Z", 2)):
            body = {"phenomenonTime": time, "result": result}
            assert httpx.post(f"{root}/Datastreams(1)/Observations", json=body, timeout=60).status_code == 201
        answer = httpx.get(
            f"{found.url}/series/v1",
            params={"datastreams": "1", "from": "2026-06-30T12:00:00Z", "to": "2026-07-01T12:00:00Z", "bucket": "day"},
            timeout=60,
        ).json()
        assert answer["timeZone"] == "Atlantic/Azores"
        days = {point[0]: point[answer["columns"].index("count")] for point in answer["series"][0]["points"]}
        assert days == {"2026-06-30T00:00:00+00:00": 1, "2026-07-01T00:00:00+00:00": 1}
        assert "Ponta Delgada" in httpx.get(f"{found.url}/", timeout=60).text
