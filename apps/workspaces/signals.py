"""What apps above may want to follow. A receiver that raises undoes the change."""

from django.dispatch import Signal

# These carry ``workspace``, ``actor`` and ``now``, and are sent in the transaction of the change, inside the schema.
#: The workspace has its schema and is active for the first time; what every workspace is born with is made now.
workspace_created = Signal()
#: It was made of an archive and holds that one's rows; what can't go on here, because it was under way there, ends now.
workspace_imported = Signal()
#: It may not be used any more; what it shows to the world must stop.
workspace_suspended = Signal()
workspace_closing = Signal()
#: It may be used again.
workspace_activated = Signal()
workspace_restored = Signal()

#: ``membership`` (left now), ``now``: sent in the transaction in which a person or a service account leaves.
member_left = Signal()

#: ``workspace``, ``before`` (its former plan's code), ``now``: sent inside the schema, in that transaction.
plan_changed = Signal()
