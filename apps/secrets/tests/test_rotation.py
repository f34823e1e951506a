"""Key rotation: every stored value, in any order of accidents."""

from __future__ import annotations

import ast
import base64
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps as installed
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from apps.accounts.models import OutgoingMail
from apps.accounts.services.mfa import open_sealed, seal_secret, sealing_for
from apps.common.ids import new_id
from apps.common.models import IdempotencyRecord
from apps.common.tenancy import enter
from apps.runtime.models import Session
from apps.secrets.errors import KeyMissing
from apps.secrets.services import (
    active_key_id,
    declare_sealed_field,
    key_of,
    open_answer,
    open_value,
    seal_answer,
    seal_value,
)
from apps.secrets.services.fields import SealedField, sealed_fields
from apps.secrets.services.rotation import rotate_field, survey_field
from config.env import ROOT
from config.testing.processes import wait_for

MAIL = "accounts.OutgoingMail"
OLD, NEW = (f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("ol", "nw"))


def mail(content: bytes = b"secret") -> OutgoingMail:
    row = OutgoingMail(kind="test", to="a@example.com", created_at=timezone.now())
    row.sealed = seal_value(content, model=MAIL, key=str(row.pk), field="sealed")
    row.save(force_insert=True)
    return row


def content_of(row: OutgoingMail) -> bytes:
    row.refresh_from_db()
    return open_value(row.sealed, model=MAIL, key=str(row.pk), field="sealed")


def field_named(name: str) -> SealedField:
    return next(sealed for sealed in sealed_fields() if str(sealed) == name)


def rotate(**options: Any) -> str:
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said, stderr=said, **options)
    return said.getvalue()


@pytest.fixture
def old_key(settings: Any) -> None:
    settings.SECRETS_KEYS = [OLD]


@pytest.fixture
def turn(settings: Any, old_key: None) -> Any:
    """``turn()`` puts a new key before the old one; ``turn(drop=True)`` takes the old one away."""

    def turn(*, drop: bool = False) -> None:
        settings.SECRETS_KEYS = [NEW] if drop else [NEW, OLD]

    return turn


@pytest.mark.django_db
def test_everything_that_is_sealed_today_comes_under_the_new_key(user: Any, turn: Any) -> None:
    letter = mail()
    with sealing_for(user):
        app, codes = seal_secret("JBSWY3DP"), seal_secret("seed")
    totp = Authenticator.objects.create(user=user, type="totp", data={"secret": app, "last_step": 7})
    recovery = Authenticator.objects.create(user=user, type="recovery_codes", data={"seed": codes, "used_mask": 5})
    record = IdempotencyRecord(caller="user:1", key="k", created_at=timezone.now(), status=201, sealed=True)
    record.body = seal_answer(b"ar_live", str(record.pk))
    record.save(force_insert=True)
    plain = IdempotencyRecord.objects.create(caller="user:1", key="p", created_at=timezone.now(), body=b"\xff{}")
    turn()
    said = rotate()
    assert "'ol' any more" in said
    turn(drop=True)
    assert content_of(letter) == b"secret"
    totp.refresh_from_db()
    recovery.refresh_from_db()
    assert (open_sealed(totp.data["secret"]), totp.data["last_step"]) == ("JBSWY3DP", 7)
    assert (open_sealed(recovery.data["seed"]), recovery.data["used_mask"]) == ("seed", 5)
    record.refresh_from_db()
    plain.refresh_from_db()
    assert open_answer(bytes(record.body), str(record.pk)) == b"ar_live"
    assert bytes(plain.body) == b"\xff{}"


@pytest.mark.django_db
def test_a_second_rotation_changes_nothing(turn: Any) -> None:
    row = mail()
    turn()
    rotate()
    row.refresh_from_db()
    once = row.sealed
    assert f"{MAIL}.sealed: 0 re-wrapped" in rotate()
    row.refresh_from_db()
    assert row.sealed == once


@pytest.mark.django_db
def test_check_changes_nothing_and_says_what_each_key_is_needed_by(turn: Any) -> None:
    rows = [mail(), mail()]
    turn()
    new = mail()
    said = rotate(check=True)
    assert f"{MAIL}.sealed: 1 under 'nw'" in said
    assert "The key 'ol' is still needed by 2 values." in said
    for row in (*rows, new):
        before = row.sealed
        row.refresh_from_db()
        assert row.sealed == before


