"""The base of what belongs to the signed-in person."""

from __future__ import annotations

from apps.accounts.errors import NotWhileImpersonating
from apps.accounts.models import User
from apps.accounts.services.tokens import TokenCaller
from apps.common.api.views import ApiView, ApiViewSet


class PersonView(ApiView):
    """A view of the signed-in person's own account; API keys are no persons."""

    @property
    def session_key(self) -> str | None:
        """The session of this request, by token or by cookie."""
        if isinstance(self.request.auth, TokenCaller):
            return self.request.auth.session_key
        key: str | None = self.request._request.session.session_key
        return key

    @property
    def person(self) -> User:
        """Who is signed in."""
        assert isinstance(self.request.user, User), "people only: the gate saw to it"
        return self.request.user

    def require_person_alone(self) -> None:
        """Raise NotWhileImpersonating when an operator acts as this person."""
        if self.actor.impersonator is not None:
            raise NotWhileImpersonating


class PersonViewSet(PersonView, ApiViewSet):
    """Several actions on what belongs to the signed-in person."""
