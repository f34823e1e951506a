"""What apps above may want to follow."""

from django.dispatch import Signal

#: ``membership`` (left now), ``now``: sent in the transaction in which a person or a service account leaves.
member_left = Signal()
