"""The reject file: what was not taken, row by row, with reason and remedy, as a table a clerk can open."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from mainzdigital.connect.files.problems import Problem

_NUMBER = re.compile(r"^[+-]?[\d.,]+$")
Entry = tuple[int, Problem]


def path_for(folder: Path, *, name: str, sha256: str) -> Path:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(name).stem)[:60] or "file"
    return folder / f"{stem}-{sha256[:12]}.csv"


def header() -> list[str]:
    from django.utils.translation import gettext as _

    return [_("Row"), _("Column"), _("Value"), _("Reason"), _("What to do")]


def harmless(text: str) -> str:
    """A cell that no spreadsheet program takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" and text and not _NUMBER.match(text) else text


class Rejects:
    """Appends to the reject file of one source file. Entries after `position` are dropped at the start:

    they belong to a chunk that was not committed and will come again.
    """

    def __init__(self, path: Path, *, position: int) -> None:
        self.path = path
        self.count = 0
        if position == 0:
            path.unlink(missing_ok=True)
        elif path.exists():
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.reader(file, delimiter=";"))
            kept = [row for row in rows[1:] if row and row[0].isdecimal() and int(row[0]) <= position]
            self.count = len(kept)
            self._write(kept, fresh=True)

    def add(self, entries: Iterable[Entry]) -> None:
        """Write entries through to the disk, before the chunk they belong to is committed."""
        rows = []
        for number, problem in entries:
            reason, remedy = problem.words()
            rows.append([str(number), harmless(problem.column), harmless(problem.value), reason, remedy])
        if rows:
            self._write(rows, fresh=not self.path.exists())
            self.count += len(rows)

    def _write(self, rows: list[list[str]], *, fresh: bool) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("w" if fresh else "a", encoding="utf-8-sig" if fresh else "utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=";")
            if fresh:
                writer.writerow(header())
            writer.writerows(rows)
