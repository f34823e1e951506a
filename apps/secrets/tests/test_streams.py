"""Sealed streams come back whole, or say what is wrong with them; never silently short."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from apps.secrets.errors import KeyMissing, SealBroken
from apps.secrets.services import SealedWriter, key_of, open_stream, open_value, rewrap_value, seal_stream

WHERE = {"model": "databases.Backup", "key": "7", "field": "dump"}
CHUNK = 64 * 1024
HEADER, TAG = 13, 16


def sealed(plain: bytes, **where: str) -> tuple[bytes, str]:
    target = io.BytesIO()
    key = seal_stream(io.BytesIO(plain), target, **{**WHERE, **where}, chunk_bytes=CHUNK)
    return target.getvalue(), key


def opened(stream: bytes, sealed_key: str, **where: str) -> bytes:
    return open_stream(io.BytesIO(stream), sealed_key=sealed_key, **{**WHERE, **where}).read()


def _kek(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


#: Lengths around the borders of chunks, where the mistakes are.
lengths = st.builds(
    lambda chunks, beside: max(0, chunks * CHUNK + beside),
    st.integers(0, 3),
    st.one_of(st.integers(-2, 2), st.integers(-CHUNK, CHUNK)),
)


class Dribble(io.BytesIO):
    """A source that gives less than it is asked for, as sockets and pipes do."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 10_007))


