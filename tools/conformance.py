"""Which test shows which requirement of OGC 18-088: read from the docstrings of tests/conformance.

A test names the requirements it shows as `req/create-update-delete/deep-insert`. docs/reference/conformance.md is made
from that, and tests/conformance/test_landing_page.py holds the service root against it.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "conformance"
SPECIFICATION = "http://www.opengis.net/spec/iot_sensing/1.1/"
_NAMED = re.compile(r"\breq/[a-z-]+(?:/[a-z-]+)*")
_ENTITIES = (
    "thing", "location", "historical-location", "datastream", "sensor", "observed-property", "observation",
    "feature-of-interest",
)  # fmt: skip
# The requirements classes of 18-088, Annex A, and their requirements.
CLASSES: Mapping[str, tuple[str, ...]] = {
    "req/datamodel": (
        "entity-control-information/common-control-information",
        *(f"{entity}/{part}" for entity in _ENTITIES for part in ("properties", "relations")),
    ),
    "req/resource-path": ("resource-path-to-entities",),
    "req/request-data": (
        "status-code", "query-status-code", "order", "expand", "select", "orderby", "top", "skip", "count", "filter",
        "built-in-filter-operations", "built-in-query-functions", "pagination",
    ),
    "req/create-update-delete": (
        "create-entity", "link-to-existing-entities", "deep-insert", "deep-insert-status-code", "update-entity",
        "update-entity-put", "update-entity-jsonpatch", "delete-entity", "historical-location-auto-creation",
        "historical-location-manual-creation",
    ),
    "req/batch-request": ("batch-request",),
    "req/multi-datastream": ("properties", "relations", "constraints"),
    "req/data-array": ("data-array",),
    "req/create-observations-via-mqtt": ("observations-creation",),
    "req/receive-updates-via-mqtt": ("receive-updates",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A requirement, by its name below SPECIFICATION, and the tests that name it as (file, function)."""

    requirement: str
    tests: tuple[tuple[str, str], ...]


def requirements() -> dict[str, str]:
    """Every requirement of the standard → its class."""
    return {f"{name}/{part}": name for name, parts in CLASSES.items() for part in parts}


def named(folder: Path = FOLDER) -> dict[str, list[tuple[str, str]]]:
    """What the docstrings of tests name → the tests, as (file, function)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for file in sorted(folder.glob("test_*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for name in dict.fromkeys(_NAMED.findall(ast.get_docstring(node) or "")):
                    found.setdefault(name, []).append((file.name, node.name))
    return found


def covered(folder: Path = FOLDER) -> frozenset[str]:
    """Requirements that a test shows, and classes all of whose requirements are shown."""
    shown = frozenset(named(folder))
    whole = {name for name, parts in CLASSES.items() if all(f"{name}/{part}" in shown for part in parts)}
    return shown | whole


def document() -> str:
    """docs/reference/conformance.md."""
    shown, complete = named(), covered()
    lines = [
        "# Conformance",
        "",
        "<!-- Made from the code by `python -m tools.documents update`. -->",
        "",
        "Requirements of OGC SensorThings API 1.1 (18-088) and the tests that show them over HTTP, from the docstrings",
        "of [tests/conformance](../../tests/conformance). The service root lists exactly what is shown.",
        f"Names stand below `{SPECIFICATION}`.",
        "",
        "| class | requirement | tests |",
        "|---|---|---|",
    ]
    for name, parts in CLASSES.items():
        for index, part in enumerate(parts):
            tests = shown.get(f"{name}/{part}", [])
            head = f"`{name}`{', complete' if name in complete else ''}" if not index else ""
            cell = ", ".join(f"[{test}](../../tests/conformance/{file})" for file, test in tests) or "none yet"
            lines.append(f"| {head} | `{part}` | {cell} |")
    return "\n".join([*lines, ""])
