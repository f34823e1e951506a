"""How API requests say who calls."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.authentication import (
    SessionAuthentication as StockSessionAuthentication,
)


class SessionAuthentication(StockSessionAuthentication):
    """The browser session, with CSRF checked; used by the documentation and the consoles."""


class AccessTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <JWT>``."""

    def authenticate(self, request):  # type: ignore[no-untyped-def]
        return None
