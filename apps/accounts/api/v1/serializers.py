"""What the accounts' endpoints read and show."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.accounts.services.passwords import PASSWORD_MAX_LENGTH
from apps.common.api.inputs import Input


class Password(serializers.CharField):
    """A password as it was typed: spaces belong to it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=PASSWORD_MAX_LENGTH, **kwargs)


class SignIn(Input):
    email = serializers.CharField(max_length=320)
    password = Password()
    totp = serializers.CharField(
        max_length=32, required=False, default="", allow_blank=True, help_text="The app's code, or a recovery code."
    )


class Refresh(Input):
    refresh = serializers.CharField(max_length=4096)


class SignOut(Input):
    refresh = serializers.CharField(
        max_length=4096, required=False, default="", help_text="When the access token has run out already."
    )


class VerifyEmail(Input):
    key = serializers.CharField(max_length=256, help_text="From the message, or the last part of its link.")


class ForgotPassword(Input):
    email = serializers.CharField(max_length=320)


class ResetPassword(Input):
    key = serializers.CharField(max_length=256, help_text="From the message, or the last part of its link.")
    password = Password()


class ChangePassword(Input):
    current_password = Password()
    new_password = Password()


class ChangeProfile(Input):
    name = serializers.CharField(max_length=150, allow_blank=True, required=False)
    locale = serializers.CharField(max_length=16, required=False)
    time_zone = serializers.CharField(max_length=64, required=False)


class Confirmation(Input):
    password = Password(help_text="The account's password, to make sure that it is you.")


class ActivateTotp(Input):
    setup = serializers.CharField(max_length=4096, help_text="As it came with the secret.")
    code = serializers.CharField(max_length=16, help_text="What the app shows now.")


class UserOutput(serializers.Serializer[Any]):
    """A person, as they see themselves."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    locale = serializers.CharField()
    time_zone = serializers.CharField()
    email_verified = serializers.BooleanField()
    mfa_active = serializers.BooleanField()
    is_operator = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class TokensOutput(serializers.Serializer[Any]):
    """Tokens; ``expires_in`` is the access token's, in seconds."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    expires_in = serializers.IntegerField()


class SignedInOutput(TokensOutput):
    """Tokens and whom they are for."""

    user = UserOutput()


class SessionOutput(serializers.Serializer[Any]):
    """Where the person is signed in."""

    id = serializers.CharField(source="pk")
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    address = serializers.CharField(source="ip")
    user_agent = serializers.CharField()
    current = serializers.SerializerMethodField()

    def get_current(self, session: Any) -> bool:
        """Whether it is the one of this request."""
        key: str | None = self.context["view"].session_key
        return bool(session.session_key == key)


class MfaStatusOutput(serializers.Serializer[Any]):
    """The person's second factor."""

    totp_active = serializers.BooleanField()
    activated_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    recovery_codes_left = serializers.IntegerField()


class TotpSetupOutput(serializers.Serializer[Any]):
    """An authenticator app that is being set up; send ``setup`` back with the app's first code."""

    secret = serializers.CharField()
    otpauth_uri = serializers.CharField()
    setup = serializers.CharField()


class RecoveryCodesOutput(serializers.Serializer[Any]):
    """Codes for when the app is lost; each works once. Shown this once."""

    recovery_codes = serializers.ListField(child=serializers.CharField())


class PersonalDataOutput(serializers.Serializer[Any]):
    """Everything that is stored about the person; one section for each part of the platform that keeps something."""

    exported_at = serializers.DateTimeField()
    account = serializers.DictField()
    addresses = serializers.ListField(child=serializers.DictField())
    two_step_sign_in = serializers.DictField()
    sessions = serializers.ListField(child=serializers.DictField())
    messages = serializers.ListField(child=serializers.DictField())

    def to_representation(self, instance: Any) -> Any:
        return instance
