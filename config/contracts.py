"""A contract for import-linter that its own types can't express."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PublicSurface(Contract):
    """An app's models, tasks and clients are imported by that app alone.

    ``public`` are the modules of an app that others may import, ``open_to_all`` the apps that are open as a whole,
    ``exempt`` the subpackages (tests) that may look anywhere.
    """

    type_name = "public_surface"

    public = fields.SetField(subfield=fields.StringField())
    open_to_all = fields.SetField(subfield=fields.StringField(), required=False)
    exempt = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        violations = [
            detail
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if self._is_violation(importer, imported)
            for detail in graph.get_import_details(importer=importer, imported=imported)
        ]
        return ContractCheck(kept=not violations, metadata={"violations": violations})

    def _is_violation(self, importer: str, imported: str) -> bool:
        source, target = importer.split("."), imported.split(".")
        if source[0] != "apps" or target[0] != "apps" or len(target) < 3:
            return False
        app, part = target[1], target[2]
        if source[1] == app or app in self._listed("open_to_all"):
            return False
        if set(source[2:3]) & self._listed("exempt"):
            return False
        return part not in self._listed("public")

    def _listed(self, field: str) -> set[str]:
        """What the configuration lists: import-linter puts it, or None, in the place of the field."""
        return getattr(self, field) or set()

    def render_broken_contract(self, check: ContractCheck) -> None:
        for detail in check.metadata["violations"]:
            where = f"{detail['importer']} (line {detail['line_number']})"
            output.print_error(f"{where} imports {detail['imported']}: import its services instead")
