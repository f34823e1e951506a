"""What ``BACKUP_STORAGE_URL`` says, as an entry of Django's ``STORAGES``."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: What may stand behind the ``?`` of an ``s3://`` URL → the option of django-storages.
_OPTIONS = {"endpoint": "endpoint_url", "region": "region_name", "addressing": "addressing_style"}


def backup_storage(url: str, *, folder: str) -> dict[str, Any]:
    """The storage of backups and archives: ``folder`` when the URL is empty, ``file:///a/folder``, or
    ``s3://bucket/prefix?endpoint=https://…&region=…&addressing=path``.

    The keys of an S3 storage are those of ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``, or of whatever boto3
    finds (a role, a profile). Raises ImproperlyConfigured.
    """
    parts = urlsplit(url)
    if parts.scheme in {"", "file"}:
        return {
            "BACKEND": "apps.common.storages.AtomicFileSystemStorage",
            "OPTIONS": {
                "location": unquote(parts.path) or folder,
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    if parts.scheme != "s3" or not parts.hostname or parts.username:
        raise ImproperlyConfigured("BACKUP_STORAGE_URL is file:///folder or s3://bucket/prefix, without keys in it.")
    given = dict(parse_qsl(parts.query))
    if unknown := given.keys() - _OPTIONS.keys():
        raise ImproperlyConfigured(f"BACKUP_STORAGE_URL knows {', '.join(_OPTIONS)}; not {', '.join(sorted(unknown))}.")
    return {
        "BACKEND": "apps.common.object_storage.ObjectStorage",
        "OPTIONS": {
            "bucket_name": parts.netloc,
            "location": unquote(parts.path).strip("/"),
            **{_OPTIONS[name]: value for name, value in given.items()},
        },
    }
