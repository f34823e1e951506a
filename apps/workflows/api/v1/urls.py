"""The addresses of workflows and runs."""

from django.urls import path

from apps.workflows.api.v1.views import RunViewSet, WorkflowViewSet

_WORKFLOWS = "workspaces/<str:workspace>/workflows"
_RUNS = "workspaces/<str:workspace>/runs"

urlpatterns = [
    path(_WORKFLOWS, WorkflowViewSet.as_view({"get": "list", "post": "create"})),
    path(
        f"{_WORKFLOWS}/<str:workflow>",
        WorkflowViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path(f"{_WORKFLOWS}/<str:workflow>/validate", WorkflowViewSet.as_view({"post": "validate"})),
    path(f"{_WORKFLOWS}/<str:workflow>/run", WorkflowViewSet.as_view({"post": "run"})),
    path(_RUNS, RunViewSet.as_view({"get": "list"})),
    path(f"{_RUNS}/<str:run>", RunViewSet.as_view({"get": "retrieve"})),
    path(f"{_RUNS}/<str:run>/steps", RunViewSet.as_view({"get": "steps"})),
]
