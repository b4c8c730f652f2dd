"""`new-module` writes a module that passes everything that a module must pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mainzdigital.config.commands import new_module
from mainzdigital.kernel.errors import Conflict, InvalidInput

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
FILES = (
    "module.py", "rules.py", "models.py", "queries.py", "services.py", "public.py", "register.py", "forms.py",
    "tables.py", "filters.py", "views.py", "urls.py", "api.py", "tasks.py", "README.md", "migrations/0001_initial.py",
    "templates/tree_care/list.html", "locale/de/LC_MESSAGES/django.po",
)  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of this source tree."""
    ignore = shutil.ignore_patterns("__pycache__", "node_modules", "browser", "fault", "house")
    for name in ("src", "tests", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignore)
    for name in ("pyproject.toml", ".importlinter"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(tree: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree}"}
    environment = {name: value for name, value in environment.items() if not name.startswith("MAINZDIGITAL_")}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_a_new_module_passes_every_check(tree: Path) -> None:
    written = new_module.write(name="tree_care", title="Tree care", german="Baumpflege", root=tree)
    files = {path.relative_to(tree).as_posix() for path in written}
    assert {f"src/mainzdigital/apps/tree_care/{name}" for name in FILES} <= files
    places = ("src/mainzdigital/apps/tree_care", "tests/apps/tree_care")
    run(tree, str(BIN / "ruff"), "check", *places)
    run(tree, str(BIN / "ruff"), "format", "--check", *places)
    run(tree, str(BIN / "mypy"), *places)
    assert "BROKEN" not in run(tree, str(BIN / "lint-imports"))
    run(tree, sys.executable, "-m", "tools.messages", "check")
    menu = "from mainzdigital.config import registry as r; r.modules(); from mainzdigital.kernel.registry import links"
    assert "tree_care:list" in run(tree, sys.executable, "-c", f"{menu}; print(links('main'))")
    tests = ("tests/apps/tree_care", "tests/modules/test_modules.py", "tests/schema")
    chosen = ("-q", "-p", "no:cacheprovider", "-k", "tree_care or models_and_migrations")
    out = run(tree, sys.executable, "-m", "pytest", *chosen, *tests)
    assert " passed" in out
    assert "skipped" not in out


@pytest.mark.parametrize(
    "name", ["", "a", "Ab", "1abc", "a-b", "abc_", "../x", "a/b", "class", "x" * 41, "tree\n", "bäume"]
)
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name"):
        new_module.write(name=name, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_taken_names_are_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "src" / "mainzdigital" / "apps").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    for name in ("schema", "web", "sessions"):
        with pytest.raises(Conflict, match="is taken"):
            new_module.write(name=name, root=tmp_path)
    new_module.write(name="trees", root=tmp_path)
    with pytest.raises(Conflict, match="already there"):
        new_module.write(name="trees", root=tmp_path)


@pytest.mark.parametrize("title", ['T"', "a{{ b }}", "<b>", "$x", "back\\slash"])
def test_a_title_is_words(tmp_path: Path, title: str) -> None:
    (tmp_path / "src" / "mainzdigital" / "apps").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    with pytest.raises(InvalidInput):
        new_module.write(name="trees", title=title, root=tmp_path)


def test_outside_a_source_tree_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no source tree"):
        new_module.write(name="trees", root=tmp_path)


def test_the_command_writes_where_it_is_told(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from mainzdigital.config.commands import cli

    (tmp_path / "src" / "mainzdigital" / "apps").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    done = CliRunner().invoke(cli, ["new-module", "trees", "--german", "Bäume", "--root", str(tmp_path)])
    assert done.exit_code == 0, done.output
    catalogue = tmp_path / "src/mainzdigital/apps/trees/locale/de/LC_MESSAGES/django.po"
    assert str(catalogue) in done.output
    assert 'msgstr "Bäume"' in catalogue.read_text("utf-8")
