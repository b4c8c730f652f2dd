"""The import contract of city modules (architecture 4), checked by import-linter beside its own kinds of contract."""

import importlib
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_PARTS = 3  # mainzdigital.apps.<slug>


class ModulesContract(Contract):
    """A module imports another only through its `public.py`, and only if that is in its `depends_on`; its own
    `module.py` imports nothing but the kernel."""

    apps = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found: list[str] = []
        for importer in sorted(name for name in graph.modules if name.startswith(f"{self.apps}.")):
            slug = importer.split(".")[_PARTS - 1]
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                if importer == f"{self.apps}.{slug}.module" and not self._is_kernel(imported):
                    found.append(f"{importer} imports {imported}: a declaration imports only the kernel")
                other = imported.split(".")[_PARTS - 1] if imported.startswith(f"{self.apps}.") else slug
                if other == slug:
                    continue
                if imported != f"{self.apps}.{other}.public":
                    found.append(f"{importer} imports {imported}: only {self.apps}.{other}.public may be imported")
                elif other not in self._depends_on(slug):
                    found.append(f"{importer} imports {imported}: '{other}' is not in depends_on of '{slug}'")
        return ContractCheck(kept=not found, metadata={"found": found})

    def _is_kernel(self, name: str) -> bool:
        root = str(self.apps).split(".")[0]
        return name.startswith(f"{root}.kernel") or not name.startswith(f"{root}.")

    def _depends_on(self, slug: str) -> tuple[str, ...]:
        return tuple(importlib.import_module(f"{self.apps}.{slug}.module").MODULE.depends_on)

    def render_broken_contract(self, check: Any) -> None:
        for line in check.metadata["found"]:
            output.print_error(line)
            output.new_line()
