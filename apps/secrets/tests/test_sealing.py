"""Sealed values open where they belong, and nowhere else."""

from __future__ import annotations

import base64

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from apps.secrets.checks import check_keys, check_keys_are_own
from apps.secrets.errors import KeyMissing, SealBroken
from apps.secrets.services import active_key_id, key_of, open_answer, open_value, rewrap_value, seal_answer, seal_value

WHERE = {"model": "accounts.Authenticator", "key": "7", "field": "secret"}


def _flip(encoded: str) -> str:
    raw = bytearray(base64.urlsafe_b64decode(encoded))
    raw[len(raw) // 2] ^= 1
    return base64.urlsafe_b64encode(raw).decode()


def _key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


@given(st.binary(max_size=2000))
def test_a_value_comes_back_as_it_was(plaintext: bytes) -> None:
    assert open_value(seal_value(plaintext, **WHERE), **WHERE) == plaintext


def test_the_plaintext_is_not_in_the_envelope_and_no_two_are_alike() -> None:
    first, second = seal_value(b"JBSWY3DPEHPK3PXP", **WHERE), seal_value(b"JBSWY3DPEHPK3PXP", **WHERE)
    assert first != second
    assert b"JBSWY3DPEHPK3PXP" not in base64.urlsafe_b64decode(first.split(".")[3])


@pytest.mark.parametrize("part", ["model", "key", "field"])
def test_an_envelope_opens_in_its_own_place_only(part: str) -> None:
    envelope = seal_value(b"secret", **WHERE)
    with pytest.raises(SealBroken):
        open_value(envelope, **{**WHERE, part: "other"})


def test_parts_of_the_place_can_not_run_into_each_other() -> None:
    envelope = seal_value(b"secret", model="a", key="b|c", field="d")
    with pytest.raises(SealBroken):
        open_value(envelope, model="a|b", key="c", field="d")


@pytest.mark.parametrize("position", range(4))
def test_every_part_of_an_envelope_is_protected(position: int) -> None:
    parts = seal_value(b"secret", **WHERE).split(".")
    other = seal_value(b"else", **WHERE).split(".")
    changed = [*parts]
    changed[position] = {0: "v2", 1: "test2"}.get(position) or _flip(parts[position])
    with pytest.raises((SealBroken, KeyMissing)):
        open_value(".".join(changed), **WHERE)
    if position > 1:
        changed[position] = other[position]
        with pytest.raises(SealBroken):
            open_value(".".join(changed), **WHERE)


@pytest.mark.parametrize("nonsense", ["", "v1", "v1.test.", "a.b.c.d.e", "v1.test.!!.##", "v1.test.QQ==.QQ=="])
def test_nonsense_is_refused(nonsense: str) -> None:
    with pytest.raises(SealBroken):
        open_value(nonsense, **WHERE)


def test_rotation_reads_the_old_key_seals_with_the_new_and_rewraps(settings) -> None:
    settings.SECRETS_KEYS = [f"old:{_key('a')}"]
    envelope = seal_value(b"secret", **WHERE)
    settings.SECRETS_KEYS = [f"new:{_key('b')}", f"old:{_key('a')}"]
    assert (key_of(envelope), active_key_id()) == ("old", "new")
    assert open_value(envelope, **WHERE) == b"secret"
    rewrapped = rewrap_value(envelope, **WHERE)
    assert key_of(rewrapped) == "new"
    assert rewrap_value(rewrapped, **WHERE) == rewrapped
    settings.SECRETS_KEYS = [f"new:{_key('b')}"]
    assert open_value(rewrapped, **WHERE) == b"secret"
    with pytest.raises(KeyMissing) as refusal:
        open_value(envelope, **WHERE)
    assert "SECRETS_KEYS" in refusal.value.detail


def test_keys_come_from_a_file_too(settings, tmp_path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"\nfile:{_key('c')}\n")
    settings.SECRETS_KEYS, settings.SECRETS_KEYS_FILE = [], str(path)
    assert open_value(seal_value(b"secret", **WHERE), **WHERE) == b"secret"


@pytest.mark.parametrize(
    "keys",
    [
        [],
        ["short:c2hvcnQ="],
        ["id:not base64"],
        [f":{_key('a')}"],
        [f"with.dot:{_key('a')}"],
        [f"a:{_key('a')}", f"a:{_key('b')}"],
    ],
)
def test_unusable_keys_are_refused_and_the_system_check_says_so(settings, keys: list[str]) -> None:
    settings.SECRETS_KEYS = keys
    with pytest.raises(ImproperlyConfigured):
        seal_value(b"secret", **WHERE)
    assert [message.id for message in check_keys(None)] == ["secrets.E001"]


@pytest.mark.parametrize("line", ["{key}", "{key}:v1", "v1.{key}", "v1:{key}!", ":{key}", "v.1:{key}"])
def test_a_malformed_key_is_not_told_to_whoever_reads_the_logs(settings, line: str) -> None:
    key = _key("a")
    settings.SECRETS_KEYS = [f"good:{_key('b')}", line.format(key=key)]
    (message,) = check_keys(None)
    assert "number 2" in message.msg
    assert key not in message.msg


def test_a_missing_key_file_is_told_by_the_system_check(settings, tmp_path) -> None:
    settings.SECRETS_KEYS_FILE = str(tmp_path / "nowhere")
    assert [message.id for message in check_keys(None)] == ["secrets.E001"]


def test_published_keys_are_told_before_a_deployment(settings) -> None:
    assert [message.id for message in check_keys_are_own(None)] == ["secrets.W001"]
    settings.SECRETS_KEYS = [f"own:{_key('z')}"]
    assert check_keys(None) == check_keys_are_own(None) == []


def test_an_answer_that_bears_a_secret_is_sealed_for_its_record() -> None:
    sealed = seal_answer(b'{"key": "ar_live_1"}', "1")
    assert b"ar_live_1" not in sealed
    assert open_answer(sealed, "1") == b'{"key": "ar_live_1"}'
    with pytest.raises(SealBroken):
        open_answer(sealed, "2")
