"""What restores ask of backups: their dump, their manifest, a backup of the live database before it is replaced."""

from apps.databases.services.backups.files import fetch_dump, require_manifest
from apps.databases.services.backups.proving import (
    compare_with_manifest,
    dump_major,
    require_fitting_versions,
    restored_size,
)
from apps.databases.services.backups.steps import back_up_now, give_up_unfinished

__all__ = [
    "back_up_now",
    "compare_with_manifest",
    "dump_major",
    "fetch_dump",
    "give_up_unfinished",
    "require_fitting_versions",
    "require_manifest",
    "restored_size",
]
