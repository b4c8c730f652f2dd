"""The registry tells every fault of a module at start."""

from dataclasses import replace
from pathlib import Path

import pytest

from mainzdigital.config import registry
from mainzdigital.kernel.errors import InvalidInput
from mainzdigital.kernel.modules import Link, Module, Permission, Setting

A = Module(slug="aaa", title="A", summary="")
B = Module(slug="bbb", title="B", summary="")


def test_modules_of_this_installation_are_found_and_frozen() -> None:
    from mainzdigital.kernel import registry as frozen

    slugs = [module.slug for module in registry.modules()]
    assert {"about", "account"} <= set(slugs)
    assert frozen.modules() == registry.modules()
    with pytest.raises(RuntimeError, match="frozen"):
        frozen.freeze((), {})


def test_dependence_decides_the_order() -> None:
    first, second = registry.check([replace(A, depends_on=("bbb",)), B])
    assert (first.slug, second.slug) == ("bbb", "aaa")


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([A, A], "'aaa' is there twice"),
        ([replace(A, slug="A-b")], "is not a slug"),
        ([replace(A, depends_on=("ccc",))], "depends on 'ccc', which is not there"),
        ([replace(A, depends_on=("bbb",)), replace(B, depends_on=("aaa",))], "in a circle"),
        ([replace(A, depends_on=("aaa",))], "in a circle"),
        ([replace(A, collections=("trees",)), replace(B, collections=("trees",))], "'trees' is there twice"),
        ([replace(A, events=("x",)), replace(B, events=("x",))], "'x' is there twice"),
        ([replace(A, processes=("P",))], "'P' is no name"),
        ([replace(A, permissions=(Permission("edit", ""), Permission("edit", "")))], "'edit' is there twice"),
        ([replace(A, settings=(Setting("s", "", 1), Setting("s", "", 2)))], "'s' is there twice"),
        ([replace(A, permissions=(Permission("edit", "", ("mayor",)),))], "unknown role 'mayor'"),
        ([replace(A, navigation=(Link("T", "aaa:x", permission="aaa.edit"),))], "unknown permission 'aaa.edit'"),
    ],
)
def test_faults_are_named(found: list[Module], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        registry.check(found)
    assert caught.value.where
    assert caught.value.remedy


def test_a_folder_that_is_no_module_is_told(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "__init__.py").touch()
    with pytest.raises(InvalidInput, match=r"'half' lacks module.py, urls.py"):
        registry.load(tmp_path, package="nowhere")


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "has no MODULE"), ("MODULE = 1", "has no MODULE"), ("{module}", "calls itself 'other'")],
)
def test_a_wrong_declaration_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str) -> None:
    package = f"pkg_{abs(hash(text))}"
    folder = tmp_path / package / "mine"
    for name in registry.REQUIRED_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    declared = "from mainzdigital.kernel.modules import Module\nMODULE = Module('other', 'T', 'S')\n"
    (folder / "module.py").write_text(text.format(module=declared))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidInput, match=says):
        registry.load(tmp_path / package, package=package)


WITH_SETTINGS = replace(A, settings=(Setting("count", "", 5), Setting("share", "", 0.5), Setting("on", "", True)))


def test_settings_are_typed_and_have_defaults() -> None:
    values = registry.read_settings([WITH_SETTINGS, B], {"aaa": {"share": 1}})
    assert values == {"aaa": {"count": 5, "share": 1.0, "on": True}, "bbb": {}}
    assert isinstance(values["aaa"]["share"], float)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"zzz": {}}, "a module 'zzz' that is not there"),
        ({"aaa": {"colour": "red"}}, "has no setting 'colour'"),
        ({"aaa": {"count": "5"}}, "not of type int"),
        ({"aaa": {"count": True}}, "not of type int"),
        ({"aaa": {"on": 1}}, "not of type bool"),
    ],
)
def test_wrong_settings_are_told(given: dict[str, dict[str, str | int | float | bool]], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        registry.read_settings([WITH_SETTINGS], given)
