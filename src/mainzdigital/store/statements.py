"""Statements as data: each is named, and a test prepares them all against the migrated database."""

import re
from dataclasses import dataclass
from typing import LiteralString

_PLACEHOLDER = re.compile(r"%\((\w+)\)[sb]")


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with named placeholders (`%(name)s`, binary: `%(name)b`), each cast to its type where it first stands."""

    name: str
    sql: LiteralString

    def preparable(self) -> str:
        """The same with `$1`, `$2`, … as the server takes it."""
        numbers: dict[str, int] = {}
        text = _PLACEHOLDER.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", self.sql)
        return text.replace("%%", "%")


STATEMENTS: dict[str, Statement] = {}


def statement(name: str, sql: LiteralString) -> Statement:
    """Declare a statement, once per name."""
    if name in STATEMENTS:
        raise ValueError(f"the statement {name} is declared twice")
    STATEMENTS[name] = Statement(name, sql)
    return STATEMENTS[name]