@pytest.mark.django_db
def test_a_missing_key_is_named_and_the_others_are_rotated(settings: Any, turn: Any) -> None:
    settings.SECRETS_KEYS = [f"lost:{OLD.partition(':')[2]}"]
    lost = mail()
    settings.SECRETS_KEYS = [OLD]
    row = mail()
    turn()
    with pytest.raises(CommandError, match="1 values need the key 'lost', which is not configured"):
        rotate()
    turn(drop=True)
    assert content_of(row) == b"secret"
    with pytest.raises(KeyMissing, match="'lost'"):
        content_of(lost)
    with pytest.raises(CommandError, match="'lost'"):
        rotate(check=True)


@pytest.mark.django_db
def test_what_is_no_envelope_is_named_and_left_alone(turn: Any) -> None:
    row = mail()
    OutgoingMail.objects.filter(pk=row.pk).update(sealed="nonsense")
    other = mail()
    turn()
    with pytest.raises(CommandError, match="1 rows hold what can't be opened"):
        rotate()
    row.refresh_from_db()
    assert row.sealed == "nonsense"
    assert key_of(OutgoingMail.objects.get(pk=other.pk).sealed) == "nw"


@pytest.mark.django_db
def test_an_envelope_that_was_moved_to_another_row_is_not_made_good(turn: Any) -> None:
    one, other = mail(b"one"), mail(b"other")
    OutgoingMail.objects.filter(pk=other.pk).update(sealed=one.sealed)
    turn()
    with pytest.raises(CommandError, match="can't be re-wrapped"):
        rotate()
    assert OutgoingMail.objects.get(pk=other.pk).sealed == one.sealed


@pytest.mark.django_db
def test_a_row_that_is_changed_or_deleted_while_it_is_looked_at_is_not_clobbered(turn: Any) -> None:
    changed, deleted, third = mail(), mail(), mail()
    turn()
    fresh = seal_value(b"fresh", model=MAIL, key=str(changed.pk), field="sealed")
    sealed = field_named(f"{MAIL}.sealed")
    looked: list[str] = []

    def meddle(stored: Any, key: str, each: Any) -> Any:
        """After the rotation has read the rows, before it writes."""
        if not looked:
            OutgoingMail.objects.filter(pk=changed.pk).update(sealed=fresh)
            deleted.delete()
        looked.append(key)
        return each(stored, model=MAIL, key=key, field="sealed")

    meddled = SealedField(sealed.model, sealed.column, sealed.bound_field, sealed.where, meddle)
    assert rotate_field(meddled) == 1
    assert content_of(changed) == b"fresh"
    assert content_of(third) == b"secret"
    assert OutgoingMail.objects.count() == 2
    assert set(survey_field(sealed).under) == {"nw"}


def test_a_row_in_other_hands_is_not_waited_for(committed_database: str, turn: Any) -> None:
    held, free = mail(), mail()
    turn()
    with _second_connection(committed_database) as other:
        other.execute("SELECT 1 FROM accounts_outgoingmail WHERE id = %s FOR UPDATE", [held.pk])
        with pytest.raises(CommandError, match="1 values were in other hands"):
            rotate()
        assert content_of(free) == b"secret"
    assert key_of(OutgoingMail.objects.get(pk=held.pk).sealed) == "ol"
    rotate()
    assert key_of(OutgoingMail.objects.get(pk=held.pk).sealed) == "nw"


def _second_connection(url: str) -> Any:
    return psycopg.connect(url)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_rotation_that_is_ended_in_the_middle_is_gone_on_with(
    committed_database: str, settings: Any, tmp_path: Path, end: signal.Signals
) -> None:
    new = settings.SECRETS_KEYS
    settings.SECRETS_KEYS = [OLD]
    rows = [OutgoingMail(id=new_id(), kind="test", to="a@example.com", created_at=timezone.now()) for _ in range(2000)]
    for row in rows:
        row.sealed = seal_value(str(row.pk).encode(), model=MAIL, key=str(row.pk), field="sealed")
    OutgoingMail.objects.bulk_create(rows)
    settings.SECRETS_KEYS = [*new, OLD]
    old_keys = tmp_path / "old"
    old_keys.write_text(OLD)
    beginning = f"v1.{active_key_id()}."

    def done() -> int:
        return OutgoingMail.objects.filter(sealed__startswith=beginning).count()

    with _rotation(committed_database, old_keys) as process:
        assert wait_for(done, seconds=60)
        process.send_signal(end)
        assert process.wait(10) == (130 if end == signal.SIGINT else -end)
    assert 0 < done() < len(rows)
    for row in OutgoingMail.objects.order_by("?")[:50]:
        assert content_of(row) == str(row.pk).encode()
    with _rotation(committed_database, old_keys) as process:
        assert process.wait(60) == 0
    settings.SECRETS_KEYS = new
    for row in OutgoingMail.objects.all():
        assert open_value(row.sealed, model=MAIL, key=str(row.pk), field="sealed") == str(row.pk).encode()


