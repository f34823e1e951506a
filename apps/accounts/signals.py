"""What upper apps may listen to.

A person is made in many ways (the API, the sign-up page, a command, the console); Django's ``post_save`` of
``accounts.User`` with ``created=True`` is the one place that sees them all.
"""

from django.dispatch import Signal

#: A person's data is being erased, inside the transaction that does it: erase yours. Sent with ``user``, ``now``.
user_erased = Signal()

#: A person proved that an address is theirs. Sent with ``user``, ``email``, ``now``.
email_verified = Signal()

#: The password of an account whose address was never proved was reset by mail: whoever registered it may be somebody
#: else. Take back what lets them in without the password. Sent with ``user``, ``actor``, ``now``, in the transaction
#: of a reset by the API.
unproved_account_reset = Signal()
