"""The platform's own disaster recovery with pgBackRest: makes the backups that are due, and says whether they would do.

It needs only Python, `pgbackrest` and `psql`, so that it runs on a database's machine, where the platform isn't
installed (`python3 -m recovery`, with this folder's parent as PYTHONPATH), as well as in a clone
(`python -m config.recovery`). docs/operations/backup.md tells operators how.
"""
