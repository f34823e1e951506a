"""Databases, their servers and backups in the consoles, each noun in its own module."""

from apps.databases.admin import databases, migrations, restores, servers

__all__ = ["databases", "migrations", "restores", "servers"]
