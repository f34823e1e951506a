"""Expressions that users write: CEL, compiled, bounded, and never able to stop the process.

``compile_expression(source).evaluate(variables, now=now)``; see ``functions`` for what they may call and ``values`` for
the limits of a value.
"""

from .errors import EvaluationFailed, ExpressionError, ExpressionRefused, Position
from .program import Program, Reference, Scope, compile_expression
from .values import plain, weight

__all__ = [
    "EvaluationFailed",
    "ExpressionError",
    "ExpressionRefused",
    "Position",
    "Program",
    "Reference",
    "Scope",
    "compile_expression",
    "plain",
    "weight",
]
