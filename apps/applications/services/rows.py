"""Reading the rows that a change is about, locked where it has to be."""

from __future__ import annotations

from uuid import UUID

from apps.applications.errors import AppNotFound, VersionNotFound
from apps.applications.models import App, AppVersion


def lock_app(app_id: UUID) -> App:
    """The app with its current release, locked until the transaction ends; whoever changes its state comes here.

    Raises AppNotFound.
    """
    app = (
        App.objects.select_for_update(of=("self",), no_key=True)
        .select_related("current_release__version")
        .defer("current_release__version__definition")
        .filter(pk=app_id)
        .first()
    )
    if app is None:
        raise AppNotFound
    found: App = app
    return found


def version_of(app: App, number: int) -> AppVersion:
    """The app's version with this number. Raises VersionNotFound."""
    version = AppVersion.objects.filter(app=app, number=number).first()
    if version is None:
        raise VersionNotFound(f"This app has no version {number}.")
    found: AppVersion = version
    return found
