from apps.workflows.selectors.named import NamedWorkflow, workflows_named

__all__ = ["NamedWorkflow", "workflows_named"]
