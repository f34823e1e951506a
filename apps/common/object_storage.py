"""An object storage that speaks S3, in constant memory."""

from __future__ import annotations

from typing import Any

from boto3.s3.transfer import TransferConfig
from storages.backends.s3 import S3Storage

_MiB = 1024 * 1024
#: S3 takes 10,000 parts at most: files of up to 640 GB.
_PART = 64 * _MiB
_PARTS_AT_ONCE = 2


class ObjectStorage(S3Storage):
    """Files in a bucket. A stream of unknown length is uploaded in parts, and given up as a whole when it breaks: until
    the last part is there the file isn't. Files that are read are kept on disk beyond some megabytes, not in memory."""

    def __init__(self, **options: Any) -> None:
        transfer = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, max_concurrency=_PARTS_AT_ONCE)
        # boto3 doesn't name this one; without it ten parts wait in memory.
        transfer.max_in_memory_upload_chunks = _PARTS_AT_ONCE
        super().__init__(
            **{
                "file_overwrite": True,
                "default_acl": None,
                "signature_version": "s3v4",
                "max_memory_size": 16 * _MiB,
                "transfer_config": transfer,
                **options,
            }
        )
