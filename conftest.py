"""Fixtures for the whole suite."""

from config.testing.database import committed_database, django_db_setup
from config.testing.people import api, make_client, make_user, make_workspace, user, workspace
from config.testing.processes import worker_process

__all__ = [
    "api",
    "committed_database",
    "django_db_setup",
    "make_client",
    "make_user",
    "make_workspace",
    "user",
    "worker_process",
    "workspace",
]
