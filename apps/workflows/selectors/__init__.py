"""Reads of workflows and runs, in the entered workspace."""

from apps.workflows.selectors.named import NamedWorkflow, workflows_named

__all__ = ["NamedWorkflow", "workflows_named"]
