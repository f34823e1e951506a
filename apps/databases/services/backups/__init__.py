"""Backups: made, proved, opened, scheduled, expired."""
