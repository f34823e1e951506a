"""How often somebody may try: counted exactly, and in the database while Redis is down (``apps.common.rates``).

Elsewhere a dead cache lets callers through; guessing passwords must not get cheaper because Redis failed. Call these
outside of a transaction: a count that is rolled back with the refusal is none.
"""

from __future__ import annotations

import hashlib

from django.conf import settings

from apps.accounts.errors import TooManyAttempts
from apps.accounts.selectors import fold_email
from apps.common.rates import Rate, counted_as, hit


def count_sign_in(*, email: str, address: str) -> None:
    """Count one attempt for this account, from this address and from anywhere.

    Raises TooManyAttempts above ``RATE_SIGN_IN`` from the one, above ``RATE_SIGN_IN_ACCOUNT`` from all together: many
    addresses don't make guessing fast. What the address is refused doesn't use up what the account has.
    """
    account = fold_email(email)
    _count("sign-in", f"{account}|{counted_as(address)}", settings.RATE_SIGN_IN)
    _count("sign-in-account", account, settings.RATE_SIGN_IN_ACCOUNT)


def count_code(*, user_id: object) -> None:
    """Count one try of a second factor, from wherever it comes. Raises TooManyAttempts above ``RATE_SIGN_IN``."""
    _count("second-factor", str(user_id), settings.RATE_SIGN_IN)


def count_mail_request(*, address: str) -> None:
    """Count one request for mail from this address. Raises TooManyAttempts above ``RATE_SIGN_IN``."""
    _count("mail-request", counted_as(address), settings.RATE_SIGN_IN)


def count_mail_sent(*, address: str) -> None:
    """Count one message that somebody at this address had sent to wherever they liked. Raises TooManyAttempts above
    ``RATE_SIGN_IN``.
    """
    _count("mail-sent", counted_as(address), settings.RATE_SIGN_IN)


def count_registration(*, address: str) -> None:
    """Count one registration from this address. Raises TooManyAttempts above ``RATE_REGISTRATION``."""
    _count("registration", counted_as(address), settings.RATE_REGISTRATION)


def _count(scope: str, subject: str, rate: str) -> None:
    # What people type is of any length, and no address belongs in a key that operators read.
    count = hit(scope, hashlib.sha256(subject.encode(errors="replace")).hexdigest(), Rate.parse(rate))
    if not count.allowed:
        raise TooManyAttempts(retry_after=count.resets_in)
