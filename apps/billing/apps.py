"""A workspace's quotas and its ledger of use."""

from importlib import import_module

from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "apps.billing"
    verbose_name = "Billing"

    def ready(self) -> None:
        for module in ("permissions", "kinds", "receivers"):
            import_module(f"apps.billing.{module}")
