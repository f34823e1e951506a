"""Databases, their servers and backups in the consoles, each noun in its own module."""
