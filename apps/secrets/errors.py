"""What can go wrong with sealed values."""

from apps.common.errors import Unavailable


class KeyMissing(Unavailable):
    """A value was sealed with a key-encryption key that this process does not have."""

    code = "sealing_key_missing"
    detail = "A stored secret can't be opened: its key is not configured. Ask the operator to restore SECRETS_KEYS."


class SealBroken(RuntimeError):
    """A sealed value was changed, or belongs to another row or field."""
