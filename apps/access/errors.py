"""What can go wrong with API keys."""

from apps.common.errors import Conflict, Denied, NotAuthenticated


class KeyNotValid(NotAuthenticated):
    """No such key, or one that doesn't hold any more: which of them is not told."""

    code = "api_key_not_valid"
    detail = "This API key is not valid: it may be mistyped, expired or revoked, or its member may have left."


class AddressNotAllowed(Denied):
    """The key is good, but may not be used from here."""

    code = "address_not_allowed"
    detail = "This API key may not be used from this address."


class KeysMakeNoKeys(Denied):
    """Keys are made by people who are signed in."""

    code = "keys_make_no_keys"
    detail = "An API key can't make or rotate keys. Sign in to do it."


class NotYourKey(Denied):
    """Whoever has a person's key acts as that person, so nobody else gets one."""

    code = "not_your_key"
    detail = "Only the member whom a key acts for can rotate it. You can revoke it."


class KeyNotActive(Conflict):
    """The key was revoked, replaced or has expired."""

    code = "api_key_not_active"
