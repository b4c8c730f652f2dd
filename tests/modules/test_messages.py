"""The texts are complete, and the tool sees what is not."""

from pathlib import Path

import pytest
from tools import messages

PO = messages.HEADER.format(language="de", plural="nplurals=2; plural=(n != 1);")


def package(folder: Path, po: str, name: str = "one") -> Path:
    made = folder / name
    (made / "locale" / "de" / "LC_MESSAGES").mkdir(parents=True)
    (made / "templates").mkdir()
    (made / "views.py").write_text("_('Save')\nngettext('%(n)d row', '%(n)d rows', 2)\n")
    (made / "templates" / "page.html").write_text("{% load i18n %}{% translate 'Tree list' %}")
    (made / "locale" / "de" / "LC_MESSAGES" / "django.po").write_text(PO + po)
    return made


GOOD = """
msgid "Save"
msgstr "Speichern"

msgid "%(n)d row"
msgid_plural "%(n)d rows"
msgstr[0] "%(n)d Zeile"
msgstr[1] "%(n)d Zeilen"

msgid "Tree list"
msgstr "Baumliste"
"""


def test_all_packages_are_complete() -> None:
    assert [line for found in messages.packages() for line in messages.problems(found)] == []
    assert messages.conflicts() == []


def test_a_complete_catalogue_has_no_problem(tmp_path: Path) -> None:
    assert messages.problems(package(tmp_path, GOOD), tmp_path) == []


@pytest.mark.parametrize(
    ("po", "says"),
    [
        ("", "missing: 'Tree list'"),
        (GOOD.replace('"Baumliste"', '""'), "not translated: 'Tree list'"),
        (GOOD.replace('"%(n)d Zeilen"', '""'), "not translated: '%(n)d row'"),
        (GOOD.replace('msgid "Save"', '#, fuzzy\nmsgid "Save"'), "fuzzy: 'Save'"),
        (GOOD + '\nmsgid "Old"\nmsgstr "Alt"\n', "no longer used: 'Old'"),
        (GOOD.replace("%(n)d Zeilen", "%(m)d Zeilen"), "%(n)d row"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, po: str, says: str) -> None:
    assert any(says in line for line in messages.problems(package(tmp_path, po), tmp_path))


def test_two_translations_of_one_text_are_told(tmp_path: Path) -> None:
    package(tmp_path, GOOD)
    package(tmp_path, GOOD.replace("Speichern", "Sichern"), name="two")
    assert messages.conflicts(tmp_path) == ["two and one translate 'Save' differently"]


def test_a_text_of_django_keeps_its_meaning(tmp_path: Path) -> None:
    package(tmp_path, '\nmsgid "May"\nmsgstr "Darf"\n')
    assert messages.conflicts(tmp_path) == ["one and Django translate 'May' differently"]


def test_update_keeps_translations_and_compile_makes_what_django_reads(tmp_path: Path) -> None:
    made = package(tmp_path, '\nmsgid "Save"\nmsgstr "Speichern"\n')
    messages.update(made, tmp_path)
    text = (made / "locale" / "de" / "LC_MESSAGES" / "django.po").read_text()
    assert 'msgstr "Speichern"' in text
    assert 'msgid "Tree list"' in text
    assert "Date" not in text
    assert messages.compile_all(tmp_path) == 1
    assert messages.compile_all(tmp_path) == 0
    import gettext

    with (made / "locale" / "de" / "LC_MESSAGES" / "django.mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Save") == "Speichern"
