"""Tables in a console: to find and to read; changed by acts only, so that no rule is bypassed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import JSONField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from apps.common.admin.acts import Act, ActContext, ActForm, contributed_acts
from apps.common.admin.sites import workspace_grant
from apps.common.api.views import actor_of
from apps.common.errors import AppRunError, InvalidInput


class ReadOnlyAdmin(ModelAdmin):
    """The base of both: lists with search, a page of values, acts."""

    acts: ClassVar[Sequence[Act]] = ()
    #: What can be done at the table as a whole, such as adding a row; their context has no row.
    table_acts: ClassVar[Sequence[Act]] = ()
    list_before_template = "console/acts.html"
    list_per_page = 50
    show_full_result_count = False
    show_facets = False
    change_form_outer_before_template = "console/acts.html"
    actions = None

    def __init__(self, model: type[Model], admin_site: AdminSite) -> None:
        super().__init__(model, admin_site)
        for name in self._json_fields():
            setattr(self, f"{name}_pretty", _pretty_display(name))

    def _json_fields(self) -> list[str]:
        return [field.name for field in self.opts.concrete_fields if isinstance(field, JSONField)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """What isn't shown can't be asked for in the address either: answers would tell it, letter by letter."""
        if lookup.partition("__")[0] in (self.exclude or ()):
            return False
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed

    # The audit trail keeps what happened; Django's LogEntry would keep a second, poorer copy.
    def log_addition(self, request: Any, obj: Any, message: Any) -> None: ...
    def log_change(self, request: Any, obj: Any, message: Any) -> None: ...
    def log_deletions(self, request: Any, queryset: Any) -> None: ...

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        raise Http404("History is in the audit trail.")

    def title_of(self, row: Any) -> str:
        """What a search calls this row; to be told from others without the columns beside it."""
        return str(row)

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        raise NotImplementedError

    def all_acts(self) -> list[Act]:
        """Those of the table itself, and those that other apps contribute."""
        return [*self.acts, *contributed_acts(self.admin_site, self.opts.label)]

    def acts_for(self, request: HttpRequest, row: Any) -> list[Act]:
        """The acts that this caller may do to this row as it is now."""
        return [act for act in self.all_acts() if self.may_act(request, act) and act.allowed(row)]

    def links_to_acts(self, request: HttpRequest, row: Any) -> list[dict[str, Any]]:
        """The acts that this caller may do to this row, each with its address: what ``console/acts.html`` shows."""
        acts = self.acts_for(request, row)
        return [{"act": act, "url": reverse(self._act_url_name(act), args=[row.pk])} for act in acts]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        listed = list(super().get_readonly_fields(request, obj))
        return [*listed, *(f"{name}_pretty" for name in self._json_fields())]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if self.fields:
            return list(self.fields)
        hidden = set(self.exclude or ())
        shown = [field for field in self.opts.concrete_fields if field.name not in hidden]
        # What people look for stands first; the key and the long JSON stand last.
        shown.sort(key=lambda field: (field.primary_key, isinstance(field, JSONField)))
        return [f"{field.name}_pretty" if isinstance(field, JSONField) else field.name for field in shown]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list, called what it holds: "select one to view" is advice that nobody needs."""
        name = str(self.opts.verbose_name_plural)
        shown = [
            {"act": act, "url": reverse(self._act_url_name(act))}
            for act in self.table_acts
            if self.may_act(request, act)
        ]
        context = {"acts": shown, "title": name[:1].upper() + name[1:], **(extra_context or {})}
        return super().changelist_view(request, context)

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        shown = self.links_to_acts(request, row) if row is not None else []
        context = {"acts": shown, "show_save": False, "show_save_and_continue": False, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        acts = [
            path(
                f"<path:object_id>/act/{act.name}/",
                self.admin_site.admin_view(self._act_view(act)),
                name=self._act_url_name(act).partition(":")[2],
            )
            for act in self.all_acts()
        ]
        table_acts = [
            path(
                f"act/{act.name}/",
                self.admin_site.admin_view(self._act_view(act)),
                name=self._act_url_name(act).partition(":")[2],
            )
            for act in self.table_acts
        ]
        return [*table_acts, *acts, *super().get_urls()]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            act.name: (_bulk(act), act.name, act.label)
            for act in self.all_acts()
            if act.bulk and self.may_act(request, act)
        }

    def _act_url_name(self, act: Act) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_act_{act.name}"

    def _act_view(self, act: Act) -> Any:
        table = f"admin:{self.opts.app_label}_{self.opts.model_name}"

        def view(request: HttpRequest, object_id: str | None = None) -> HttpResponse:
            row = self.get_object(request, unquote(object_id)) if object_id else None
            if object_id and row is None:
                raise Http404
            if not self.may_act(request, act):
                raise PermissionDenied
            back = reverse(f"{table}_change", args=[object_id]) if object_id else reverse(f"{table}_changelist")
            initial = act.form.values_of(row) if row is not None else {}
            form = act.form(request.POST if request.method == "POST" else None, initial=initial)
            if row is not None:
                form.fit(row)
            preview = None
            if request.method == "POST" and "again" not in request.POST and form.is_valid():
                acting = _context(request, row)
                try:
                    if act.preview is not None and "confirmed" not in request.POST:
                        preview = act.preview(acting, **form.cleaned_data)
                    else:
                        self.message_user(request, act.run(acting, **form.cleaned_data), messages.SUCCESS)
                        removed = object_id is not None and self.get_object(request, unquote(object_id)) is None
                        return HttpResponseRedirect(reverse(f"{table}_changelist") if removed else back)
                except AppRunError as error:
                    _show_errors(form, error)
            context = {
                **self.admin_site.each_context(request),
                "title": act.label.removesuffix("…"),
                "opts": self.opts,
                "row": row if object_id else self.opts.verbose_name_plural,
                "act": act,
                "form": form,
                "preview": preview,
                "has_preview": act.preview is not None,
                "back": back,
            }
            return TemplateResponse(request, "console/act.html", context)

        return view


