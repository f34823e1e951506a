"""Messages for workers: each says which schema it is for, and each name has a task."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, current_app
from django.conf import settings
from django.db import connection

from apps.common.actors import SYSTEM
from apps.common.queue import enqueue
from apps.common.tasks import MissingSchemaHeader
from apps.common.tenancy import SchemaRef, enter
from apps.operations.tasks import sweep
from config.env import ROOT
from config.testing.processes import StartWorker, wait_for


def names_in(path: Any) -> Iterator[str]:
    """The names that a module enqueues, written there or as a constant of it."""
    tree = ast.parse(path.read_text())
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "enqueue":
            name = node.args[0]
            if isinstance(name, ast.Constant):
                yield str(name.value)
            else:
                assert isinstance(name, ast.Name), f"{path}: a name that nobody can check"
                yield str(constants[name.id])


def test_every_name_that_is_enqueued_has_a_task() -> None:
    current_app.loader.import_default_modules()
    used = {name for path in (ROOT / "apps").rglob("*.py") if "tests" not in path.parts for name in names_in(path)}
    assert {"operations.run", "workspaces.keep_pool"} <= used
    assert used <= set(current_app.tasks)


def test_every_scheduled_name_has_a_task_and_a_schema() -> None:
    current_app.loader.import_default_modules()
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in current_app.tasks, name
        assert entry["options"]["headers"]["_schema_name"] == "public", name


def test_message_names_the_schema_it_was_enqueued_in(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, db: None
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(type(current_app._get_current_object()), "send_task", lambda *a, **k: sent.append(k))
    with django_capture_on_commit_callbacks(execute=True), enter(SchemaRef("ws_probe")):
        enqueue("operations.sweep", actor=SYSTEM.kind)
    assert [message["headers"] for message in sent] == [{"_schema_name": "ws_probe"}]


def test_broker_that_does_not_answer_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any, db: None
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(current_app._get_current_object()), "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        enqueue("operations.sweep")


def test_fault_02_task_without_its_schema_header_fails_loudly(
    worker_process: StartWorker, django_db_blocker: Any
) -> None:
    worker = worker_process()
    stranger = Celery(broker=settings.CELERY_BROKER_URL)
    stranger.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    stranger.conf.task_default_queue = settings.CELERY_TASK_DEFAULT_QUEUE
    stranger.send_task("operations.sweep")
    assert wait_for(lambda: MissingSchemaHeader.__name__ in worker.read_log()), worker.read_log()
    assert "operations.sweep was sent without a _schema_name header" in worker.read_log()
    with django_db_blocker.unblock():
        connection.close()


def test_called_directly_a_task_needs_no_header(db: None) -> None:
    sweep()
