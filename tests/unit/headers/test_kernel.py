"""The kernel equals plain Python, which is held to pydicom in `test_header`, for any files in any batches."""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import mutants
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutants import BIG, EXPLICIT, IMPLICIT, SHARED, check_equal, element, part10

from dicomae.codes import Reason
from dicomae.dicom import charset, vr
from dicomae.headers import decimals, kernel, keybook, layout, parse
from dicomae.headers.parse import Arena, parse_headers

HOME = Path(__file__).resolve().parents[3]
FUZZED = 1500  # mutants here; scripts/fuzz-headers runs the 20,000
CHECKED = 20_000  # with bounds checks
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/dicom are absent")

UID = (0x00080018, "UI", b"1.2.3\0")
TERMS = ["", "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 126", "ISO_IR 127"]
TERMS += ["ISO_IR 138", "ISO_IR 144", "ISO_IR 148", "ISO_IR 166", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK"]
TERMS += [
    "\\ISO 2022 IR 87",
    "ISO 2022 IR 6\\ISO 2022 IR 149",
    "ISO 2022 IR 100\\ISO 2022 IR 126",
    "ISO-IR 100",
]


def file_of(elements, syntax: str, term: str | None = None) -> bytes:
    """A file of these elements (tag, VR, value), in the order of tags."""
    every = [UID, *elements] + ([] if term is None else [(0x00080005, "CS", term.encode())])
    return part10(b"".join(element(*one, syntax) for one in sorted(every)), syntax)


def check_kernel(files: list[bytes]) -> None:
    """Equal, and read by the kernel itself."""
    assert kernel.parse(Arena.joined(files), [True] * len(files), frozenset()).odd == []
    check_equal(files, [True] * len(files))


# --- every VR, encoding and character set ---------------------------------------------------------

VALUES = [
    b"",
    b" ",
    b"\0",
    b"\\",
    b" a \\ b\0\\",
    b"1",
    b"-12\\+7 ",
    b"1.5e3\0\0",
    b"\xe4\xf6 \xfc",
    b"\x7f\x01",
]
VALUES += [b"\xc3\xa4\\ \xe6\x97\xa5", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xff" * 8, b"\x80" + b"\0" * 7]
VALUES += [
    struct.pack("<2d", 0.1, -1e300),
    struct.pack("<3f", 0.1, 1e-4, -0.0),
    struct.pack("<2d", np.inf, np.nan),
]
VALUES += [
    b"\x1b$B;3ED\x1b(B^\x1b$BB@O:",
    b"\x93\xfa\x96\x7b",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"\xff\xfe\xe0\xdd\0\0\0\0",
]
VALUES += [
    b"\xfe\xff\x00\xe0\0\0\0\0",
    bytes(range(32, 127)),
    bytes(range(0xA0, 0x100)),
    b"\x0e\x0f",
    b"a\nb\tc ",
]


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
@pytest.mark.parametrize("term", [None, *TERMS])
def test_every_vr_and_value_in_every_character_set(syntax, term):
    elements = [
        (0x00111000 + 256 * i + j, name, value)  # private: any VR may stand there
        for i, name in enumerate([*sorted(vr.READERS), "ZZ"])
        for j, value in enumerate(VALUES)
    ]
    check_kernel([file_of(elements, syntax, term)])


@pytest.mark.parametrize("term", [None, *TERMS])
def test_every_keyword_in_implicit_vr(term):
    public = [
        tag for tag in sorted(keybook.DicomDictionary) if 0x00080018 < tag < 0x7FE00000 and tag & 0xFFFF
    ]
    elements = [(tag, "UN", VALUES[i % len(VALUES)]) for i, tag in enumerate(public)]
    check_kernel([file_of(elements, IMPLICIT, term)])


@pytest.mark.parametrize("representation", [b"\0\0", b"\1\0", b"\0\1", b"", b"\1", b"\1\0\0\0"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
def test_the_sign_of_pixels(representation, syntax):
    signs = [
        (0x00189810, "UN", b"\xff\xff"),
        (0x00280106, "UN", b"\xff\xfe"),
        (0x00280107, "US", b"\xff\xff"),
    ]
    check_kernel([file_of([*signs, (0x00280103, "US", representation)], syntax)])


def test_private_creators_in_many_forms():
    creators = [
        b"ACME",
        b"ACME ",
        b"\0ACME",
        b"ACME\x01",
        b"",
        b"  ",
        b"\xe9clair",
        b"x" * 64,
        b"x" * 65,
        b"SIEMENS CSA HEADER",
    ]
    for order in range(3):
        random.Random(order).shuffle(creators)
        reserved = [(0x00290010 + i, "LO", creator) for i, creator in enumerate(creators)]
        inside = [(0x00291000 + 256 * i + 8, "UN", b"MR") for i in range(len(creators) + 2)]
        other_group = [(0x00311008, "SH", b"y"), (0x00310005, "SH", b"z"), (0x00310500, "SH", b"z")]
        check_kernel(
            [file_of([*reserved, *inside, *other_group], syntax) for syntax in (EXPLICIT, IMPLICIT, BIG)]
        )


# --- laws -----------------------------------------------------------------------------------------

_TAGS = st.one_of(
    st.sampled_from(sorted(tag for tag in keybook.DicomDictionary if 0x00080019 < tag < 0x7FE00000)),
    st.builds(
        lambda group, rest: (2 * group + 9) << 16 | rest,
        st.integers(0, 20),
        st.sampled_from([0x10, 0x11, 0x1001, 0x1102]),
    ),
    st.integers(0x00080019, 0x7FDFFFFF),
)
_ELEMENTS = st.dictionaries(
    _TAGS,
    st.tuples(st.sampled_from([*sorted(vr.READERS), "ZZ"]), st.sampled_from(VALUES) | st.binary(max_size=20)),
    max_size=12,
)
_FILES = st.builds(
    lambda elements, syntax, term, tail: (
        file_of([(tag, *rest) for tag, rest in elements.items()], syntax, term) + tail
    ),
    _ELEMENTS,
    st.sampled_from([EXPLICIT, IMPLICIT, BIG]),
    st.sampled_from([None, *TERMS]),
    st.sampled_from(
        [b"", element(0x7FE00010, "OW", bytes(8)), bytes(3), b"\1", element(0x00080001, "UL", b"")]
    ),
)


@given(st.lists(st.tuples(_FILES, st.booleans()), max_size=6), st.data())
@settings(max_examples=150, deadline=None)
def test_random_files_in_random_batches(files, data):
    buffers = [content for content, _ in files]
    complete = [whole for _, whole in files]
    together = check_equal(buffers, complete)
    at = data.draw(st.integers(0, len(files)))
    parts = [parse_headers(buffers[:at], complete[:at], ()), parse_headers(buffers[at:], complete[at:], ())]
    rows = [row for part in parts for row in part.headers.to_pylist()]
    assert rows == together.headers.to_pylist()
    assert [*parts[0].index, *(parts[1].index + at)] == together.index.tolist()


@given(st.floats(), st.floats(width=32))
@settings(max_examples=400, deadline=None)
def test_floats_are_pythons_and_numpys_texts(double, single):
    assert float_texts(struct.pack("<d", double), 8) == repr(double)
    assert float_texts(struct.pack("<f", single), 4) == str(np.float32(single))


def test_floats_at_every_power_and_beside_it():
    powers = np.concatenate(
        [10.0 ** np.arange(-323, 309), 2.0 ** np.arange(-1074, 1024), [0, 2**53 - 1, 2**53 + 2]]
    )
    doubles = np.concatenate([powers, np.nextafter(powers, 0), np.nextafter(powers, np.inf), -powers])
    assert float_texts(doubles.tobytes(), 8) == "\\".join(map(repr, doubles.tolist()))
    with np.errstate(all="ignore"):
        singles = np.concatenate(
            [powers.astype(np.float32), np.nextafter(powers.astype(np.float32), np.float32(0))]
        )
    assert float_texts(singles.tobytes(), 4) == "\\".join(map(str, singles))


def float_texts(raw: bytes, size: int) -> str:
    """The texts of all values as those of one element."""
    out, at = np.empty(len(raw) // size * decimals.LONGEST, np.uint8), np.empty(2, np.int64)
    buffer, sizes = np.frombuffer(raw, np.uint8), np.array([size])
    decimals.write(
        buffer, np.array([0]), np.array([len(raw)]), sizes, np.array([False]), decimals.POWERS, out, at
    )
    return out[: at[1]].tobytes().decode()


def test_every_codec_writes_ascii_as_it_is():
    """The writer copies ASCII whatever the character set is."""
    ascii_bytes = bytes(byte for byte in range(128) if byte != 0x1B)
    for name in charset.KNOWN_CODECS:
        assert ascii_bytes.decode(name) == ascii_bytes.decode("ascii"), name


# --- batches --------------------------------------------------------------------------------------


def test_batches_longer_than_the_kernel_takes(monkeypatch):
    files = mutants.hand_made() * 5 + [b"", b"no DICOM" * 40]
    whole = check_equal(files, [True] * len(files))
    for largest in (1, 700, 1500):
        monkeypatch.setattr(kernel, "LARGEST", largest)
        cut = check_equal(files, [True] * len(files))
        assert cut.headers.equals(whole.headers)
        assert cut.failures == whole.failures


def test_a_book_that_is_full_is_begun_again(monkeypatch):
    files = [
        file_of([(0x00310010, "LO", b"MAKER %d" % i), (0x00311001, "SH", b"x")], EXPLICIT) for i in range(30)
    ]
    monkeypatch.setattr(keybook, "MAXIMUM_KEYS", 0)
    for content in files:
        check_kernel([content])


def _many(groups: range, each: int) -> bytes:
    """A file of private elements, empty, of a creator that each group has."""
    creator = b"LO\x04\x00ACME"
    elements = (
        struct.pack("<HH", group, 0x10)
        + creator
        + b"".join(struct.pack("<HH4s", group, 0x1000 + at, b"US\x00\x00") for at in range(each))
        for group in groups
    )
    return part10(element(*UID, EXPLICIT) + b"".join(elements), EXPLICIT)


def test_a_file_of_more_new_keys_than_any_has_is_left_to_plain_python_and_fills_no_book():
    many, few = _many(range(0x2001, 0x2101, 2), 64), _many(range(0x3001, 0x3003, 2), 64)
    parsed = kernel.parse(Arena.joined([few, many, few]), [True] * 3, frozenset())
    assert (parsed.positions.tolist(), parsed.odd) == ([0, 2], [1])
    book = kernel._MEMORY.book
    check_equal([few, many, few], [True] * 3)
    assert kernel._MEMORY.book is book


@pytest.mark.parametrize(("elements", "is_read"), [(layout.MAXIMUM_ELEMENTS, True), (0x10001, False)])
def test_a_file_of_more_elements_than_any_has_is_too_large(elements, is_read):
    repeated = element(0x00280010, "US", b"", EXPLICIT) * (elements - 1)
    read = parse_headers([part10(element(*UID, EXPLICIT) + repeated, EXPLICIT)], [True], ())
    assert len(read.index) == is_read
    told = [(failure.reason, failure.detail) for failure in read.failures]
    assert told == ([] if is_read else [(Reason.TOO_LARGE, "more than 65536 elements")])


def test_known_keys_are_counted_too():
    groups = range(0x4001, 0x4001 + 2 * 260, 2)
    for at in range(0, len(groups), 16):
        check_kernel([_many(groups[at : at + 16], 254)])
    content = _many(groups, 254)
    assert kernel.parse(Arena.joined([content]), [True], frozenset()).odd == [0]
    assert [failure.reason for failure in parse_headers([content], [True], ()).failures] == [Reason.TOO_LARGE]


def test_odd_files_keep_their_place():
    usual = mutants.hand_made()
    falling = part10(element(*UID) + element(0x00080016, "UI", b"1.2") + element(0x00080016, "UI", b"1.4"))
    files = [falling, usual[0], b"", falling, usual[1], usual[2], falling, usual[0][:200]]
    assert kernel.parse(Arena.joined(files), [True] * len(files), frozenset()).odd == [0, 2, 3, 6, 7]
    assert check_equal(files, [True] * len(files)).index.tolist() == [0, 1, 3, 4, 5, 6]


def test_flattened_sequences_are_left_to_plain_python():
    files = mutants.hand_made()
    assert kernel.parse(Arena.joined(files), [True] * 3, frozenset({"RequestAttributesSequence"})).odd == [
        0,
        1,
        2,
    ]
    assert kernel.parse(Arena.joined(files), [True] * 3, frozenset({"OtherPatientIDsSequence"})).odd == []
    assert "RequestAttributesSequence[0].CodeValue" in dict(
        check_equal(files, [True] * 3, ["RequestAttributesSequence"]).headers["elements"][0].as_py()
    )


@pytest.mark.parametrize("content", mutants.hand_made())
def test_every_prefix(content):
    prefixes = [content[:n] for n in range(len(content) + 1)]
    for whole in (True, False):
        check_equal(prefixes, [whole] * len(prefixes))


# --- real files and mutants -----------------------------------------------------------------------


@needs_shared
def test_real_files_are_equal_in_batches_of_any_size():
    files = [path.read_bytes() for path in sorted(SHARED.rglob("*")) if path.is_file()]
    whole = check_equal(files, [True] * len(files))
    assert len(whole.index) == 452
    assert len(kernel.parse(Arena.joined(files), [True] * len(files), frozenset()).odd) <= 20
    rows = []
    for batch in mutants.cut(files, seed=1):
        rows += parse_headers(batch, [True] * len(batch), ()).headers.to_pylist()
    assert rows == whole.headers.to_pylist()


@needs_shared
def test_first_reads_of_real_files():
    for size in (100, 700, 4096, 16384):
        files = [path.read_bytes()[:size] for path in sorted(SHARED.rglob("*")) if path.is_file()]
        check_equal(files, [len(content) < size for content in files])


def test_mutants_are_equal():
    contents = mutants.hand_made() * 40 + mutants.enhanced() * 20 + mutants.real_files(longest=6000)
    for number, batch in enumerate(mutants.cut(mutants.mutants(contents, FUZZED, seed=7), seed=7)):
        complete = [(number + i) % 3 != 0 for i in range(len(batch))]
        flatten, groups = mutants.FLATTEN if number % 4 == 0 else (), mutants.GROUPS if number % 2 else ()
        check_equal(batch, complete, flatten, groups)


def test_mutants_stay_in_bounds():
    """Compiled with bounds checks, in a process of its own; the compiled code is kept for the next run."""
    command = [
        sys.executable,
        str(HOME / "scripts" / "fuzz-headers"),
        "--mutants",
        str(CHECKED),
        "--seed",
        "5",
    ]
    done = subprocess.run(
        [*command, "--cache", str(HOME / ".cache" / "numba-checked")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["rows"] > CHECKED // 5


def test_one_file_does_not_read_its_neighbour():
    """The bytes of the next file would complete this one."""
    whole = mutants.hand_made()[0]
    for at in range(1, len(whole)):
        batch = parse_headers([whole[:at], whole[at:]], [False, False], ())
        alone = parse_headers([whole[:at]], [False], ())
        assert (0 in batch.index, 0 in batch.incomplete) == (0 in alone.index, 0 in alone.incomplete)


def test_the_columns_of_an_empty_batch():
    assert parse_headers([], [], ()).headers.schema == parse.HEADER
    assert kernel.parse(Arena.joined([b""]), [False], frozenset()).incomplete == {0: 1}


def test_an_arena_gives_what_its_buffers_give(monkeypatch):
    odd = part10(element(*UID) + element(0x00080016, "UI", b"1.2") + element(0x00080016, "UI", b"1.4"))
    files = [*mutants.hand_made(), odd, b"", mutants.hand_made()[0][:200]]
    complete = [True] * 5 + [False]
    expected = parse_headers(files, complete, ())
    for largest in (1 << 20, 700):
        monkeypatch.setattr(kernel, "LARGEST", largest)
        found = parse_headers(Arena.joined(files), complete, ())
        assert found.headers.equals(expected.headers)
        assert found.index.tolist() == expected.index.tolist()
        assert (found.failures, found.incomplete) == (expected.failures, expected.incomplete)
