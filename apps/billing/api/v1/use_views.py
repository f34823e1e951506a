"""Reporting what was used, setting it aside before, and taking back what was reported by mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.billing.api.v1.filters import ReservationFilters, require_app
from apps.billing.api.v1.inputs import CommitInput, ConsumeInput, CorrectInput, ReserveInput
from apps.billing.api.v1.outputs import CorrectedOutput, ReservationOutput, ReservedOutput, UseOutput
from apps.billing.errors import ReservationNotFound
from apps.billing.selectors.reservations import find_reservation, list_reservations
from apps.billing.selectors.usage import app_of_key
from apps.billing.services.consumption import consume
from apps.billing.services.corrections import correct_use
from apps.billing.services.ledger import REPORTED
from apps.billing.services.reservations import (
    commit_reservation,
    find_by_key,
    lifetime_of,
    release_reservation,
    reserve,
)
from apps.common.api.outputs import Created, Listing
from apps.common.api.views import WorkspaceViewSet
from apps.common.errors import InvalidInput
from apps.common.ids import parse_id


class UseViewSet(WorkspaceViewSet):
    """Use as it is reported."""

    required = {"consume": "billing.consume", "reserve": "billing.consume", "correct": "billing.correct"}
    inputs = {"consume": ConsumeInput, "reserve": ReserveInput, "correct": CorrectInput}
    outputs = {"consume": UseOutput, "reserve": Created(ReservedOutput), "correct": Created(CorrectedOutput)}

    def consume(self, request: Request, workspace: str) -> Response:
        """Count a use.

        The same `idempotency_key` counts once, for ever, and a repeat gets the first answer, even when the quota is
        spent since. 402 when there is no room for it; then nothing is counted, and the key is still unused.
        """
        return self.answer(consume(**self._use(app_of_key)))

    def reserve(self, request: Request, workspace: str) -> Response:
        """Set an amount aside, so that work which is begun can be paid for when it ends.

        Commit what was really used, or release it; else it is given back when it expires. The same
        `idempotency_key` reserves once, for ever.
        """
        use = self._use(_app_of_reservation)
        lifetime = lifetime_of(use.pop("expires_in"))
        made = reserve(**use, lifetime=lifetime)
        return self.created(
            {**made.answer, "expires_at": made.expires_at}, location=f"{self._here}/reservations/{made.pk}"
        )

    def correct(self, request: Request, workspace: str) -> Response:
        """Take back a use, or a part of it, that was reported by mistake.

        An entry of its own in the present period; the corrected one stays as it is. What the platform metered itself
        can't be corrected here.
        """
        asked = self.read()
        correction = correct_use(
            workspace=self.workspace,
            event_id=asked["event"],
            amount=asked["amount"],
            key=asked["idempotency_key"],
            note=asked["note"],
            actor=self.actor,
            now=self.now,
        )
        return self.created(
            {**(correction.answer or {}), "corrects": str(correction.corrects_id)},
            location=f"{self._here}/events/{correction.pk}",
        )

    @property
    def _here(self) -> str:
        return f"/api/v1/billing/workspaces/{self.kwargs['workspace']}"

    def _use(self, earlier: Callable[[str], UUID | None]) -> dict[str, Any]:
        """What consume and reserve take. A repeat may name an app that is gone since: ``earlier`` knows by the key
        which one it was."""
        asked = self.read()
        reference, key = asked.pop("app"), asked.pop("idempotency_key")
        app_id = None
        if reference is not None:
            try:
                app_id = require_app(self.workspace, reference)
            except InvalidInput:
                app_id = earlier(key)
                if app_id is None:
                    raise
        return {
            **asked,
            "app_id": app_id,
            "key": key,
            "workspace": self.workspace,
            "source": REPORTED,
            "actor": f"{self.actor.kind}:{self.actor.id}",
            "now": self.now,
        }


class ReservationViewSet(WorkspaceViewSet):
    """What is set aside."""

    required = {
        "list": "billing.view",
        "retrieve": "billing.view",
        "commit": "billing.consume",
        "release": "billing.consume",
    }
    inputs = {"commit": CommitInput}
    outputs = {
        "list": Listing(ReservationOutput, orders=("-created_at",), filters=ReservationFilters),
        "retrieve": ReservationOutput,
        "commit": ReservationOutput,
        "release": ReservationOutput,
    }

    def list(self, request: Request, workspace: str) -> Response:
        """Reservations of this workspace, the platform's own too, newest first."""
        return self.page(list_reservations())

    def retrieve(self, request: Request, workspace: str, reservation: str) -> Response:
        """One reservation."""
        return self.answer(find_reservation(self._id))

    def commit(self, request: Request, workspace: str, reservation: str) -> Response:
        """Count what was really used, and give the rest back.

        More than was reserved is counted when there is room for the difference. Repeating it changes nothing.
        """
        made = commit_reservation(
            workspace=self.workspace,
            reservation_id=self._id,
            amount=self.read()["amount"],
            now=self.now,
            source=REPORTED,
        )
        return self.answer(made)

    def release(self, request: Request, workspace: str, reservation: str) -> Response:
        """Give all of it back. Repeating it changes nothing."""
        return self.answer(
            release_reservation(workspace=self.workspace, reservation_id=self._id, now=self.now, source=REPORTED)
        )

    @property
    def _id(self) -> UUID:
        identifier = parse_id(self.kwargs["reservation"])
        if identifier is None:
            raise ReservationNotFound
        return identifier


def _app_of_reservation(key: str) -> UUID | None:
    first = find_by_key(key)
    return first.app_id if first is not None else None
