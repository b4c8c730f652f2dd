"""CI fails when a test is skipped that the short list does not name."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _run(folder: Path, allowed: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_sample.py").write_text("import pytest\n\ndef test_vanished():\n    pytest.skip('no browser')\n")
    (folder / "allowed.txt").write_text(allowed)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", str(folder), "-c", "/dev/null",
         "--allowed-skips", str(folder / "allowed.txt"), str(folder / "test_sample.py")],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip


def test_a_skip_that_nobody_allowed_fails_the_run(tmp_path: Path) -> None:
    done = _run(tmp_path, "# nothing\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "skipped but not allowed to: test_sample.py::test_vanished" in done.stdout


def test_a_skip_on_the_list_passes(tmp_path: Path) -> None:
    done = _run(tmp_path, "test_sample.py::test_vanished  # no broker on this machine\n")
    assert done.returncode == 0, done.stdout + done.stderr
