"""Making and changing workflows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.audit.services import Target, record_act
from apps.common.actors import Actor
from apps.common.errors import FieldError
from apps.common.revisions import Expected, require_revision, update_revision
from apps.common.slugs import check_slug, make_slug
from apps.workflows.definitions import validate_workflow
from apps.workflows.errors import InvalidWorkflow, WorkflowSlugTaken
from apps.workflows.models import Workflow
from apps.workflows.selectors.workflows import find_workflow, lock_workflow

_SLUG_TRIES = 50


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found."""

    errors: tuple[FieldError, ...]

    @property
    def ok(self) -> bool:
        return not self.errors


@transaction.atomic
def create_workflow(*, name: str, definition: Any, actor: Actor, now: datetime, slug: str | None = None) -> Workflow:
    """A workflow of the entered workspace; its slug is made from the name unless given.

    Raises InvalidWorkflow (pointers below ``/definition``), InvalidInput (the slug), WorkflowSlugTaken.
    """
    require_valid(definition)
    wanted = _free_slug(name) if slug is None else check_slug(slug)
    try:
        with transaction.atomic():
            workflow: Workflow = Workflow.objects.create(name=name, slug=wanted, definition=definition)
    except IntegrityError as error:
        raise WorkflowSlugTaken from error
    changes = {"name": [None, name], "slug": [None, wanted]}
    record_act(actor=actor, action="workflow.created", target=_target(workflow), changes=changes, now=now)
    return workflow


@transaction.atomic
def change_workflow(
    *,
    workflow: str,
    actor: Actor,
    now: datetime,
    name: str | None = None,
    slug: str | None = None,
    definition: Any = None,
    expected: Expected = None,
) -> Workflow:
    """Change what is given, and count the revision up.

    Raises WorkflowNotFound, StaleRevision, InvalidWorkflow, InvalidInput (the slug), WorkflowSlugTaken.
    """
    found = lock_workflow(workflow)
    require_revision(found, expected)
    if definition is not None:
        require_valid(definition)
    wanted: dict[str, Any] = {"name": name, "slug": slug and check_slug(slug), "definition": definition}
    changed = {field: value for field, value in wanted.items() if value is not None and value != getattr(found, field)}
    if not changed:
        return found
    before = {field: getattr(found, field) for field in changed}
    try:
        with transaction.atomic():
            update_revision(found, expected, now=now, **changed)
    except IntegrityError as error:
        raise WorkflowSlugTaken from error
    changes = {field: [before[field], changed[field]] for field in changed if field != "definition"}
    changes["revision"] = [found.revision - 1, found.revision]
    record_act(actor=actor, action="workflow.changed", target=_target(found), changes=changes, now=now)
    return found


@transaction.atomic
def delete_workflow(*, workflow: str, actor: Actor, now: datetime, expected: Expected = None) -> None:
    """Delete a workflow. Its runs stay, and so do published apps, whose versions hold what they need.

    Raises WorkflowNotFound, StaleRevision.
    """
    found = lock_workflow(workflow)
    require_revision(found, expected)
    target = _target(found)
    found.delete()
    record_act(actor=actor, action="workflow.deleted", target=target, now=now)


def check_workflow(*, workflow: str, definition: Any = None) -> Verdict:
    """What is wrong with ``definition``, or with the workflow's own; changes nothing. Raises WorkflowNotFound."""
    found = find_workflow(workflow)
    return Verdict(tuple(validate_workflow(found.definition if definition is None else definition, at="/definition")))


def require_valid(definition: Any) -> None:
    """Raise InvalidWorkflow with everything that is wrong, pointers below ``/definition``."""
    errors = validate_workflow(definition, at="/definition")
    if errors:
        raise InvalidWorkflow(errors=errors)


def _free_slug(name: str) -> str:
    """A slug for ``name`` that no workflow has at this moment; two makers at once are told apart by the constraint."""
    base = make_slug(name, fallback="workflow")
    taken = set(Workflow.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    candidates = (base, *(f"{base[:58]}-{number}" for number in range(2, _SLUG_TRIES)))
    return next((slug for slug in candidates if slug not in taken), base)


def _target(workflow: Workflow) -> Target:
    return Target(kind="workflow", id=str(workflow.pk), name=workflow.name)
