"""What can be wrong with an app, and with what is asked of it."""

from __future__ import annotations

from apps.common.errors import Conflict, Denied, InvalidInput, NotFound


class DefinitionRefused(InvalidInput):
    """The definition isn't one that can be shown and run; ``errors`` point into it."""

    code = "invalid_definition"
    detail = "The definition is not valid; see errors."


class AppNotFound(NotFound):
    """This workspace has no app with this id or slug."""

    code = "app_not_found"
    detail = "There is no such app in this workspace."


class VersionNotFound(NotFound):
    """The app has no version with this number."""

    code = "version_not_found"
    detail = "This app has no version with this number."


class AppSlugTaken(Conflict):
    """Another app of the workspace has this slug."""

    code = "slug_taken"
    detail = "Another app of this workspace has this slug. Choose another one."


class AppInUse(Conflict):
    """The app can't be deleted as it is."""

    code = "app_in_use"


class NotLive(Conflict):
    """What was asked for needs an app that visitors can reach."""

    code = "app_not_live"


class NothingToRollBackTo(Conflict):
    """There is no earlier version to go back to, or not this one."""

    code = "nothing_to_roll_back_to"


class DatabaseRevisionMissing(Conflict):
    """The version needs migrations that the workspace's database hasn't had; ``needed`` and ``present`` say which."""

    code = "database_revision_missing"


class MayNotExpose(Denied):
    """The caller would open an app to visitors that nobody knows, without the right to."""

    code = "exposure_denied"
    permission = "apps.expose"
    detail = "This opens the app to anonymous visitors, which needs the permission apps.expose."


class PreviewOver(NotFound):
    """The preview's address has expired, or was never given out."""

    code = "preview_over"
    detail = "This preview has expired. Ask for a new one."


class NeverChanges(RuntimeError):
    """A version or release was about to be changed or deleted: a fault of the program, never of its caller."""
