"""How other apps' endpoints show the operation that their 202 answers name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.common.api.following import set_operation_reader
from apps.common.tenancy import enter_public
from apps.operations.api.v1.serializers import OperationOutput
from apps.operations.models import Operation


def show_operation(operation_id: UUID) -> Mapping[str, Any] | None:
    """The operation as the API shows it now; None when there is none."""
    with enter_public():
        operation = Operation.objects.filter(pk=operation_id).first()
        return OperationOutput(operation).data if operation is not None else None


set_operation_reader(show_operation)
