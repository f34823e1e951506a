"""The grammar of workflows: pure, read by whoever shows, checks or runs one."""

from .grammar import workflow_definitions, workflow_schema
from .plan import Plan, PlannedStep, compile_workflow, plans
from .registry import StepCall, StepKind, kinds, register
from .validation import validate_workflow

__all__ = [
    "Plan",
    "PlannedStep",
    "StepCall",
    "StepKind",
    "compile_workflow",
    "kinds",
    "plans",
    "register",
    "validate_workflow",
    "workflow_definitions",
    "workflow_schema",
]
