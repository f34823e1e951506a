"""What can stand in the way of a person's account."""

from apps.common.errors import Conflict, Denied, InvalidInput, NotAuthenticated, RateLimited


class EmailTaken(Conflict):
    """Somebody is registered with this address, whether or not they proved that it is theirs."""

    code = "email_taken"
    detail = "Somebody with this e-mail address is registered already. Sign in, or reset the password."


class CredentialsRefused(NotAuthenticated):
    """No such address, or not its password: which of the two is never told."""

    code = "invalid_credentials"
    detail = "The e-mail address and the password don't belong together."


class AccountInactive(NotAuthenticated):
    """The right password of a deactivated account."""

    code = "account_inactive"
    detail = "This account is deactivated. Ask the operator of this platform."


class LastOperator(Conflict):
    """Without this person nobody could run the platform."""

    code = "last_operator"
    detail = "This is the last operator of the platform. Make another one first."


class AlreadyErased(Conflict):
    """A person whose data were erased can't come back."""

    code = "already_erased"
    detail = "This person's data were erased. They can register anew."


class MfaRequired(NotAuthenticated):
    """The password is right; the account also asks for a code."""

    code = "mfa_required"
    detail = "Send the code of your authenticator app, or a recovery code, as totp."


class MfaInvalid(NotAuthenticated):
    """The password is right, the code is not (or was used before)."""

    code = "mfa_invalid"
    detail = "This code is not valid now. Send the present one; each works once."


class TokenRefused(NotAuthenticated):
    """An access or refresh token that is malformed, expired, spent, or whose session has ended."""

    code = "token_invalid"
    detail = "This token is not valid, or not any more. Sign in again."


class TooManyAttempts(RateLimited):
    """The limit for signing in or registering is reached."""

    code = "too_many_attempts"
    detail = "Too many attempts. Wait, then try again."


class PasswordRefused(Denied):
    """A sensitive change was not confirmed with the account's password."""

    code = "password_wrong"
    detail = "This is not your present password."


class NotWhileImpersonating(Denied):
    """An operator who looks through a person's eyes may not change how that person signs in."""

    code = "not_while_impersonating"
    detail = "This belongs to the person alone. Stop acting as them first."


class KeyRefused(InvalidInput):
    """A key from an e-mail that is malformed, expired or used."""

    code = "key_invalid"
    detail = "This link or key is not valid any more. Ask for a new one."


class EmailNotVerified(Conflict):
    """Two-step sign-in would lock out the owner of an address that nobody proved."""

    code = "email_not_verified"
    detail = "Verify your e-mail address first; the link is in the message that you got when you registered."


class MfaAlreadyActive(Conflict):
    """An authenticator app is set up already."""

    code = "mfa_already_active"
    detail = "Two-step sign-in is active. Deactivate it before you set up another authenticator app."


class MfaNotActive(Conflict):
    """There is no authenticator app."""

    code = "mfa_not_active"
    detail = "Two-step sign-in is not active."


class ErasureObstructed(Conflict):
    """Something needs this person; ``obstacles`` says what, a sentence each."""

    code = "erasure_obstructed"
