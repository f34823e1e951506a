"""What a new installation shows: an operator, a person, two workspaces with apps that are worth something."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from apps.access.services.keys import create_key
from apps.accounts.services.addresses import prove_address
from apps.applications.selectors import app_overview
from apps.applications.selectors.examples import IBAN_CHECK, LOAN_SCHEDULE, UNIT_PRICE, example_definition
from apps.applications.services.access_policies import change_access_policy
from apps.applications.services.apps import create_app
from apps.applications.services.drafts import save_draft
from apps.applications.services.publishing import publish, roll_back
from apps.common.actors import Actor, ActorKind
from apps.common.permissions import resolver
from apps.common.tenancy import enter
from apps.workspaces.selectors import find_workspace, workspaces_of
from apps.workspaces.services.creation import create_workspace
from apps.workspaces.services.settings import update_workspace

_DESCRIPTIONS = {
    LOAN_SCHEDULE: "What a loan costs, month by month",
    IBAN_CHECK: "Whether an account number is well-formed (ISO 13616)",
    UNIT_PRICE: "Which of two packages costs less for the same amount",
}
OPERATOR_EMAIL = "operator@example.com"
USER_EMAIL = "demo@example.com"
FINANCE = "finance-desk"
SHOPPING = "shopping-club"


@dataclass(frozen=True, slots=True)
class _Login:
    email: str
    password: str

    def as_json(self) -> dict[str, str]:
        return {"email": self.email, "password": self.password}


def make_demo(*, now: datetime, known: Mapping[str, Any]) -> dict[str, Any]:
    """Make what is missing of the demo, and describe all of it.

    ``known`` is what was described last time: passwords and the key of it stay valid. Returns
    ``{base_url, operator: {email, password}, user: {email, password}, api_key, workspaces: [{id, slug, apps: [{slug,
    url}]}]}``.
    """
    operator = _require_login(OPERATOR_EMAIL, "Operator", known.get("operator", {}), now=now, is_staff=True)
    login = _require_login(USER_EMAIL, "Demo", known.get("user", {}), now=now, is_staff=False)
    person = get_user_model().objects.get_by_natural_key(USER_EMAIL)
    actor = Actor(kind=ActorKind.USER, id=person.pk, name=person.get_full_name(), user_id=person.pk)
    finance = _require_finance_desk(person, actor, now)
    shopping = _require_shopping_club(person, actor, now)
    return {
        "base_url": settings.BASE_URL,
        "operator": operator.as_json(),
        "user": login.as_json(),
        "api_key": known.get("api_key") or _make_key(finance, actor, now),
        "workspaces": [
            _described(finance, ["loan-schedule", "iban-check"]),
            _described(shopping, ["which-is-cheaper"]),
        ],
    }


def read_demo(path: Path) -> dict[str, Any]:
    """What ``write_demo`` wrote; empty when it isn't there or was damaged."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def write_demo(path: Path, described: Mapping[str, Any]) -> None:
    """Keep the description where scripts find it, readable by its owner only, replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.touch(mode=0o600)
    unfinished.chmod(0o600)
    unfinished.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _require_login(email: str, name: str, known: Mapping[str, str], *, now: datetime, is_staff: bool) -> _Login:
    """The account, made if need be; its password is the one that was described last, or a new one."""
    people = get_user_model().objects
    password = known.get("password") if known.get("email") == email else None
    person = people.filter(email=email).first()
    if person is None:
        password = password or secrets.token_urlsafe(12)
        person = people.create_user(email, password, name=name, is_staff=is_staff)
        prove_address(user_id=person.pk, email=email, now=now)
    elif password is None or not person.check_password(password):
        password = secrets.token_urlsafe(12)
        person.set_password(password)
        person.save(update_fields=["password", "updated_at"])
    return _Login(email=email, password=password)


def _require_finance_desk(person: Any, actor: Actor, now: datetime) -> Any:
    """The workspace that the person was born with, under a name of its own, with two apps."""
    workspace = find_workspace(FINANCE)
    if workspace is None:
        born_with = workspaces_of(person).order_by("created_at")[0]
        workspace = update_workspace(
            workspace_id=born_with.pk,
            changes={"slug": FINANCE, "name": "Finance desk"},
            actor=actor,
            now=now,
        )
    _require_app(workspace, actor, now, slug="loan-schedule", name="Loan schedule", make=_make_loan_schedule)
    _require_app(workspace, actor, now, slug="iban-check", name="IBAN check", make=_make_single(IBAN_CHECK))
    return workspace


def _require_shopping_club(person: Any, actor: Actor, now: datetime) -> Any:
    workspace = find_workspace(SHOPPING)
    if workspace is None:
        workspace = create_workspace(owner=person, name="Shopping club", slug=SHOPPING, actor=actor, now=now)
    make = _make_single(UNIT_PRICE)
    _require_app(workspace, actor, now, slug="which-is-cheaper", name="Which one is cheaper?", make=make)
    return workspace


def _require_app(
    workspace: Any, actor: Actor, now: datetime, *, slug: str, name: str, make: Callable[..., None]
) -> None:
    with enter(workspace):
        if slug in {found.slug for found in app_overview()}:
            return
        make(workspace=workspace, actor=actor, now=now, slug=slug, name=name)


def _make_single(example: str) -> Callable[..., None]:
    def make(*, workspace: Any, actor: Actor, now: datetime, slug: str, name: str) -> None:
        definition = example_definition(example)
        app = create_app(
            workspace=workspace,
            actor=actor,
            name=name,
            slug=slug,
            description=_DESCRIPTIONS[example],
            definition=definition,
            now=now,
        )
        _open_to_everyone(app, workspace, actor, now)
        publish(app_id=app.pk, workspace=workspace, actor=actor, now=now, may_expose=True, note="First version")

    return make


def _make_loan_schedule(*, workspace: Any, actor: Actor, now: datetime, slug: str, name: str) -> None:
    """Three versions and a rollback: the third cut the cents, and people missed them."""
    full = example_definition(LOAN_SCHEDULE)
    app = create_app(
        workspace=workspace,
        actor=actor,
        name=name,
        slug=slug,
        description=_DESCRIPTIONS[LOAN_SCHEDULE],
        definition=_payment_only(full),
        now=now,
    )
    _open_to_everyone(app, workspace, actor, now)
    history = [
        (_payment_only(full), "The monthly payment"),
        (full, "Month by month, with a chart"),
        (_without_cents(full), "Whole amounts only"),
    ]
    for number, (definition, note) in enumerate(history):
        if number:
            save_draft(app_id=app.pk, workspace=workspace, actor=actor, definition=definition, expected=None, now=now)
        publish(app_id=app.pk, workspace=workspace, actor=actor, now=now, may_expose=True, note=note)
    roll_back(app_id=app.pk, workspace=workspace, actor=actor, now=now, version=2, note="The cents were missed")


def _payment_only(definition: dict[str, Any]) -> dict[str, Any]:
    blocks = [block for block in definition["page"]["blocks"] if block["kind"] in {"markdown", "form", "metric"}]
    return {**definition, "page": {**definition["page"], "blocks": blocks}}


def _without_cents(definition: dict[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(definition).replace("0,0.00", "0,0"))
    return changed


def _open_to_everyone(app: Any, workspace: Any, actor: Actor, now: datetime) -> None:
    change_access_policy(
        app_id=app.pk,
        workspace=workspace,
        actor=actor,
        changes={"audience": "public"},
        may_expose=True,
        expected=None,
        now=now,
    )


def _make_key(workspace: Any, actor: Actor, now: datetime) -> str:
    grant = resolver().grant_for(actor, workspace.slug)
    assert grant is not None, "the demo's person owns the demo's workspaces"
    made = create_key(
        workspace=workspace, name="Demo scripts", scopes=sorted(grant.codes), actor=actor, grant=grant, now=now
    )
    return made.presented


def _described(workspace: Any, slugs: list[str]) -> dict[str, Any]:
    apps = [{"slug": slug, "url": f"{settings.BASE_URL}/runtime/{workspace.slug}/{slug}"} for slug in slugs]
    return {"id": str(workspace.pk), "slug": workspace.slug, "apps": apps}
