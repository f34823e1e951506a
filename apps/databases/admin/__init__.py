"""Databases, their servers and backups in the consoles, each noun in its own module."""

from apps.databases.admin import backups, databases, migrations, restores, servers

__all__ = ["backups", "databases", "migrations", "restores", "servers"]
