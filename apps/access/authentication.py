"""How programs say who calls."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.access.services.recognition import KeyPrincipal, recognise_key
from apps.common.api.addresses import caller_address

_SCHEME = "api-key"


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Api-Key <prefix>.<secret>``. Raises KeyNotValid for a key that doesn't hold."""

    def authenticate(self, request: Request) -> tuple[Any, KeyPrincipal] | None:
        scheme, _, presented = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != _SCHEME:
            return None
        principal = recognise_key(presented=presented.strip(), address=caller_address(request), now=timezone.now())
        return principal, principal

    def authenticate_header(self, request: Request) -> str:
        return "Api-Key"
