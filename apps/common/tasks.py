"""The base of every task."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone
from tenant_schemas_celery.app import get_schema_name_from_task
from tenant_schemas_celery.task import TenantTask

from apps.common.api.idempotency import purge_answers
from apps.common.rates import purge_counts
from apps.common.tenancy import SchemaRef


class MissingSchemaHeader(RuntimeError):
    """A message arrived that does not say which schema it is for."""


class SchemaTask(TenantTask):
    """Runs in the schema that the message's header names; a message without one fails loudly."""

    abstract = True

    @classmethod
    def get_tenant_for_schema(cls, schema_name: str) -> SchemaRef:
        return SchemaRef(schema_name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.request.called_directly and not get_schema_name_from_task(self, kwargs):
            raise MissingSchemaHeader(f"{self.name} was sent without a _schema_name header.")
        return super().__call__(*args, **kwargs)


@shared_task(name="common.forget")
def forget_task() -> None:
    """Delete what is kept for a while only: answers to repeats, and counts of ended windows."""
    now = timezone.now()
    purge_answers(now=now)
    purge_counts(now=now)
