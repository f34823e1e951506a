"""What can keep the state of the backups from being known. Each text is fit to be shown as it is."""

from __future__ import annotations


class RecoveryError(Exception):
    """The state of the backups can't be told."""


class CommandFailed(RecoveryError):
    """`pgbackrest` or `psql` ended with an error, or isn't there."""


class AnswerNotUnderstood(RecoveryError):
    """A program answered in a form that this code doesn't know; never taken for a good sign."""
