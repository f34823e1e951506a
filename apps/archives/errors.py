"""What can go wrong with archives of workspaces."""

from apps.common.errors import AppRunError, Conflict, Gone, NotFound, TooLarge


class ArchiveRefused(AppRunError):
    """The file can't be imported; ``code`` says why, ``detail`` where."""

    code = "archive_refused"


class ArchiveBroken(ArchiveRefused):
    """It is not whole: cut off, changed, or no archive at all."""

    code = "archive_broken"


class ArchiveForeign(ArchiveRefused):
    """It is whole, and of a format or a release that this installation doesn't know."""

    code = "archive_not_understood"


class ArchiveTooLarge(TooLarge):
    """It is, or would unpack to, more than is accepted."""

    code = "archive_too_large"


class ExportNotFound(NotFound):
    """The workspace has no such export."""

    code = "export_not_found"
    detail = "This workspace has no such export."


class ExportNotReady(Conflict):
    """The archive is still being made, or making it failed."""

    code = "export_not_ready"
    detail = "This export is not ready. Its operation tells how far it is."


class ExportGone(Gone):
    """The archive has expired or was deleted."""

    code = "export_expired"
    detail = "This export is gone. Make a new one."


class TooManyImports(Conflict):
    """One person has as many imports under way as one person may."""

    code = "too_many_imports"
