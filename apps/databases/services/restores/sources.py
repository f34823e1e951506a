"""What restores ask of backups: their dump, their manifest, a backup of the live database before it is replaced."""

from apps.databases.services.backups.files import fetch_dump, require_manifest, require_usable
from apps.databases.services.backups.proving import (
    compare_with_manifest,
    dump_major,
    require_fitting_versions,
    restored_size,
)
from apps.databases.services.backups.requests import find_backup
from apps.databases.services.backups.steps import back_up_now, give_up_unfinished

__all__ = [
    "back_up_now",
    "compare_with_manifest",
    "dump_major",
    "fetch_dump",
    "find_backup",
    "give_up_unfinished",
    "require_fitting_versions",
    "require_manifest",
    "require_usable",
    "restored_size",
]
