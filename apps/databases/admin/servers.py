"""The servers of workspaces' databases in the operators' console: added, weighed, drained; how full each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html

from apps.common.admin import Act, ActContext, ActForm, PlatformAdmin, platform_site
from apps.databases.models import DatabaseServer
from apps.databases.services.servers.registration import (
    ServerTerms,
    activate_server,
    add_server,
    change_dsn,
    change_server,
    drain_server,
    take_server_offline,
)
from apps.databases.services.servers.watching import check_server
from apps.databases.states import PRESENT, ServerStatus

_GIBIBYTE = 1024**3


class TermsForm(ActForm):
    """Where clients reach it, and how much it takes."""

    host = forms.CharField(max_length=255, help_text="Where workspaces' clients reach it: it stands in their DSN.")
    port = forms.IntegerField(min_value=1, max_value=65535, initial=5432)
    weight = forms.IntegerField(
        min_value=1, max_value=10_000, initial=100, help_text="Twice the weight takes twice the databases."
    )
    capacity_gib = forms.IntegerField(
        min_value=1, required=False, label="Capacity in GiB", help_text="Empty: no limit. What is measured counts."
    )
    capacity_databases = forms.IntegerField(
        min_value=1, required=False, label="Capacity in databases", help_text="Empty: no limit."
    )

    @classmethod
    def values_of(cls, row: DatabaseServer) -> dict[str, Any]:
        return {
            "host": row.host,
            "port": row.port,
            "weight": row.weight,
            "capacity_gib": row.capacity_bytes // _GIBIBYTE if row.capacity_bytes else None,
            "capacity_databases": row.capacity_databases,
        }


class DsnForm(ActForm):
    """How the platform reaches it. It is tried before anything is kept, and sealed."""

    dsn = forms.CharField(
        max_length=1000,
        label="Connection string of a superuser",
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="postgresql://user:password@host:port/postgres?sslmode=verify-full. It is sealed, and never shown.",
    )


class AddForm(TermsForm):
    """A new server."""

    name = forms.CharField(max_length=60, help_text="Workspaces see it.")
    dsn = DsnForm.base_fields["dsn"]
    field_order = ("name", "dsn")


def _terms(capacity_gib: int | None, **given: Any) -> ServerTerms:
    return ServerTerms(capacity_bytes=capacity_gib * _GIBIBYTE if capacity_gib else None, **given)


def _add(context: ActContext, *, name: str, dsn: str, **terms: Any) -> str:
    server = add_server(name=name, dsn=dsn, terms=_terms(**terms), actor=context.actor, now=context.now)
    return f"{server} takes databases now; its databases are closed to PUBLIC."


def _change(context: ActContext, **terms: Any) -> str:
    change_server(server_id=context.row.pk, terms=_terms(**terms), actor=context.actor, now=context.now)
    return f"{context.row} is changed."


def _change_dsn(context: ActContext, *, dsn: str) -> str:
    change_dsn(server_id=context.row.pk, dsn=dsn, actor=context.actor, now=context.now)
    return f"{context.row} is reached by the new connection string from now on."


def _drain(context: ActContext) -> str:
    drain_server(server_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} takes no new databases; those that it has go on."


def _take_offline(context: ActContext) -> str:
    take_server_offline(server_id=context.row.pk, actor=context.actor, now=context.now)
    return f"The platform leaves {context.row} alone."


def _activate(context: ActContext) -> str:
    activate_server(server_id=context.row.pk, actor=context.actor, now=context.now)
    return f"{context.row} takes databases again."


def _look(context: ActContext) -> str:
    answered = check_server(context.row, now=context.now)
    return f"{context.row} answered." if answered else f"{context.row} did not answer; see its error."


SERVER_ACTS = (
    Act(
        name="change",
        label="Weight and capacity…",
        icon="tune",
        explanation="Databases that are on it stay. Clients are told host and port the next time that they ask.",
        form=TermsForm,
        run=_change,
    ),
    Act(
        name="change-dsn",
        label="Connection string…",
        icon="key",
        explanation="The new one is tried first: reachable, a superuser's, PostgreSQL 15 or newer.",
        form=DsnForm,
        run=_change_dsn,
    ),
    Act(
        name="look",
        label="Look now",
        icon="monitor_heart",
        explanation="Asks the server how it is, and closes databases that were made on it since.",
        run=_look,
        allowed=lambda row: row.status != ServerStatus.OFFLINE,
        bulk=True,
    ),
    Act(
        name="drain",
        label="Drain",
        icon="water_drop",
        explanation="No new databases are placed on it. Those that it has go on as before.",
        run=_drain,
        allowed=lambda row: row.status != ServerStatus.DRAINING,
    ),
    Act(
        name="offline",
        label="Take offline",
        icon="cloud_off",
        explanation="The platform leaves it alone: nothing on it is queried, backed up, measured or rotated until it "
        "is active or draining again.",
        run=_take_offline,
        allowed=lambda row: row.status != ServerStatus.OFFLINE,
        danger=True,
    ),
    Act(
        name="activate",
        label="Activate",
        icon="play_circle",
        explanation="It is tried first; then new databases are placed on it.",
        run=_activate,
        allowed=lambda row: row.status != ServerStatus.ACTIVE,
    ),
)


@admin.register(DatabaseServer, site=platform_site)
class DatabaseServerAdmin(PlatformAdmin):
    """Every server, and how full it is."""

    list_display = ("name", "status", "databases_of_capacity", "bytes_of_capacity", "weight", "checked_at", "error")
    list_filter = ("status",)
    search_fields = ("name", "host", "=id")
    exclude = ("admin_dsn",)
    acts: ClassVar[Sequence[Act]] = SERVER_ACTS
    table_acts: ClassVar[Sequence[Act]] = (
        Act(
            name="add",
            label="Add server",
            icon="add",
            explanation="It is tried at once: reachable, a superuser's login, PostgreSQL 15 or newer, no standby. Then "
            "every database on it is closed to PUBLIC: let nothing else live there that relies on it.",
            form=AddForm,
            run=_add,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        present = Q(databases__status__in=PRESENT)
        servers: QuerySet[Model] = super().get_queryset(request)
        shown: QuerySet[Model] = servers.annotate(
            present=Count("databases", filter=present), measured=Sum("databases__size_bytes", filter=present)
        )
        return shown

    @admin.display(description="Databases", ordering="present")
    def databases_of_capacity(self, row: Any) -> str:
        return _bar(row.present, row.capacity_databases, str)

    @admin.display(description="Size", ordering="measured")
    def bytes_of_capacity(self, row: Any) -> str:
        return _bar(row.measured or 0, row.capacity_bytes, filesizeformat)


def _bar(used: int, capacity: int | None, told: Any) -> str:
    """How much of a capacity is used, as a bar and in words; in words only when there is none."""
    if not capacity:
        return str(told(used))
    return format_html(
        '<meter class="console-meter" min="0" max="{}" low="{}" high="{}" optimum="0" value="{}"></meter>{} of {}',
        capacity,
        capacity * 7 // 10,
        capacity * 9 // 10,
        min(used, capacity),
        told(used),
        told(capacity),
    )
