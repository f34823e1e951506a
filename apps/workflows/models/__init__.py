from apps.workflows.models.run import Run, StepRun
from apps.workflows.models.workflow import Workflow

__all__ = ["Run", "StepRun", "Workflow"]
