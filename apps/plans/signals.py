"""What apps above may want to follow."""

from django.dispatch import Signal

#: ``plan_code``, ``dimension``, ``actor``, ``now``: sent in the transaction in which a plan's limit was changed.
plan_limit_changed = Signal()

#: ``plan_code``: sent in the transaction in which a plan is to be removed, with its row locked. Who needs it raises an
#: AppRunError.
plan_removed = Signal()
