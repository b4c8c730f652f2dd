"""Lock files: exact versions and hashes of all packages, for all platforms, without the name of a registry.

`python -m tools.lock [--upgrade]` writes `requirements/run.txt` (what a city needs) and `requirements/dev.txt` (that
and what its developers need, in the same versions).
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN, DEV = ROOT / "requirements" / "run.txt", ROOT / "requirements" / "dev.txt"
_HEADER = "# Made by `make lock` from pyproject.toml; installed with pip's --require-hashes.\n"


def compile_lock(target: Path, *more: str) -> None:
    """Resolve into `target`, keeping the versions it holds unless `--upgrade` is among `more`."""
    command = [
        "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
        "--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate",
        "--output-file", str(target), *more,
    ]  # fmt: skip
    command[0] = str(Path(sys.executable).with_name("uv"))
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    target.write_text(_HEADER + target.read_text("utf-8").removeprefix(_HEADER), "utf-8")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--upgrade"]):
        print("usage: python -m tools.lock [--upgrade]")
        return 2
    RUN.parent.mkdir(exist_ok=True)
    compile_lock(RUN, "pyproject.toml", *arguments)
    compile_lock(DEV, "pyproject.toml", "--group", "dev", "--constraint", str(RUN.relative_to(ROOT)), *arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
