"""JSON that is taken, JSON that is refused, and the one way in which it is written."""

from __future__ import annotations

import struct
import time

import pytest

from apps.common.canonical_json import JsonTooLarge, MalformedJson, canonical_dumps, digest, loads


def test_plain_json_is_read():
    assert loads(b' {"a": [1, 2.5, null, true, "\\u00fc\\ud83d\\ude00"]} ') == {"a": [1, 2.5, None, True, "ü😀"]}
    assert loads("[]") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed_json"),
        ("{", "malformed_json"),
        ("{'a': 1}", "malformed_json"),
        ("[1,]", "malformed_json"),
        ('"a\nb"', "malformed_json"),
        (b"\xff", "malformed_json"),
        ("NaN", "json_number"),
        ("[-Infinity]", "json_number"),
        ("1e999", "json_number"),
        ("9223372036854775808", "json_number"),
        ("1" * 100_000, "json_number"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "json_duplicate_key"),
        ('"\\u0000"', "json_text"),
        ('{"\\ud800": 1}', "json_text"),
        ("[" * 65 + "]" * 65, "json_too_deep"),
        ('{"a":' * 65 + "1" + "}" * 65, "json_too_deep"),
    ],
)
def test_refused(text, code):
    with pytest.raises(MalformedJson) as refusal:
        loads(text)
    assert refusal.value.code == code


def test_depth_counts_nesting_not_brackets():
    assert len(loads("[" + ",".join(["[]"] * 1_000) + "]")) == 1_000
    assert loads('["' + "[" * 1_000 + '\\"]]{"]') == ["[" * 1_000 + '"]]{']
    assert loads("[" * 64 + "]" * 64)


def test_size_is_bounded():
    with pytest.raises(JsonTooLarge):
        loads(b'"' + b"a" * 2_000 + b'"', max_bytes=1_000)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "[]," * 300_000])
def test_fault_66_nested_brackets_are_refused_in_under_a_second(text):
    started = time.perf_counter()
    with pytest.raises(MalformedJson):
        loads(text)
    assert time.perf_counter() - started < 1.0


@pytest.mark.parametrize(
    ("bits", "written"),
    [  # RFC 8785, appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_in_rfc_8785(bits, written):
    number = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonical_dumps(number) == written.encode()


def test_keys_are_sorted_by_utf_16_and_text_is_escaped_as_in_rfc_8785():
    # RFC 8785, section 3.2.3: an astral character sorts before U+FB33, as its first half is U+D83D.
    assert canonical_dumps({"\ufb33": 1, "😀": 2, "\r": 3, "1": 4}) == '{"\\r":3,"1":4,"😀":2,"\ufb33":1}'.encode()
    assert canonical_dumps('€$\x0f\nA\'B"\\\\"/') == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


def test_digest_is_of_the_value_not_of_its_writing():
    assert digest(loads('{"b": 1e2, "a": [1.0]}')) == digest({"a": [1], "b": 100})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert len(digest(None)) == 64


@pytest.mark.parametrize("value", [float("nan"), {1: 2}, object(), {"a": b""}])
def test_what_is_not_json_is_not_written(value):
    with pytest.raises(ValueError, match=r"JSON"):
        canonical_dumps(value)
