"""What apps do when something happens below them."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from apps.applications.services.apps import create_home_app
from apps.workspaces.services.default_app import set_default_app
from apps.workspaces.signals import workspace_created


@receiver(workspace_created, dispatch_uid="applications.home")
def give_home_app(*, workspace: Any, **_: Any) -> None:
    """Every workspace is born with a blank app, so that the short form of the API works from the first second."""
    set_default_app(workspace=workspace, app_id=create_home_app().pk)
