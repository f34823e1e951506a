"""How a person is recognised by address and password."""

from allauth.account.auth_backends import AuthenticationBackend


class EmailBackend(AuthenticationBackend):
    """allauth's, which compares addresses without case and hashes even for unknown ones."""
