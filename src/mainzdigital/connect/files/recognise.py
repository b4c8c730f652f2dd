"""Which mapping a file is for, by its columns; and all such files below a folder."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mainzdigital.connect.files import table
from mainzdigital.connect.files.decode import Decoder
from mainzdigital.connect.files.mapping import Mapping
from mainzdigital.kernel.errors import CityError, InvalidInput

_ENDINGS = {".csv", ".txt", ".tsv", ".xlsx", ".parquet"}


@dataclass(slots=True)
class Found:
    """Files below a folder with the mapping they fit, and how many fit none."""

    files: list[tuple[Path, Mapping]] = field(default_factory=list)
    skipped: int = 0


def recognise(path: Path, mappings: Iterable[Mapping]) -> Mapping | None:
    """The mapping whose columns the file has, the most exact one; None where none fits or the file is no table."""
    best: Mapping | None = None
    for mapping in mappings:
        try:
            examined = table.examine_head(path)
            header = table.find_header(examined, mapping)
            Decoder(mapping, header)
        except CityError:
            continue
        if best is None or len(mapping.columns) > len(best.columns):
            best = mapping
    return best


def walk(folder: Path, mappings: Iterable[Mapping]) -> Found:
    """All files below `folder` in order of their names; links to folders are not followed."""
    if not folder.is_dir():
        raise InvalidInput(f"there is no folder {folder}", where=str(folder), remedy="name the folder of the files")
    known = list(mappings)
    found = Found()
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(root) / name
            mapping = recognise(path, known) if path.suffix.lower() in _ENDINGS else None
            if mapping is None:
                found.skipped += 1
            else:
                found.files.append((path, mapping))
    return found
