"""What happens here when something happens elsewhere."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from apps.accounts.signals import user_erased
from apps.common.actors import Actor, ActorKind
from apps.plans.signals import plan_removed
from apps.workspaces.services.creation import create_default_workspace
from apps.workspaces.services.erasure import leave_all_workspaces
from apps.workspaces.services.plans import require_unused
from apps.workspaces.services.retention import begin_retention
from apps.workspaces.signals import workspace_created, workspace_imported


@receiver(post_save, sender=settings.AUTH_USER_MODEL, dispatch_uid="default workspace")
def give_default_workspace(sender: type, instance: Any, created: bool, raw: bool, **kwargs: Any) -> None:
    """However a person was made, they have a workspace in the same transaction."""
    if created and not raw:
        actor = Actor(kind=ActorKind.USER, id=instance.pk, name=instance.get_full_name(), user_id=instance.pk)
        create_default_workspace(owner=instance, actor=actor, now=timezone.now())


@receiver(user_erased, dispatch_uid="workspaces.leave_all")
def leave_all_with_the_account(sender: type, user: Any, now: Any, **kwargs: Any) -> None:
    """An erased person belongs to no workspace; what was theirs alone is closed."""
    leave_all_workspaces(user=user, now=now)


@receiver([workspace_created, workspace_imported], dispatch_uid="workspaces.begin_retention")
def forget_daily(sender: type, workspace: Any, now: Any, **kwargs: Any) -> None:
    """Every workspace has its daily run of retention from its first day on."""
    begin_retention(workspace_id=workspace.pk, now=now)


@receiver(plan_removed, dispatch_uid="workspaces.require_unused")
def keep_plan_in_use(plan_code: str, **_: Any) -> None:
    """A plan that a workspace is on stays."""
    require_unused(plan_code)
