"""What can be wrong with an expression, before it runs and while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from apps.common.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an expression's source: line and column count from 1, in characters."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"


class ExpressionError(InvalidInput):
    """An expression can't be used, or gave no usable value.

    ``code`` is stable, ``position`` the place in the source where it is known. ``detail`` names both.
    """

    code = "expression_error"

    def __init__(self, detail: str, *, code: str | None = None, position: Position | None = None) -> None:
        super().__init__(f"{detail.rstrip('.')} ({position})." if position else detail, code=code)
        self.position = position


class ExpressionRefused(ExpressionError):
    """The source is no expression that we run.

    Codes: ``expression_syntax``, ``expression_too_long``, ``expression_too_deep``, ``expression_unknown_function``,
    ``expression_wrong_arguments``, ``expression_not_supported``.
    """

    code = "expression_syntax"


class EvaluationFailed(ExpressionError):
    """The expression ran and gave no value.

    Codes: ``division_by_zero``, ``overflow``, ``unknown_name``, ``missing_field``, ``out_of_range``, ``wrong_type``,
    ``bad_argument``, ``value_too_large``, ``not_a_number``, ``bad_text``,
    ``run_too_long``.
    """

    code = "evaluation_failed"
