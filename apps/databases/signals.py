"""What other parts of this app may want to follow. A receiver that raises undoes the change."""

from django.dispatch import Signal

#: ``database``, ``actor``, ``now``: sent in the transaction in which a database becomes ready for the first time.
database_ready = Signal()
#: ``database``, ``now``: sent in the transaction in which it is written down that a database is gone from its server.
database_deleted = Signal()
