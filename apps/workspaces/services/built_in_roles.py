"""The roles that every workspace has."""

from __future__ import annotations

from apps.common.permissions import BUILT_IN_ROLES
from apps.workspaces.models import Role
from apps.workspaces.models.membership import built_in_role_id


def seed_built_in_roles() -> None:
    """Make the built-in roles that are missing; what each may do is declared in code, not in these rows."""
    for code in BUILT_IN_ROLES:
        Role.objects.get_or_create(
            workspace=None, code=code, defaults={"id": built_in_role_id(code), "name": code.capitalize()}
        )
