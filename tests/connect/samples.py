"""A small mapping and files for it."""

from pathlib import Path

from mainzdigital.connect.files.mapping import Mapping, read_mapping

WIDE = """
name: test-wide
title: Test
source: test-wide
licence: CC0
attribution: test
access: open
recognise: [station, zeit]
table: {decimal: ","}
time: {columns: [zeit], form: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
thing:
  key: "{station}"
  name: "Station {station}"
  description: "Station {station}"
  kind: weather
values:
  - &value
    column: temp
    name: Temperatur
    description: Lufttemperatur
    observed: {name: Temperatur, definition: "http://example.org/temperature", description: Temperatur}
    unit: {name: Grad Celsius, symbol: °C, definition: "ucum:Cel"}
    sensor: {name: Fühler, description: Fühler}
    low: -50
    high: 60
"""


def wide(**changes: str) -> Mapping:
    text = WIDE
    for old, new in changes.items():
        text = text.replace({"decimal": 'decimal: ","', "table": 'table: {decimal: ","}'}[old], new)
    return read_mapping(text, where="test")


HEADER = "station;zeit;temp\n"


def write(folder: Path, text: str | bytes, *, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
