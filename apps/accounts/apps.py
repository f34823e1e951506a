"""People, and how they sign in."""

from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        import_module("apps.accounts.kinds")
        import_module("apps.accounts.receivers")
