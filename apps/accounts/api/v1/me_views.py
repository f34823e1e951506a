"""The signed-in person's own account."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from apps.accounts.api.v1.person import PersonView, PersonViewSet
from apps.accounts.api.v1.serializers import (
    ActivateTotp,
    ChangeProfile,
    Confirmation,
    MfaStatusOutput,
    PersonalDataOutput,
    RecoveryCodesOutput,
    SessionOutput,
    TotpSetupOutput,
    UserOutput,
)
from apps.accounts.selectors import live_sessions, mfa_status, user_profile
from apps.accounts.services.mfa import activate_totp, begin_totp, deactivate_totp, renew_recovery_codes
from apps.accounts.services.passwords import confirm_password
from apps.accounts.services.personal_data import erase_person, export_personal_data
from apps.accounts.services.profiles import update_profile
from apps.accounts.services.sessions import end_session
from apps.common.api.pagination import Listing
from apps.common.api.permissions import SIGNED_IN
from apps.common.revisions import revision_of


class MeView(PersonView):
    """The person."""

    required = {"get": SIGNED_IN, "patch": SIGNED_IN}
    inputs = {"patch": ChangeProfile}
    outputs = {"get": UserOutput, "patch": UserOutput}
    conditional = {"patch": "optional"}

    def get(self, request: Any) -> Response:
        """Who I am."""
        return self.answer(user_profile(self.person), revision=revision_of(self.person))

    def patch(self, request: Any) -> Response:
        """Change name, language or time zone."""
        changed = update_profile(
            user=self.person, changes=self.read(), expected=self.expected, actor=self.actor, now=self.now
        )
        return self.answer(user_profile(changed), revision=revision_of(changed))


class SessionViewSet(PersonViewSet):
    """Where the person is signed in."""

    required = {"list": SIGNED_IN, "destroy": SIGNED_IN}
    outputs = {"list": Listing(SessionOutput, orders=("-created_at",)), "destroy": None}

    def list(self, request: Any) -> Response:
        """Where I am signed in, the latest first."""
        return self.page(live_sessions(user=self.person, now=self.now))

    def destroy(self, request: Any, session: str) -> Response:
        """Sign one session out; its tokens die with it."""
        self.require_person_alone()
        end_session(user=self.person, session_id=session, actor=self.actor, now=self.now)
        return self.nothing()


class _MfaView(PersonView):
    """Two-step sign-in: changes ask for the password, and are the person's alone."""

    def confirm(self, password: str) -> None:
        self.require_person_alone()
        confirm_password(user=self.person, password=password, actor=self.actor, now=self.now)


class MfaView(_MfaView):
    """Two-step sign-in."""

    required = {"get": SIGNED_IN}
    outputs = {"get": MfaStatusOutput}

    def get(self, request: Any) -> Response:
        """Whether two-step sign-in is active."""
        return self.answer(mfa_status(self.person))


class TotpSetupView(_MfaView):
    """Set an authenticator app up."""

    required = {"post": SIGNED_IN}
    inputs = {"post": Confirmation}
    outputs = {"post": TotpSetupOutput}
    idempotent = False

    def post(self, request: Any) -> Response:
        """A new secret for an authenticator app. Nothing is active until a code of the app comes back."""
        self.confirm(self.read()["password"])
        return self.answer(begin_totp(user=self.person, now=self.now))


class TotpActivateView(_MfaView):
    """Turn two-step sign-in on."""

    required = {"post": SIGNED_IN}
    inputs = {"post": ActivateTotp}
    outputs = {"post": RecoveryCodesOutput}
    idempotent = False

    def post(self, request: Any) -> Response:
        """Turn two-step sign-in on by the app's first code; answers with the recovery codes, this once."""
        self.require_person_alone()
        codes = activate_totp(user=self.person, **self.read(), actor=self.actor, now=self.now)
        return self.answer({"recovery_codes": codes})


class TotpDeactivateView(_MfaView):
    """Turn two-step sign-in off."""

    required = {"post": SIGNED_IN}
    inputs = {"post": Confirmation}
    outputs = {"post": None}
    idempotent = False

    def post(self, request: Any) -> Response:
        """Turn two-step sign-in off; the recovery codes go with it."""
        self.confirm(self.read()["password"])
        deactivate_totp(user=self.person, actor=self.actor, now=self.now)
        return self.nothing()


class RecoveryCodesView(_MfaView):
    """Recovery codes."""

    required = {"post": SIGNED_IN}
    inputs = {"post": Confirmation}
    outputs = {"post": RecoveryCodesOutput}
    idempotent = False

    def post(self, request: Any) -> Response:
        """New recovery codes; the old ones stop working."""
        self.confirm(self.read()["password"])
        return self.answer({"recovery_codes": renew_recovery_codes(user=self.person, actor=self.actor, now=self.now)})


class ExportView(PersonView):
    """The person's data."""

    required = {"post": SIGNED_IN}
    outputs = {"post": PersonalDataOutput}
    idempotent = False

    def post(self, request: Any) -> Response:
        """Everything that is stored about me, as JSON."""
        self.require_person_alone()
        return self.answer(export_personal_data(user=self.person, actor=self.actor, now=self.now))


class EraseView(_MfaView):
    """The person's erasure."""

    required = {"post": SIGNED_IN}
    inputs = {"post": Confirmation}
    outputs = {"post": None}
    idempotent = False

    def post(self, request: Any) -> Response:
        """Erase my data for good. 409 ``erasure_obstructed`` with ``obstacles`` while something needs me."""
        self.confirm(self.read()["password"])
        erase_person(user=self.person, actor=self.actor, now=self.now)
        return self.nothing()
