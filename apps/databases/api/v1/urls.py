"""Addresses of the endpoints of databases, each noun in its own module."""

from django.urls import URLPattern

from apps.databases.api.v1.backups import BACKUP_PATHS
from apps.databases.api.v1.database_views import DATABASE_PATHS
from apps.databases.api.v1.migration_views import MIGRATION_PATHS
from apps.databases.api.v1.query_views import QUERY_PATHS
from apps.databases.api.v1.restores import RESTORE_PATHS

urlpatterns: list[URLPattern] = [*DATABASE_PATHS, *MIGRATION_PATHS, *QUERY_PATHS, *BACKUP_PATHS, *RESTORE_PATHS]
