"""Sealing values and streams, and the keys that they are sealed with."""

from apps.secrets.services.answers import open_answer, seal_answer
from apps.secrets.services.envelopes import key_of, open_value, rewrap_value, seal_value
from apps.secrets.services.fields import Each, declare_sealed_field
from apps.secrets.services.keys import active_key_id, configured_keys
from apps.secrets.services.streams import ByteSource, SealedReader, SealedWriter, open_stream, seal_stream

__all__ = [
    "ByteSource",
    "Each",
    "SealedReader",
    "SealedWriter",
    "active_key_id",
    "configured_keys",
    "declare_sealed_field",
    "key_of",
    "open_answer",
    "open_stream",
    "open_value",
    "rewrap_value",
    "seal_answer",
    "seal_stream",
    "seal_value",
]
