"""Reading the rows that a change is about, locked where it has to be."""

from __future__ import annotations

from uuid import UUID

from apps.applications.errors import AppNotFound, VersionNotFound
from apps.applications.models import App, AppVersion, Release


def lock_app(app_id: UUID) -> App:
    """The app with its current release, locked until the transaction ends; whoever changes its state comes here.

    Raises AppNotFound.
    """
    app: App | None = App.objects.select_for_update(no_key=True).filter(pk=app_id).first()
    if app is None:
        raise AppNotFound
    # Not by a join: after waiting for the lock PostgreSQL reads the locked row anew, but not what was joined to it,
    # and the release that another one just made would seem to be none.
    if app.current_release_id is not None:
        releases = Release.objects.select_related("version").defer("version__definition")
        app.current_release = releases.get(pk=app.current_release_id)
    return app


def version_of(app: App, number: int) -> AppVersion:
    """The app's version with this number. Raises VersionNotFound."""
    version = AppVersion.objects.filter(app=app, number=number).first()
    if version is None:
        raise VersionNotFound(f"This app has no version {number}.")
    found: AppVersion = version
    return found
