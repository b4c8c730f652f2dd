"""J01 (newcomer): in a copy of the source tree a module is made and a text changed; both stand on the screen."""

import os
import shutil
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from mainzdigital.config.commands import new_module
from tests.browser.checks import axe_violations, overflow
from tests.browser.conftest import Opener, Portal
from tests.house.city import City
from tests.house.city import city as running_city
from tests.modules.test_new_module import ROOT, run


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """The city of a source tree in which a module was made and a text of the start page changed."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("src", "tools"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    new_module.write(name="tree_care", title="Tree care", german="Baumpflege", root=tree)
    catalogue = tree / "src/mainzdigital/web/locale/de/LC_MESSAGES/django.po"
    text = catalogue.read_text("utf-8")
    assert "Was Sie tun können" in text
    catalogue.write_text(text.replace("Was Sie tun können", "Was Sie heute tun können"), "utf-8")
    path = f"{tree / 'src'}{os.pathsep}{tree}"
    run(tree, sys.executable, "-m", "tools.messages", "compile")
    with running_city(tmp_path_factory.mktemp("newcomer") / "home", PYTHONPATH=path) as found:
        yield found


@pytest.fixture
def portal(newcomer: City) -> Portal:
    return Portal(newcomer.url, {}, "")


@pytest.mark.parametrize("width", [360, 1440])
def test_j01_a_new_module_stands_in_the_menu_and_a_changed_text_on_the_page(
    portal: Portal, visit: Opener, width: int
) -> None:
    page = visit(portal.url, width=width)
    expect(page.get_by_role("heading", name="Was Sie heute tun können")).to_be_visible()
    entry = page.get_by_role("link", name="Baumpflege").first
    if not entry.is_visible():
        page.get_by_text("Menü").first.click()
    entry.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Baumpflege")
    assert axe_violations(page) == []
    assert overflow(page) == 0
