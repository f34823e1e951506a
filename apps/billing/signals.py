"""What apps above hear of quotas."""

from django.dispatch import Signal

#: A hard limit is another one from now on (a plan, an override, the end of one or of a grace), or use may now go on
#: above it, or not any more. Sent inside the workspace, in the transaction: ``workspace``, ``dimension``, ``now``.
limits_changed = Signal()
