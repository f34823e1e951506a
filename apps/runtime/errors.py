"""What can keep a visitor from an app."""

from __future__ import annotations

from datetime import UTC, datetime

from apps.common.errors import (
    AppRunError,
    Denied,
    Gone,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Unavailable,
)


class NoSuchApp(NotFound):
    """There is no published app under this address, or none that this caller may know of."""

    code = "app_not_found"
    detail = "There is no app at this address."


class NoSuchAction(NotFound):
    """The page of the current version has no form for this action."""

    code = "action_not_found"
    detail = "This page has no such action. It may have changed: load it again."


class NoSuchRun(NotFound):
    """There is no such run, or it is another visitor's."""

    code = "run_not_found"
    detail = "There is no such result, or it is no longer kept."


class AppArchived(Gone):
    """The app has been put away."""

    code = "app_archived"
    detail = "This app has been archived by its owner."


class AppSuspended(Unavailable):
    """The app's workspace is suspended."""

    code = "app_suspended"
    detail = "This app is not available at present."


class SignInRequired(NotAuthenticated):
    """The app is for people who are signed in."""

    code = "sign_in_required"
    detail = "Sign in to open this app."


class PasswordRequired(NotAuthenticated):
    """The app asks for its password first."""

    code = "password_required"
    detail = "It opens for whoever its owner gave the password to."


class WrongPassword(InvalidInput):
    """That isn't the app's password."""

    code = "wrong_password"
    detail = "That is not the password of this app."


class LinkRequired(Denied):
    """The app opens only with its link."""

    code = "link_required"
    detail = "This app opens only with the link that its owner shares."


class AddressNotAllowed(Denied):
    """The visitor's network address isn't on the app's list."""

    code = "address_not_allowed"
    detail = "This app can't be opened from your network."


class RoleNotAllowed(Denied):
    """The member's role isn't on the app's list."""

    code = "role_not_allowed"
    detail = "Your role in this workspace doesn't include this app."


class ForgedRequest(Denied):
    """A request came without the token of the visitor's session, or from another site."""

    code = "forged_request"
    detail = "This form was open for too long, or cookies are blocked. Nothing was sent; send it again."


class TooManyRequests(RateLimited):
    """The visitor, or all visitors of the app together, asked too often."""

    code = "rate_limited"


class DatabaseDown(Unavailable):
    """PostgreSQL doesn't answer, and this needs it."""

    code = "database_unavailable"
    detail = "This can't be done right now. Try again in a few seconds."


class AppOverAllowance(QuotaExceeded):
    """A limit of the app's workspace is reached. Visitors learn when it is over; ``told_members`` says how much of what
    was used."""

    def __init__(self, told_members: AppRunError, *, resets_at: datetime | None) -> None:
        detail = "It has been used so much that its allowance is spent for now."
        if resets_at is None:
            detail += " Its owner can give it more."
        else:
            detail += f" It is back on {resets_at.astimezone(UTC):%-d %B %Y at %H:%M} UTC."
        at = None if resets_at is None else f"{resets_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        super().__init__(detail, resets_at=at)
        self.told_members = told_members
