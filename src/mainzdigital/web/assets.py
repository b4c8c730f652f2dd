"""The built front end: which files belong to an entry, read from Vite's manifest."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mainzdigital.kernel.errors import Unavailable

BUILT = Path(__file__).resolve().parent / "static" / "built"


@dataclass(frozen=True, slots=True)
class Entry:
    """Files of one entry, relative to the static root."""

    script: str
    styles: tuple[str, ...]


@cache
def entry(name: str) -> Entry:
    """The entry `portal`, or an island such as `map`; raises Unavailable when the front end has not been built."""
    try:
        manifest = json.loads((BUILT / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        raise Unavailable(
            "the front end is not built", where=str(BUILT), remedy="run npm ci && npm run build in frontend/"
        ) from None
    for item in manifest.values():
        if item.get("isEntry") and item.get("name") == name:
            return Entry(f"built/{item['file']}", tuple(f"built/{path}" for path in _styles(manifest, item)))
    raise Unavailable(f"the built front end has no entry '{name}'", where=str(BUILT), remedy="build it again")


def _styles(manifest: dict[str, dict[str, list[str]]], item: dict[str, list[str]]) -> list[str]:
    found = list(item.get("css", []))
    for key in item.get("imports", []):
        found += [path for path in _styles(manifest, manifest[key]) if path not in found]
    return found
