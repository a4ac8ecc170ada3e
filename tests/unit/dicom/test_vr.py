"""Bytes of a value to its text, by hand-annotated bytes."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomae.dicom import charset, vr

LITTLE = vr.ValueEncoding(little_endian=True, codecs=("latin_1",))
BIG = vr.ValueEncoding(little_endian=False, codecs=("latin_1",))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("AE", b" ARCHIVE \\ B", "ARCHIVE\\B"),
        ("AS", b"035Y", "035Y"),
        ("CS", b"DERIVED \\ PRIMARY\\AXIAL ", "DERIVED\\PRIMARY\\AXIAL"),
        ("CS", b"A\\\\B ", "A\\\\B"),  # an empty value between two
        ("CS", b" \\ ", None),  # two empty values hold nothing
        ("DA", b"20240229", "20240229"),
        ("DS", b" 1.50\\-2e3 ", "1.50\\-2e3"),  # as written
        ("DS", b"0.5\0", "0.5"),
        ("DS", b"1,5 ", "1,5"),  # no number, but text: the features judge
        ("IS", b"  7\0", "7"),
        ("IS", b"1.0 ", "1.0"),
        ("LO", b"  HEAD  ", "HEAD"),
        ("LT", b"  one\\two\r\n  ", "  one\\two\r\n"),
        ("ST", b"a\\b ", "a\\b"),
        ("UT", b" \0", None),
        ("UR", b"http://a/b\\c ", "http://a/b\\c"),
        ("UC", b" a \\b ", " a\\b"),
        ("PN", b"A^B \\C^D ", "A^B\\C^D"),
        ("SH", b"\xe9", "é"),
        ("TM", b"101500.25 ", "101500.25"),
        ("DT", b"2024+0100 ", "2024+0100"),
        ("UI", b"1.2.3\0", "1.2.3"),
        ("UI", b"1.2\\1.3\0", "1.2\\1.3"),
        ("US", b"\x01\x02", "513"),
        ("US", b"\x01\x00\xff\xff", "1\\65535"),
        ("SS", b"\xfe\xff", "-2"),
        ("UL", b"\xff\xff\xff\xff", "4294967295"),
        ("SL", b"\xff\xff\xff\xff", "-1"),
        ("UV", b"\xff" * 8, "18446744073709551615"),
        ("SV", b"\xff" * 8, "-1"),
        ("AT", b"\x10\x00\x20\x00\xe0\x7f\x10\x00", "00100020\\7FE00010"),
        ("FL", bytes.fromhex("cdcccc3d"), "0.1"),  # float32 nearest to 0.1
        ("FD", bytes.fromhex("9a9999999999b93f"), "0.1"),
        ("FD", struct.pack("<2d", 1e16, 5e-5), "1e+16\\5e-05"),
        ("FL", bytes.fromhex("0000c07f"), "nan"),
        ("FD", bytes.fromhex("000000000000f0ff"), "-inf"),
        ("OB", b"\0\0\0\0", "[4 bytes]"),
        ("UN", b"ab", "[2 bytes]"),
        ("SQ", bytes.fromhex("feff00e0 00000000"), "[sequence]"),
        ("SQ", bytes.fromhex("feffdde0 00000000"), None),  # only the delimiter
        ("LO", b"", None),
        ("XX", b"", None),
    ],
)
def test_value_becomes_the_text_of_the_contract(name, value, text):
    assert vr.text_of(name, value, LITTLE) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("US", b"\x01\x02", "258"),
        ("SL", b"\xff\xff\xff\xfe", "-2"),
        ("AT", b"\x00\x10\x00\x20", "00100020"),
        ("FL", bytes.fromhex("3dcccccd"), "0.1"),
        ("FD", bytes.fromhex("3fb999999999999a"), "0.1"),
        ("LO", b"AB", "AB"),
    ],
)
def test_big_endian_turns_numbers_and_leaves_text(name, value, text):
    assert vr.text_of(name, value, BIG) == text


@pytest.mark.parametrize(
    ("name", "value", "encodings", "reason"),
    [
        ("US", b"\1\2\3", ("latin_1",), "bad_length"),
        ("FD", b"\1\2\3\4", ("latin_1",), "bad_length"),
        ("AT", b"\1\2", ("latin_1",), "bad_length"),
        ("LO", b"\xe9", ("utf8",), "undecodable"),
        ("PN", b"A\x1b$X!!", ("latin_1", "iso2022_jp"), "undecodable"),
        ("DS", b"\x00\x01\x80?", ("latin_1",), "not_text"),
        ("IS", b"\xb2", ("latin_1",), "not_text"),
        ("ZZ", b"ab", ("latin_1",), "unknown_vr"),
    ],
)
def test_what_cannot_be_read_says_why_without_the_value(name, value, encodings, reason):
    with pytest.raises(vr.UnreadableValue, match=f"^{reason}$"):
        vr.text_of(name, value, vr.ValueEncoding(True, encodings))


@given(st.lists(st.floats(width=32), min_size=1, max_size=5))
def test_text_of_float32_is_the_shortest_that_comes_back(numbers):
    text = vr.text_of("FL", struct.pack(f"<{len(numbers)}f", *numbers), LITTLE)
    for part, number in zip(text.split("\\"), numbers, strict=True):
        back = struct.unpack("<f", struct.pack("<f", float(part)))[0]
        assert back == number or (math.isnan(back) and math.isnan(number))
        assert len(part) <= len(repr(number))


# PS3.5 annexes H, I, J: the standard's own examples of names.
@pytest.mark.parametrize(
    ("terms", "value", "text"),
    [
        (b"", b"Buc^J\xe9r\xf4me", "Buc^Jérôme"),
        (b"ISO_IR 100", b"Buc^J\xe9r\xf4me ", "Buc^Jérôme"),
        (b"ISO-IR 100", b"J\xe9", "Jé"),  # misspelt
        (b"utf-8", b"J\xc3\xa9", "Jé"),  # Python's name, not the standard's
        (b"NOT A SET", b"J\xe9", "Jé"),
        (b"rot13", b"J\xe9", "Jé"),  # a Python codec, but no character set
        (b"ISO_IR 144", b"\xbb\xee\xdace\xdc\xd1yp\xd3", None),
        (b"ISO_IR 192", "Wang^XiaoDong=王^小東".encode(), "Wang^XiaoDong=王^小東"),
        (b"GB18030", bytes.fromhex("cdf55ed0a1b6ab"), "王^小东"),
        (b"GB18030", b"\x81\\", "乗"),  # the second byte of a letter is no backslash
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        (
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            "Hong^Gildong=洪^吉洞",
        ),
        (b"\\ISO 2022 IR 58", b"Zhang=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1", "Zhang=张^小"),
    ],
)
def test_character_sets(terms, value, text):
    encoding = vr.ValueEncoding(True, charset.encodings_of(terms))
    expected = value.decode("iso8859_5").rstrip() if text is None else text
    assert vr.text_of("PN", value, encoding) == expected


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("LO", b"\x1b-B\xae^\xae", "Ž^Ž"),
        ("LO", b"\x1b-B\xae\\\xae", "Ž\\®"),
        ("LO", b"\x1b-B\xae\t\xae", "Ž\t®"),
        ("PN", b"\x1b-B\xae^\xae", "Ž^®"),
        ("PN", b"\x1b-B\xae=\xae", "Ž=®"),
        ("LT", b"\x1b-B\xae^\\\xae", "Ž^\\Ž"),
        ("LT", b"\x1b-B\xae\r\n\xae", "Ž\r\n®"),
    ],
)
def test_where_an_escape_sequence_loses_its_effect(name, value, text):
    """PS3.5, 6.1.2.5.3: `^` and `=` in names alone, a backslash where it parts values."""
    encoding = vr.ValueEncoding(True, charset.encodings_of(b"\\ISO 2022 IR 101"))
    assert vr.text_of(name, value, encoding) == text


def test_a_long_value_of_escape_sequences_is_not_taken_apart():
    encoding = vr.ValueEncoding(True, charset.encodings_of(b"\\ISO 2022 IR 101"))
    escaped = b"\x1b-B\xae" * ((1 << 18) + 1)
    with pytest.raises(vr.UnreadableValue, match="undecodable"):
        vr.text_of("UT", escaped, encoding)
    assert vr.text_of("UT", escaped[4:], encoding) == "Ž" * (1 << 18)


def test_encodings_never_fail_and_are_never_empty():
    for terms in (b"\\\\", b"\xff\xfe", b"hex", b"idna", b"unicode_escape", b"\0" * 16, b"ISO_IR 192\\X"):
        names = charset.encodings_of(terms)
        assert names
        assert all(isinstance(b"a".decode(name), str) for name in names)
