"""What stands in deploy/ and in the operator's guide can be parsed, and every command and setting it names exists."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from mainzdigital.config import reference

ROOT = Path(__file__).resolve().parents[2]
DEPLOY, GUIDE = ROOT / "deploy", ROOT / "docs" / "operate"
UNITS = sorted((DEPLOY / "systemd").iterdir())
TEXTS = [
    *(file for file in sorted(DEPLOY.rglob("*")) if file.is_file()),
    *sorted(GUIDE.glob("*.md")),
    ROOT / "README.md",
    ROOT / "README.de.md",
]


def _code(file: Path) -> str:
    """What is meant to be typed: all of a file of deploy/, of a document its code."""
    text = file.read_text("utf-8")
    if file.suffix != ".md":
        return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))])


def _calls(text: str) -> list[list[str]]:
    found = re.findall(r"(?:^|[\s/;'\"(\[])mainzdigital((?:[ ,\"]+[^\s;|`)]+)+)", text, re.MULTILINE)
    calls = [re.split(r"[ ,\"]+", words.strip(" ,\"'")) for words in found]
    return [words for words in calls if re.fullmatch(r"[a-z][a-z-]*", words[0])]


def _wrong(words: list[str]) -> str:
    """What of a command line does not exist; empty if all does."""
    from mainzdigital.config.commands import cli

    command: click.Command = cli
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        name = rest.pop(0)
        inner = command.get_command(click.Context(command), name)
        if inner is None:
            return f"there is no command {name} in {' '.join(words)}"
        command = inner
    options = {name for each in command.params for name in each.opts} | {"--help"}
    for word in rest:
        if word.startswith("--") and word.partition("=")[0] not in options:
            return f"{' '.join(words)}: there is no option {word}"
    return ""


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_commands_and_settings_exist(file: Path) -> None:
    if file.parent == DEPLOY / "systemd":
        text = "\n".join(line for line in file.read_text().splitlines() if line.startswith("Exec"))
    else:
        text = _code(file)
    # In what creates users and databases the name is not the command.
    lines = [line for line in text.splitlines() if not re.search(r"\b(createuser|createdb|useradd|install) ", line)]
    calls = _calls("\n".join(lines))
    assert [wrong for words in calls if (wrong := _wrong(words))] == []
    named = set(re.findall(r"MAINZDIGITAL_[A-Z_]+", file.read_text("utf-8")))
    known = {name.partition("<")[0] for name in reference.environment()}
    assert named - known == set()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)) - targets == set()


def test_the_check_sees_what_is_wrong() -> None:
    assert [_wrong(words) for words in _calls("x; mainzdigital backup --verify FILE\nmainzdigital key list")] == [
        "",
        "",
    ]
    assert "no command fly" in _wrong(_calls("mainzdigital fly now")[0])
    assert "no option --fast" in _wrong(_calls("/opt/bin/mainzdigital backup --fast x")[0])
    assert "no command steal" in _wrong(_calls('["mainzdigital", "key", "steal"]')[0])


def test_the_guide_names_every_command_of_operators() -> None:
    guide = "\n".join(_code(file) for file in GUIDE.glob("*.md"))
    named = {" ".join(words[:2]) for words in _calls(guide)} | {words[0] for words in _calls(guide)}
    assert named >= {"backup", "restore", "upgrade", "check", "run", "demo", "database move", "key create", "key list"}


def test_files_that_are_named_are_there() -> None:
    for file in GUIDE.glob("*.md"):
        for name in re.findall(r"\b(?:deploy|requirements)/[\w./-]+\w", file.read_text("utf-8")):
            assert (ROOT / name).exists() or name == "deploy/.env", f"{file.name}: {name}"


@pytest.mark.parametrize("unit", UNITS, ids=lambda file: file.name)
def test_units_are_well_formed(unit: Path) -> None:
    section, known = "", {"Unit", "Service", "Install", "Timer"}
    for line in unit.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
            assert section in known
            continue
        assert re.fullmatch(r"[A-Z]\w+=.*", line), line
        assert section
        for name in re.findall(r"mainzdigital[\w-]*\.(?:service|target|timer)", line):
            assert (unit.parent / name).exists(), name
    text = unit.read_text()
    if unit.suffix == ".service":
        for guard in ("User=mainzdigital", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n"):
            assert guard in text
        command = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        assert shlex.split(command.removeprefix("ExecStart="))


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        return  # well-formedness is tested above
    program = tmp_path / "mainzdigital"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        text = unit.read_text().replace("/opt/mainzdigital/venv/bin/mainzdigital", str(program))
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "mainzdigital" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def _blocks(text: str, *, opening: str, closing: str) -> int:
    depth = 0
    for line in text.splitlines():
        depth += line.count(opening) - line.count(closing)
        assert depth >= 0, line
    return depth


def test_proxies_are_well_formed(tmp_path: Path) -> None:
    nginx = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    assert _blocks(nginx, opening="{", closing="}") == 0
    for line in filter(None, (line.strip() for line in nginx.splitlines())):
        assert line[-1] in ";{}", line
    caddy = re.sub(r"(?m)^\s*#.*", "", (DEPLOY / "Caddyfile").read_text())
    assert _blocks(caddy, opening="{", closing="}") == 0
    for text in (nginx, caddy):
        assert "127.0.0.1:8000" in text
    assert "proxy_buffering off" in nginx
    assert "X-Forwarded-For $remote_addr" in nginx, "what the caller claims is not passed on"


def test_container_files() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    city, database = compose["services"]["city"], compose["services"]["database"]
    assert (DEPLOY / city["build"]["context"] / city["build"]["dockerfile"]).exists()
    assert city["depends_on"] == {"database": {"condition": "service_healthy"}}
    assert "healthcheck" in database
    used = {volume.split(":")[0] for each in (city, database) for volume in each["volumes"]}
    assert used == set(compose["volumes"])
    text = (DEPLOY / "Containerfile").read_text().replace("\\\n", " ")
    stages: set[str] = set()
    for line in filter(None, text.splitlines()):
        if line.startswith(("#", " ")):
            continue
        word, _, rest = line.partition(" ")
        assert word in {
            "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD",
        }, line  # fmt: skip
        if word == "FROM" and " AS " in rest:
            stages.add(rest.split(" AS ")[1])
        if word == "COPY":
            parts = rest.split()
            if parts[0].startswith("--from="):
                assert parts[0].removeprefix("--from=") in stages
                continue
            for source in parts[:-1]:
                assert (ROOT / source).exists(), source
    assert "USER mainzdigital" in text
    assert "--require-hashes" in text


def test_locks_hold_what_is_asked_for() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from tools.sbom import locked

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = {
        "run.txt": project["project"]["dependencies"],
        "dev.txt": [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]],
    }
    found: dict[str, dict[str, str]] = {}
    for name, asked in groups.items():
        found[name] = {}
        for package, version, sums in locked(ROOT / "requirements" / name):
            assert sums, f"{package} has no hash"
            found[name][package.lower().replace("_", "-").replace(".", "-")] = version
        for text in asked:
            requirement = Requirement(text)
            version_found = found[name].get(requirement.name.lower().replace("_", "-").replace(".", "-"))
            assert version_found is not None, f"{name} lacks {text}: run `make lock`"
            assert requirement.specifier.contains(version_found), (
                f"{name}: {text} is not {version_found}: run `make lock`"
            )
    differing = {name for name, version in found["run.txt"].items() if found["dev.txt"].get(name) != version}
    assert differing == set(), "what is tested is what is installed"


def test_the_bill_of_materials_names_what_runs() -> None:
    import json

    from tools.sbom import bill

    found = {each["purl"].split("@")[0] for each in json.loads(bill())["components"]}
    assert {"pkg:pypi/django", "pkg:pypi/psycopg", "pkg:npm/maplibre-gl"} <= found
    assert not {"pkg:pypi/pytest", "pkg:npm/vite"} & found
    assert sys.version_info >= (3, 11)
