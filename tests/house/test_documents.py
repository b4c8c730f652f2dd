"""What the references say of settings, city.toml and commands is what the code does."""

import re
import subprocess
from pathlib import Path

from mainzdigital.config import migrations, reference
from mainzdigital.config.city import FIELDS
from mainzdigital.config.log import SUPERVISED

ROOT = Path(__file__).resolve().parents[2]


def test_every_variable_is_documented() -> None:
    described = {name.partition("<")[0] for name in reference.environment()}
    used: dict[str, str] = {}
    for file in (ROOT / "src").rglob("*.py"):
        for name in re.findall(r"MAINZDIGITAL_[A-Z_]+", file.read_text("utf-8")):
            used.setdefault(name, str(file.relative_to(ROOT)))
    internal = {SUPERVISED}
    assert {name: file for name, file in used.items() if name not in described | internal} == {}
    assert described - set(used) == set()


def test_every_field_of_the_city_is_documented() -> None:
    assert {path for path, _, _ in reference.city_fields()} == set(FIELDS)


def test_references_are_current() -> None:
    folder = ROOT / "docs" / "reference"
    for name, text in reference.documents().items():
        assert (folder / name).read_text("utf-8") == text, f"{name}: run `python -m tools.documents update`"


def test_every_command_has_help() -> None:
    from click.testing import CliRunner

    from mainzdigital.config.commands import cli

    done = CliRunner().invoke(cli, ["--help"])
    assert done.exit_code == 0
    for name in ("run", "web", "api", "ingest", "work", "migrate", "check", "key", "import", "demo"):
        assert re.search(rf"^  {name} +\S", done.output, re.MULTILINE), name
        shown = CliRunner().invoke(cli, [name, "--help"])
        assert shown.exit_code == 0
        assert "Exit codes: 0" in shown.output


def test_the_command_line_starts_without_django() -> None:
    """Help and refusals are there at once."""
    import sys

    script = "import sys, mainzdigital.config.commands; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT).returncode == 0


def test_the_api_starts_without_django() -> None:
    import os
    import sys

    script = "import sys, mainzdigital.config.asgi; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=ROOT, env=os.environ).returncode == 0


def test_expected_migrations_are_those_of_django() -> None:
    """Processes without Django read them from the folders."""
    from django.apps import apps
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None)
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("mainzdigital.")}
    leaves = {app: name for app, name in loader.graph.leaf_nodes() if app in ours}
    assert migrations.expected() == leaves
