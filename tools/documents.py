"""Documents that cannot lie: generated references are current, links resolve, no package registry is named.

`python -m tools.documents update` writes the references, `check` says what is wrong and exits with 1.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
# Assembled, so that this file does not name what it looks for.
_REGISTRY_HOSTS = re.compile(
    "|".join(("pypi" + r"\.org", "pythonhosted" + r"\.org", "registry" + r"\.npmjs", "npmjs" + r"\.com"))
)
_NO_NAMES = re.compile(r"(^|/)(utils?|helpers?|common|misc|managers?)\.(py|ts)$")
_MOST_LINES = 450


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listing.splitlines() if (ROOT / line).is_file()]


def broken_links(files: list[Path]) -> Iterator[str]:
    for file in files:
        if file.suffix != ".md":
            continue
        for target in _LINK.findall(file.read_text("utf-8")):
            if "://" in target or target.startswith(("#", "mailto:", "http")):
                continue
            if not (file.parent / target.split("#")[0]).exists():
                yield f"{file.relative_to(ROOT)}: the link {target} leads nowhere"


def registry_hosts(files: list[Path]) -> Iterator[str]:
    for file in files:
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if _REGISTRY_HOSTS.search(line):
                yield f"{file.relative_to(ROOT)}:{number}: names a package registry's host"


def names_and_sizes(files: list[Path]) -> Iterator[str]:
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        if _NO_NAMES.search(name):
            yield f"{name}: the name says no concept"
        if file.suffix in {".py", ".ts", ".css", ".html"} and "/migrations/" not in name:
            lines = len(file.read_text("utf-8").splitlines())
            if lines > _MOST_LINES:
                yield f"{name}: {lines} lines, a room with too much in it (at most {_MOST_LINES})"


def references() -> dict[Path, str]:
    """Generated files and what they must contain."""
    from mainzdigital.config import reference
    from tools import conformance

    texts = {**reference.documents(), "conformance.md": conformance.document()}
    return {ROOT / "docs" / "reference" / name: text for name, text in texts.items()}


def main(arguments: list[str]) -> int:
    if arguments == ["update"]:
        for file, text in references().items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        return 0
    if arguments != ["check"]:
        print("usage: python -m tools.documents update|check")
        return 2
    files = tracked()
    findings = [*broken_links(files), *registry_hosts(files), *names_and_sizes(files)]
    for file, text in references().items():
        if not file.exists() or file.read_text("utf-8") != text:
            findings.append(f"{file.relative_to(ROOT)}: not current; run `python -m tools.documents update`")
    for finding in findings:
        print(finding)
    print(f"documents: {len(files)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
