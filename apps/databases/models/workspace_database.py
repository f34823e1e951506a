"""A workspace's own PostgreSQL database."""

from __future__ import annotations

from django.db import models

from apps.common.models import TimestampedModel
from apps.common.states import StatefulModel
from apps.databases.querysets import WorkspaceDatabaseQuerySet
from apps.databases.states import DATABASE_TRANSITIONS, PRESENT, DatabaseStatus


class WorkspaceDatabase(StatefulModel, TimestampedModel):
    """A database of its own for a workspace, on one of the servers.

    Its name and its roles are opaque (``wd_`` and the id's hexadecimal digits). The platform owns the database; the
    role ``*_ddl`` owns the schema ``app``, ``*_app`` may change its rows, ``*_ro`` read them. Of the two logins
    ``*_a`` and ``*_b``, members of ``*_app``, one is published; rotation publishes the other.
    """

    transitions = DATABASE_TRANSITIONS

    workspace = models.ForeignKey("workspaces.Workspace", on_delete=models.PROTECT, related_name="databases")
    server = models.ForeignKey("databases.DatabaseServer", on_delete=models.PROTECT, related_name="databases")
    name = models.CharField(max_length=63, unique=True, help_text="Of the live database on its server.")
    status = models.CharField(max_length=12, choices=DatabaseStatus, default=DatabaseStatus.PROVISIONING)

    active_login = models.CharField(max_length=1, choices=[("a", "a"), ("b", "b")], default="a")
    secret = models.TextField(blank=True, help_text="Sealed: the published login's password.")
    next_secret = models.TextField(blank=True, help_text="Sealed: what a rotation under way gives the other login.")
    secret_version = models.PositiveIntegerField(
        default=0, help_text="Grows with each rotation; pools are keyed by it."
    )
    rotated_at = models.DateTimeField(null=True, blank=True)
    rotation_days = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: by hand only.")
    next_rotation_at = models.DateTimeField(null=True, blank=True)

    drain_until = models.DateTimeField(
        null=True, blank=True, help_text="Until when sessions of the login before may go on; empty: it is retired."
    )
    drain_sessions = models.JSONField(default=list, blank=True, help_text="Who was seen using it at the last look.")

    revision = models.PositiveIntegerField(default=0, help_text="The version of the last migration applied.")

    size_bytes = models.PositiveBigIntegerField(default=0)
    size_measured_at = models.DateTimeField(null=True, blank=True)
    limit_bytes = models.PositiveBigIntegerField(null=True, blank=True, help_text="Empty: no limit.")
    writes_revoked_at = models.DateTimeField(null=True, blank=True, help_text="Since when it has been over its limit.")

    delete_after = models.DateTimeField(null=True, blank=True, help_text="When the grace of a deletion ends.")

    objects = WorkspaceDatabaseQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(status__in=sorted(PRESENT)),
                name="one_present_database_per_workspace",
            ),
        ]
        indexes = [
            models.Index(fields=["server", "status"], name="database_by_server"),
            models.Index(
                fields=["next_rotation_at"],
                condition=models.Q(status=DatabaseStatus.READY, next_rotation_at__isnull=False),
                name="database_rotation_due",
            ),
            models.Index(
                fields=["drain_until"],
                condition=models.Q(drain_until__isnull=False),
                name="database_draining",
            ),
            models.Index(
                fields=["delete_after"],
                condition=models.Q(status=DatabaseStatus.DELETING),
                name="database_deletion_due",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def prefix(self) -> str:
        """What the names of the database and of its roles begin with."""
        return f"wd_{self.pk.hex}"

    @property
    def ddl_role(self) -> str:
        return f"{self.prefix}_ddl"

    @property
    def app_role(self) -> str:
        return f"{self.prefix}_app"

    @property
    def read_role(self) -> str:
        return f"{self.prefix}_ro"

    def login(self, letter: str) -> str:
        """The name of login ``a`` or ``b``."""
        return f"{self.prefix}_{letter}"

    @property
    def other_login(self) -> str:
        """The letter of the login that isn't published."""
        return "b" if self.active_login == "a" else "a"