def _rotation(url: str, old_keys: Path) -> subprocess.Popen[bytes]:
    """The command in a process of its own: the key of the tests' settings, and behind it those of a file."""
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": url}
    return subprocess.Popen(
        [sys.executable, "manage.py", "rotate_secrets"],
        cwd=ROOT,
        env={**os.environ, **environment, "SECRETS_KEYS_FILE": str(old_keys)},
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.django_db
def test_workspaces_tables_are_gone_through_one_by_one(user: Any, make_workspace: Any, turn: Any) -> None:
    """No table of a workspace holds envelopes yet; a column of free text stands in for one."""
    model, column = "runtime.Session", "user_agent"
    sealed = SealedField(model, column, column, models.Q(user_agent__gt=""), None)
    moment = timezone.now()
    times = {"started_at": moment, "last_seen_at": moment, "expires_at": moment}
    kept = {}
    for name in ("one", "two"):
        workspace = make_workspace(owner=user, name=name)
        with enter(workspace):
            row = Session(app_id=new_id(), **times)
            row.user_agent = seal_value(name.encode(), model=model, key=str(row.pk), field=column)
            row.save(force_insert=True)
        kept[name] = (workspace, row.pk)
    assert survey_field(sealed).under == {"ol": 2}
    turn()
    assert rotate_field(sealed) == 2
    turn(drop=True)
    assert survey_field(sealed).under == {"nw": 2}
    for name, (workspace, pk) in kept.items():
        with enter(workspace):
            envelope = Session.objects.get(pk=pk).user_agent
        assert open_value(envelope, model=model, key=str(pk), field=column) == name.encode()


#: Sealed, but kept by nobody: a rotation has nothing to do for it.
NOT_STORED = {("accounts.User", "totp_setup"): "in the person's browser, for MFA_SETUP_LIFETIME"}


def _sealing_calls() -> Iterator[tuple[str, str | None, str | None]]:
    """Where the source seals something, with the model and the field that it names; None for one that is computed."""
    for path in sorted((ROOT / "apps").rglob("*.py")):
        if "tests" in path.parts or path.is_relative_to(ROOT / "apps/secrets/services"):
            continue
        tree = ast.parse(path.read_text())
        constants = {
            target.id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or _name(node.func) not in {"seal_value", "seal_stream", "SealedWriter"}:
                continue
            given = {word.arg: word.value for word in node.keywords}
            model, field = (
                value.value if isinstance(value, ast.Constant) else constants.get(_name(value))
                for value in (given["model"], given["field"])
            )
            yield f"{path.relative_to(ROOT)}:{node.lineno}", model, field


def _name(node: ast.expr) -> str:
    return str(getattr(node, "id", getattr(node, "attr", "")))


def test_whatever_the_source_seals_is_declared() -> None:
    """By the literals (or constants of the module) that ``seal_value`` and the like are given as model and field.

    Where one of them is computed, the other must be of something declared.
    """
    declared = {(sealed.model, sealed.bound_field) for sealed in sealed_fields()} | NOT_STORED.keys()
    calls = list(_sealing_calls())
    assert len(calls) >= 3
    undeclared = [
        f"{place} seals {model}.{field}: declare_sealed_field({model!r}, …) in the app's kinds.py"
        for place, model, field in calls
        if not any(model in (None, known) and field in (None, bound) for known, bound in declared)
    ]
    assert not undeclared, "\n".join(undeclared)


def test_every_column_that_says_it_is_sealed_is_declared() -> None:
    declared = {(sealed.model, sealed.column) for sealed in sealed_fields()}
    for model in installed.get_models():
        for column in model._meta.get_fields():
            if isinstance(column, models.Field) and _speaks_of_a_seal(column):
                assert (model._meta.label, column.name) in declared, f"{model._meta.label}.{column.name}"


def _speaks_of_a_seal(column: models.Field[Any, Any]) -> bool:
    if not isinstance(column, models.TextField | models.CharField | models.JSONField | models.BinaryField):
        return False
    return column.name.startswith("sealed") or column.help_text.startswith(("Sealed", "The data key"))


def test_declared_columns_exist_and_none_is_declared_twice() -> None:
    for sealed in sealed_fields():
        installed.get_model(sealed.model)._meta.get_field(sealed.column)
    with pytest.raises(ValueError, match="twice"):
        declare_sealed_field(MAIL, "sealed")
