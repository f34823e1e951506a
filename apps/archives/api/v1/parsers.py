"""How an archive is received: streamed through a seal into a file, never held, never open on a disk."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http import UnreadablePostError
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.parsers import BaseParser

from apps.archives.errors import ArchiveTooLarge
from apps.archives.services.imports import ReceivedArchive
from apps.archives.services.storing import sealing_writer, spool
from apps.common.api.problems import BadRequest
from apps.common.errors import InvalidInput
from apps.common.ids import new_id

_MODEL = "archives.WorkspaceImport"


class ReceivedFile(UploadedFile):
    """The uploaded archive. It reads as its hash, so that a repeated request is known to be the same."""

    def __init__(self, archive: ReceivedArchive) -> None:
        super().__init__(name="archive", size=archive.size_bytes)
        self.archive = archive

    def __str__(self) -> str:
        return f"{self.archive.size_bytes}:{self.archive.sha256}"


class ArchiveParser(BaseParser):
    """``multipart/form-data`` (RFC 7578) with the file ``archive``; its limit is ``ARCHIVE_MAX_BYTES``."""

    media_type = "multipart/form-data"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        request = (parser_context or {})["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        if "chunked" in meta.get("HTTP_TRANSFER_ENCODING", "").lower():
            # Of a body without a length no more is read than of any other (apps/common/chunked_bodies.py).
            raise BadRequest("Send the archive with its Content-Length.")
        if _length(meta) > settings.ARCHIVE_MAX_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise _too_large()
        handler = _SealingHandler(request)
        try:
            fields, files = MultiPartParser(meta, stream, [handler]).parse()
        except MultiPartParserError as error:
            raise BadRequest("The body is not multipart/form-data as RFC 7578 describes it.") from error
        except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent) as error:
            raise _too_large() from error
        except UnreadablePostError as error:
            raise BadRequest("The body ended before it was complete.") from error
        return {**{name: fields[name] for name in fields}, **{name: files[name] for name in files}}


class _SealingHandler(FileUploadHandler):
    """Seals the one file that is expected while it arrives; refuses others."""

    def __init__(self, request: Any) -> None:
        super().__init__(request)
        self._files = ExitStack()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.field_name != "archive" or hasattr(self, "_target"):
            raise InvalidInput.at(f"/{self.field_name}", "unknown_field", "There is one file, called archive.")
        self._identifier = new_id()
        self._target: IO[bytes] = self._files.enter_context(spool())
        self._sealed = sealing_writer(self._target, model=_MODEL, key=str(self._identifier))
        self._digest, self._size = hashlib.sha256(), 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if self._size > settings.ARCHIVE_MAX_BYTES:
            self._files.close()
            raise _too_large()
        self._digest.update(raw_data)
        self._sealed.write(raw_data)

    def file_complete(self, file_size: int) -> ReceivedFile:
        self._sealed.close()
        return ReceivedFile(
            ReceivedArchive(
                identifier=self._identifier,
                file=self._target,
                sealed_key=self._sealed.sealed_key,
                size_bytes=self._size,
                sha256=self._digest.hexdigest(),
            )
        )

    def upload_interrupted(self) -> None:
        self._files.close()


def _length(meta: dict[str, Any]) -> int:
    try:
        return int(meta.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _too_large() -> ArchiveTooLarge:
    return ArchiveTooLarge(f"An archive has at most {settings.ARCHIVE_MAX_BYTES:,} bytes.")