@given(length=lengths, cuts=st.lists(st.integers(1, 2 * CHUNK), max_size=5), reads=st.integers(1, 3 * CHUNK))
@profile(deadline=None, max_examples=60)
def test_whatever_is_written_in_whatever_pieces_is_read_in_whatever_pieces(
    length: int, cuts: list[int], reads: int
) -> None:
    plain, target, at = os.urandom(length), io.BytesIO(), 0
    with SealedWriter(target, **WHERE, chunk_bytes=CHUNK) as writer:
        for cut in cuts:
            writer.write(plain[at : at + cut])
            at += cut
        writer.write(memoryview(plain)[at:])
    chunks = max(1, -(-length // CHUNK))
    assert len(target.getvalue()) == HEADER + length + chunks * TAG
    reader = open_stream(Dribble(target.getvalue()), sealed_key=writer.sealed_key, **WHERE)
    pieces = list(iter(lambda: reader.read(reads), b""))
    assert b"".join(pieces) == plain
    assert all(len(piece) == reads for piece in pieces[:-1])


@given(length=lengths, where=st.floats(0, 1, exclude_max=True))
@profile(deadline=None, max_examples=60)
def test_a_stream_that_was_cut_anywhere_is_refused(length: int, where: float) -> None:
    stream, key = sealed(os.urandom(length))
    with pytest.raises(SealBroken):
        opened(stream[: int(len(stream) * where)], key)


@pytest.mark.parametrize("chunks", [1, 2])
def test_a_stream_that_was_cut_between_two_chunks_ends_too_early(chunks: int) -> None:
    stream, key = sealed(os.urandom(3 * CHUNK))
    with pytest.raises(SealBroken, match="ends too early"):
        opened(stream[: HEADER + chunks * (CHUNK + TAG)], key)


@given(length=lengths, where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@profile(deadline=None, max_examples=60)
def test_one_flipped_bit_anywhere_is_refused(length: int, where: float, bit: int) -> None:
    stream, key = sealed(os.urandom(length))
    changed = bytearray(stream)
    changed[int(len(stream) * where)] ^= 1 << bit
    with pytest.raises(SealBroken):
        opened(bytes(changed), key)


@given(length=lengths, more=st.integers(1, 2 * CHUNK))
@profile(deadline=None, max_examples=40)
def test_appended_bytes_are_refused(length: int, more: int) -> None:
    stream, key = sealed(os.urandom(length))
    with pytest.raises(SealBroken):
        opened(stream + bytes(more), key)


def test_what_follows_a_full_last_chunk_is_told() -> None:
    stream, key = sealed(os.urandom(2 * CHUNK))
    with pytest.raises(SealBroken, match="appended"):
        opened(stream + b"x", key)


def test_chunks_have_their_place() -> None:
    stream, key = sealed(bytes(3 * CHUNK))
    size = CHUNK + TAG
    head, first, second, third = (
        stream[:HEADER],
        *(stream[HEADER + n * size : HEADER + (n + 1) * size] for n in range(3)),
    )
    for changed in ([second, first, third], [first, third], [first, first, third], [third], [first, second, second]):
        with pytest.raises(SealBroken):
            opened(head + b"".join(changed), key)


def test_chunks_of_another_stream_do_not_fit() -> None:
    (one, key), (other, _) = sealed(bytes(2 * CHUNK)), sealed(bytes(2 * CHUNK))
    middle = HEADER + CHUNK + TAG
    with pytest.raises(SealBroken):
        opened(one[:middle] + other[middle:], key)


def test_no_empty_chunk_follows_a_full_one() -> None:
    """Else two streams would hold the same bytes, one of them made by whoever cut and completed the other."""
    stream, _ = sealed(bytes(2 * CHUNK))
    assert len(stream) == HEADER + 2 * (CHUNK + TAG)


@pytest.mark.parametrize("part", ["model", "key", "field"])
def test_a_stream_opens_in_its_own_place_only(part: str) -> None:
    stream, key = sealed(b"secret")
    with pytest.raises(SealBroken):
        opened(stream, key, **{part: "other"})
    elsewhere, other_key = sealed(b"secret", **{part: "other"})
    with pytest.raises(SealBroken):
        opened(elsewhere, key)
    with pytest.raises(SealBroken):
        opened(stream, other_key, **{part: "other"})


@pytest.mark.parametrize("nonsense", [b"", b"A", b"ARST\x01\x10", b"PGDMP" + bytes(100), b"ARST\x02" + bytes(100)])
def test_what_is_no_sealed_stream_is_told_before_anything_is_read(nonsense: bytes) -> None:
    _, key = sealed(b"")
    with pytest.raises(SealBroken, match="not a sealed stream"):
        open_stream(io.BytesIO(nonsense), sealed_key=key, **WHERE)


def test_a_header_can_not_ask_for_more_memory() -> None:
    stream, key = sealed(b"x")
    with pytest.raises(SealBroken):
        open_stream(io.BytesIO(stream[:5] + b"\x3f" + stream[6:]), sealed_key=key, **WHERE)


def test_a_broken_stream_stays_broken() -> None:
    """A caller that swallows the error doesn't get an end instead of it."""
    stream, key = sealed(os.urandom(2 * CHUNK))
    reader = open_stream(io.BytesIO(stream[:-1]), sealed_key=key, **WHERE)
    assert len(reader.read(CHUNK)) == CHUNK
    for _ in range(2):
        with pytest.raises(SealBroken):
            reader.read(1)


def test_a_writer_whose_block_raises_leaves_no_whole_stream() -> None:
    target = io.BytesIO()
    with pytest.raises(OSError, match="gone"), SealedWriter(target, **WHERE, chunk_bytes=CHUNK) as writer:
        writer.write(bytes(2 * CHUNK))
        raise OSError("the source is gone")
    with pytest.raises(SealBroken, match="ends too early"):
        opened(target.getvalue(), writer.sealed_key)
    writer.close()
    with pytest.raises(SealBroken):
        opened(target.getvalue(), writer.sealed_key)


def test_a_writer_that_is_forgotten_finishes_nothing() -> None:
    target = io.BytesIO()
    writer = SealedWriter(target, **WHERE)
    writer.write(b"half")
    key = writer.sealed_key
    del writer
    with pytest.raises(SealBroken):
        opened(target.getvalue(), key)


def test_a_closed_writer_takes_nothing_and_leaves_its_target_open() -> None:
    target = io.BytesIO()
    writer = SealedWriter(target, **WHERE)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")
    assert opened(target.getvalue(), writer.sealed_key) == b""


@pytest.mark.parametrize("size", [0, 1000, 1 << 15, (1 << 16) + 1, 1 << 21])
def test_chunks_of_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        SealedWriter(io.BytesIO(), **WHERE, chunk_bytes=size)


def test_rotation_rewraps_the_key_and_leaves_the_stream_alone(settings) -> None:
    settings.SECRETS_KEYS = [f"old:{_kek('a')}"]
    stream, key = sealed(b"dump")
    settings.SECRETS_KEYS = [f"new:{_kek('b')}", f"old:{_kek('a')}"]
    rewrapped = rewrap_value(key, **WHERE)
    settings.SECRETS_KEYS = [f"new:{_kek('b')}"]
    assert key_of(rewrapped) == "new"
    assert opened(stream, rewrapped) == b"dump"
    with pytest.raises(KeyMissing, match="'old'"):
        opened(stream, key)


def test_the_plain_bytes_are_nowhere_in_the_stream() -> None:
    stream, key = sealed(b"JBSWY3DPEHPK3PXP" * 1000)
    assert b"JBSWY3DP" not in stream
    assert open_value(key, **WHERE) not in stream


def test_it_goes_through_pipes() -> None:
    """What a dump is: one process writes, another compresses, both at their own pace."""
    target = io.BytesIO()
    with subprocess.Popen(["seq", "200000"], stdout=subprocess.PIPE) as source:
        key = seal_stream(source.stdout, target, **WHERE)
    reader = io.BufferedReader(open_stream(io.BytesIO(target.getvalue()), sealed_key=key, **WHERE))
    assert [int(line) for line in reader] == list(range(1, 200_001))


class _Null:
    def write(self, data: bytes, /) -> None:
        pass


class _Zeros:
    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int, /) -> bytes:
        taken = min(size, self.left)
        self.left -= taken
        return bytes(taken)


def test_memory_does_not_grow_with_the_stream() -> None:
    tracemalloc.start()
    try:
        seal_stream(_Zeros(64 << 20), _Null(), **WHERE)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