class PlatformAdmin(ReadOnlyAdmin):
    """A table in the operators' console."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(getattr(request.user, "is_staff", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        return self.has_view_permission(request)


class WorkspaceAdmin(ReadOnlyAdmin):
    """A table in a workspace's console: shown to members who hold ``view_code``.

    A table of the workspace's schema is this workspace's by itself. A public one names its workspace in
    ``workspace_lookup`` (``"workspace"``, ``"membership__workspace"``), and only its rows are found.
    """

    view_code: ClassVar[str]
    workspace_lookup: ClassVar[str] = ""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        grant = workspace_grant(request)
        return grant is not None and grant.allows(self.view_code)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        grant = workspace_grant(request)
        if grant is None or not (act.when_not_active or grant.workspace.status == "active"):
            return False
        return grant.allows(act.code)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        queryset: QuerySet[Model] = super().get_queryset(request)
        if self.workspace_lookup:
            grant = workspace_grant(request)
            assert grant is not None, "this console belongs to a workspace"
            queryset = queryset.filter(**{self.workspace_lookup: grant.workspace.id})
        return queryset


def _context(request: HttpRequest, row: Any) -> ActContext:
    return ActContext(row=row, actor=actor_of(request), now=timezone.now(), grant=workspace_grant(request))


def _show_errors(form: ActForm, error: AppRunError) -> None:
    """Each error beside the field that it points at; what points at none stands above the form."""
    faults = error.errors if isinstance(error, InvalidInput) else ()
    for fault in faults:
        name = fault.pointer.removeprefix("/")
        form.add_error(name if name in form.fields else None, fault.detail)
    if not faults:
        form.add_error(None, error.detail)


def _sentence(error: AppRunError) -> str:
    if isinstance(error, InvalidInput) and error.errors:
        return " ".join(item.detail for item in error.errors)
    return error.detail


def _bulk(act: Act) -> Any:
    def run(model_admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Model]) -> None:
        for row in queryset:
            if not act.allowed(row):
                model_admin.message_user(request, f"{row}: {act.label} doesn't apply to its state.", messages.WARNING)
                continue
            try:
                sentence = act.run(_context(request, row))
            except AppRunError as error:
                model_admin.message_user(request, f"{row}: {_sentence(error)}", messages.ERROR)
            else:
                model_admin.message_user(request, sentence, messages.SUCCESS)

    run.short_description = act.label  # type: ignore[attr-defined]
    return run


def _pretty_display(field: str) -> Any:
    def show(row: Any) -> str:
        value = getattr(row, field)
        return format_html('<pre class="console-json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False))

    show.short_description = field.replace("_", " ")  # type: ignore[attr-defined]
    return show
