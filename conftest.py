"""Fixtures for the whole suite."""

from config.testing.database import committed_database, django_db_setup
from config.testing.databases import backup_folder, database_server, make_database
from config.testing.parts import every_part_may_be_asked
from config.testing.people import api, make_client, make_user, make_workspace, user, workspace
from config.testing.processes import worker_process

__all__ = [
    "api",
    "backup_folder",
    "committed_database",
    "database_server",
    "django_db_setup",
    "every_part_may_be_asked",
    "make_client",
    "make_database",
    "make_user",
    "make_workspace",
    "user",
    "worker_process",
    "workspace",
]
