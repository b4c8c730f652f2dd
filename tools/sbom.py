"""The bill of materials (CycloneDX 1.6, JSON): every package that a city runs or sends to browsers, with its hashes.

`python -m tools.sbom FILE`. Python packages are those of `requirements/run.txt`, those of the front end of
`frontend/package-lock.json` without what only builds it.
"""

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)")


def locked(file: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and SHA-256 sums of each package of a lock file."""
    entries: list[tuple[str, str, list[str]]] = []
    for line in file.read_text("utf-8").splitlines():
        if found := _PINNED.match(line):
            entries.append((found[1], found[2], []))
        if entries:
            entries[-1][2].extend(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    yield from entries


def _licence(name: str) -> str:
    try:
        told = metadata(name)
    except PackageNotFoundError:  # of another platform
        return ""
    if "License-Expression" in told:
        return str(told["License-Expression"])
    text = str(told["License"]) if "License" in told else ""
    if text and "\n" not in text and len(text) < 80:
        return text
    named = [
        str(each).rsplit(" :: ", 1)[-1] for each in (told.get_all("Classifier") or []) if each.startswith("License ::")
    ]
    return named[0] if named else ""


def _component(name: str, version: str, kind: str, hashes: list[HashType], licence: str) -> Component:
    namespace, _, short = name.rpartition("/")
    url = PackageURL(type=kind, namespace=namespace or None, name=short, version=version)
    return Component(
        type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=str(url), hashes=hashes,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
    )  # fmt: skip


def python_components() -> Iterator[Component]:
    for name, version, sums in locked(ROOT / "requirements" / "run.txt"):
        hashes = [HashType(alg=HashAlgorithm.SHA_256, content=each) for each in sums]
        yield _component(name, version, "pypi", hashes, _licence(name))


def browser_components() -> Iterator[Component]:
    packages = json.loads((ROOT / "frontend" / "package-lock.json").read_text("utf-8"))["packages"]
    for path, entry in packages.items():
        if not path or entry.get("dev") or entry.get("link"):
            continue
        name = path.rpartition("node_modules/")[2]
        algorithm, _, coded = entry.get("integrity", "").partition("-")
        hashes = []
        if algorithm == "sha512":
            hashes = [HashType(alg=HashAlgorithm.SHA_512, content=base64.b64decode(coded).hex())]
        yield _component(name, entry["version"], "npm", hashes, entry.get("license", ""))


def bill() -> str:
    """The document; raises ValueError where it does not follow the schema."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bom = Bom()
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION, name=project["name"], version=project["version"], bom_ref=project["name"],
        licenses=[LicenseFactory().make_from_string(project["license"])],
    )  # fmt: skip
    for component in (*python_components(), *browser_components()):
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(str(wrong))
    return text


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tools.sbom FILE")
        return 2
    target = Path(arguments[0])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(bill() + "\n", "utf-8")
    print(f"{target}: {len(json.loads(target.read_text('utf-8'))['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
