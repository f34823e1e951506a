"""Registration over HTTP. It is here, not with the accounts, because it answers with the new workspace."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.selectors import user_profile
from apps.accounts.services.registration import register_user
from apps.common.api.outputs import Created
from apps.common.api.permissions import OPEN
from apps.common.api.views import ApiView
from apps.workspaces.api.v1.serializers import RegistrationInput, RegistrationOutput
from apps.workspaces.selectors.listing import default_membership_of


class RegistrationView(ApiView):
    """New accounts."""

    required = {"post": OPEN}
    inputs = {"post": RegistrationInput}
    outputs = {"post": Created(RegistrationOutput)}

    def post(self, request: Request) -> Response:
        """Register. The answer has the workspace that everybody gets; a message asks to prove the address."""
        user = register_user(actor=self.actor, now=self.now, **self.read())
        membership = default_membership_of(user)
        shown: dict[str, Any] = {"user": user_profile(user), "workspace": membership}
        return self.created(shown, location=f"/api/v1/workspaces/{membership.workspace.slug}")
