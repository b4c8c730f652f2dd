"""The import contract of modules refuses what it must, on a made package."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = """\
[importlinter]
root_package = city
contract_types =
    modules: tools.contracts.ModulesContract
[importlinter:contract:modules]
name = modules
type = modules
apps = city.apps
"""
MODULE = "class MODULE:\n    depends_on = ({0})\n"


def lint(folder: Path, files: dict[str, str]) -> tuple[int, str]:
    made = {
        "__init__.py": "", "kernel.py": "", "web.py": "", "apps/__init__.py": "", "apps/a/__init__.py": "",
        "apps/b/__init__.py": "", "apps/a/module.py": MODULE.format(""), "apps/b/module.py": MODULE.format("'a',"),
        "apps/a/public.py": "from city.apps.a import models", "apps/a/models.py": "", "apps/b/views.py": "",
    }  # fmt: skip
    for name, text in (made | files).items():
        (folder / "city" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "city" / name).write_text(text)
    (folder / "contracts.ini").write_text(CONFIGURATION)
    program = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", program, "--config", "contracts.ini", "--no-cache"],
        cwd=folder, env={"PYTHONPATH": f"{folder}:{ROOT}", "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"apps/b/views.py": "from city.apps.a import models"}, "only city.apps.a.public may be imported"),
        ({"apps/a/models.py": "from city.apps.b import public", "apps/b/public.py": ""}, "'b' is not in depends_on"),
        ({"apps/a/module.py": "from city import web\n" + MODULE.format("")}, "imports only the kernel"),
    ],
)
def test_what_is_not_allowed_is_told(tmp_path: Path, files: dict[str, str], says: str) -> None:
    status, out = lint(tmp_path, files)
    assert status == 1, out
    assert says in out


def test_what_is_allowed_passes(tmp_path: Path) -> None:
    allowed = {
        "apps/b/views.py": "from city.apps.a import public\nfrom city import web",
        "apps/a/module.py": "from city import kernel\n" + MODULE.format(""),
    }
    status, out = lint(tmp_path, allowed)
    assert status == 0, out
