"""Databases, their servers and backups in the consoles, each noun in its own module."""

from apps.databases.admin import migrations, restores

__all__ = ["migrations", "restores"]
