"""Mappings: the shipped ones are right, wrong ones say where."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainzdigital.connect.files.mapping import find_mapping, read_mapping, shipped
from mainzdigital.kernel.errors import InvalidInput, NotFound
from tests.connect.samples import WIDE


def test_the_three_real_formats_are_shipped() -> None:
    assert list(shipped()) == ["ladesaeulen", "radzaehlung", "uba-luft"]


def test_limits_of_the_air_stand_in_the_mapping() -> None:
    values = {quantity.column: quantity for quantity in find_mapping("uba-luft").values}
    limits = values["no2"].properties["limits"]
    assert isinstance(limits, list)
    assert [(limit["value"], limit["period"]) for limit in limits] == [(200, "PT1H"), (40, "P1Y")]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind: weather", "kind: 5", "$.thing.kind"),
        ("recognise: [station, zeit]", "recognize: [station]", "recognize"),
        ("zone: Europe/Berlin", "zone: Europa/Mainz", "Europa/Mainz"),
        ("column: temp", "pattern: '('", "regular expression"),
        ("column: temp", "code: x", "either `column` or `pattern`"),
        ("low: -50", "low: cold", "$.values[0].low"),
        ('decimal: ","', 'decimal: ";"', "$.table.decimal"),
        ("access: open", "access: public", "$.access"),
        ("name: test-wide", "name: Test Wide", "a–z"),
        ("title: Test", "title: [", "line"),
        ("time: {columns: [zeit]", "time: {period: 15m, columns: [zeit]", "PT15M"),
    ],
)
def test_a_wrong_mapping_names_the_place(old: str, new: str, says: str) -> None:
    assert old in WIDE
    with pytest.raises(InvalidInput) as error:
        read_mapping(WIDE.replace(old, new, 1), where="my.yaml")
    assert says in error.value.message
    assert "my.yaml" in error.value.message


@given(st.text(max_size=200))
def test_any_text_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_mapping(text, where="x")


def test_the_mapping_in_the_handbook_is_right_and_the_table_complete() -> None:
    handbook = (Path(__file__).resolve().parents[2] / "docs" / "operate" / "import.md").read_text("utf-8")
    mapping = read_mapping(handbook.split("```yaml\n")[1].split("```")[0], where="import.md")
    assert mapping.thing.kind == "weather"
    assert all(f"| `{name}` |" in handbook for name in shipped())


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(NotFound) as error:
        find_mapping("nix")
    assert "uba-luft" in error.value.remedy
