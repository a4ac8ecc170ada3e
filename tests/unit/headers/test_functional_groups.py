"""Functional groups: annotated bytes in each encoding, pydicom's reading of the same, real files."""

import io
import struct
import warnings
from dataclasses import replace
from pathlib import Path

import mutants
import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pydicom
import pytest
from conftest import HOME
from defaults import SETTINGS
from mutants import BIG, EXPLICIT, IMPLICIT, SHARED, check_equal, element, part10, sequence
from oracle import pydicom_text
from pydicom.dataset import Dataset

from dicomae import config
from dicomae.dicom.keys import standard_vr
from dicomae.errors import UsageError
from dicomae.features import statistics
from dicomae.headers import functional_groups, group_walk, kernel, plain
from dicomae.headers.parse import Arena, parse_headers
from dicomae.ingest.ingest import check_config
from dicomae.sources.reading import read_headers
from dicomae.synth import enhanced
from dicomae.synth.archive import Arguments, generate

DEFAULT = SETTINGS.functional_groups
ALL_FRAMES, EACH_FRAME = 0x52009229, 0x52009230
VOI_LUT, MEASURES, ANATOMY, REGION = 0x00289132, 0x00289110, 0x00209071, 0x00082218
FORMS = [(syntax, is_open) for syntax in (EXPLICIT, IMPLICIT, BIG) for is_open in (False, True)]
each_form = pytest.mark.parametrize(("syntax", "is_open"), FORMS)


class Writer:
    """Bytes of one encoding."""

    def __init__(self, syntax: str = EXPLICIT, is_open: bool = False) -> None:
        self.syntax, self.is_open = syntax, is_open

    def text(self, tag: int, vr: str, value: bytes) -> bytes:
        return element(tag, vr, value + b" " * (len(value) % 2), self.syntax)

    def sequence(self, tag: int, *items: bytes) -> bytes:
        return sequence(tag, items, self.syntax, self.is_open)

    def window(self, centre: bytes, width: bytes) -> bytes:
        return self.sequence(
            VOI_LUT, self.text(0x00281050, "DS", centre) + self.text(0x00281051, "DS", width)
        )

    def file(self, groups: bytes, top: bytes = b"") -> bytes:
        uid = element(0x00080018, "UI", b"1.2.3\0", self.syntax)
        return part10(uid + top + groups, self.syntax)


def row(content: bytes, paths=DEFAULT, by_kernel: bool = True) -> dict:
    """The only row, the same from both readers; the kernel reads it itself, or leaves it to plain."""
    odd = kernel.parse(
        Arena.joined([content]), [True], frozenset(), functional_groups.wanted(tuple(paths))
    ).odd
    assert odd == ([] if by_kernel else [0])
    batch = check_equal([content], [True], (), paths)
    assert batch.failures == ()
    (found,) = batch.headers.to_pylist()
    return {k: dict(v) if isinstance(v, list) else v for k, v in found.items()}


# Where a value is taken from


@each_form
def test_the_group_of_all_frames(syntax: str, is_open: bool) -> None:
    w = Writer(syntax, is_open)
    spacing = w.sequence(MEASURES, w.text(0x00280030, "DS", b"0.5\\0.7"))
    found = row(w.file(w.sequence(ALL_FRAMES, spacing + w.window(b"40", b"400"))))
    assert found["has_window"] is True
    assert found["elements"] == {
        "SOPInstanceUID": "1.2.3",
        "SharedFunctionalGroupsSequence": "[sequence]",
        "WindowCenter": "40",
        "WindowWidth": "400",
        "PixelSpacing": "0.5\\0.7",
    }
    assert found["vrs"] == {
        "WindowCenter": "DS SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]",
        "WindowWidth": "DS SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]",
        "PixelSpacing": "DS SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]",
    }
    assert found["element_errors"] == {}


@each_form
def test_the_group_of_the_first_frame_alone(syntax: str, is_open: bool) -> None:
    w = Writer(syntax, is_open)
    frames = w.sequence(EACH_FRAME, w.window(b"1", b"2"), w.window(b"3", b"4"))
    found = row(w.file(frames))
    assert (found["has_window"], found["elements"]["WindowCenter"]) == (True, "1")
    assert found["vrs"]["WindowWidth"] == "DS PerFrameFunctionalGroupsSequence[0].FrameVOILUTSequence[0]"
    assert row(w.file(w.sequence(EACH_FRAME, b"", w.window(b"3", b"4"))))["has_window"] is False


@each_form
def test_the_first_frame_goes_before_all_frames_unless_it_is_empty(syntax: str, is_open: bool) -> None:
    w = Writer(syntax, is_open)
    shared = w.sequence(ALL_FRAMES, w.window(b"40", b"400"))
    found = row(w.file(shared + w.sequence(EACH_FRAME, w.window(b"1", b""))))
    assert (found["elements"]["WindowCenter"], found["elements"]["WindowWidth"]) == ("1", "400")
    assert found["vrs"]["WindowCenter"].startswith("DS PerFrame")
    assert found["vrs"]["WindowWidth"].startswith("DS Shared")
    for empty in (b"", w.sequence(VOI_LUT), w.sequence(VOI_LUT, b"")):
        assert row(w.file(shared + w.sequence(EACH_FRAME, empty)))["elements"]["WindowCenter"] == "40"
    assert row(w.file(shared + w.sequence(EACH_FRAME)))["elements"]["WindowCenter"] == "40"


def test_an_element_at_the_top_is_never_replaced() -> None:
    w = Writer()
    groups = w.sequence(ALL_FRAMES, w.window(b"40", b"400"))
    found = row(w.file(groups, w.text(0x00281050, "DS", b"7")))
    assert (found["elements"]["WindowCenter"], found["elements"]["WindowWidth"]) == ("7", "400")
    assert "WindowCenter" not in found["vrs"]
    empty = row(w.file(groups, w.text(0x00281050, "DS", b"")))
    assert (empty["elements"]["WindowCenter"], empty["has_window"]) == (None, True)


def test_a_window_is_not_made_of_the_top_and_a_group() -> None:
    w = Writer()
    width = w.sequence(VOI_LUT, w.text(0x00281051, "DS", b"400"))
    found = row(w.file(w.sequence(ALL_FRAMES, width), w.text(0x00281050, "DS", b"7")))
    assert found["has_window"] is False


@each_form
def test_the_anatomy_of_the_frame(syntax: str, is_open: bool) -> None:
    w = Writer(syntax, is_open)
    code = w.text(0x00080100, "SH", b"T-A0100") + w.text(0x00080104, "LO", b"Sch\xe4del")
    anatomy = w.sequence(ANATOMY, w.sequence(REGION, code) + w.text(0x00209072, "CS", b"U"))
    groups = w.sequence(ALL_FRAMES, anatomy)
    found = row(w.file(groups))
    assert found["elements"]["FrameLaterality"] == "U"
    assert found["elements"]["AnatomicRegionSequence[0].CodeValue"] == "T-A0100"
    assert found["elements"]["AnatomicRegionSequence[0].CodeMeaning"] == "Schädel"
    mark = "LO SharedFunctionalGroupsSequence[0].FrameAnatomySequence[0]"
    assert found["vrs"]["AnatomicRegionSequence[0].CodeMeaning"] == mark
    at_the_top = row(w.file(groups, w.sequence(REGION)))
    assert not [key for key in at_the_top["elements"] if key.startswith("AnatomicRegionSequence[0]")]


def test_the_character_set_of_the_file_and_that_of_an_item() -> None:
    w = Writer()

    def meaning(item: bytes, top: bytes) -> str | None:
        code = w.sequence(REGION, item + w.text(0x00080104, "LO", b"Sch\xe4del"))
        content = element(0x00080005, "CS", top) + element(0x00080018, "UI", b"1.2.3\0")
        content += w.sequence(ALL_FRAMES, w.sequence(ANATOMY, code))
        found = row(part10(content), by_kernel=not item)
        return found["elements"]["AnatomicRegionSequence[0].CodeMeaning"]

    assert meaning(b"", b"ISO_IR 100") == "Schädel"
    assert meaning(w.text(0x00080005, "CS", b"ISO_IR 144"), b"ISO_IR 100") == "Schфdel"
    assert meaning(b"", b"ISO_IR 192") is None


# What is a window


@pytest.mark.parametrize(
    "nonsense", [b"NaN", b"inf", b"-INF", b"", b"40\\", b"\\40", b"1,5", b"0x10", b"1_0"]
)
def test_a_text_that_is_no_number_is_no_window_and_stays_as_written(nonsense: bytes) -> None:
    w = Writer()
    for centre, width in ((nonsense, b"400"), (b"40", nonsense)):
        found = row(w.file(w.sequence(ALL_FRAMES, w.window(centre, width))))
        assert found["has_window"] is False
        assert found["elements"]["WindowCenter"] == (centre.decode() or None)


@pytest.mark.parametrize("centre", [b"40", b"-1024.5", b"4e1", b".5", b"+7.", b"40\\300", b" 40 \\ 300 "])
def test_numbers_are_a_window(centre: bytes) -> None:
    w = Writer()
    assert row(w.file(w.sequence(ALL_FRAMES, w.window(centre, b"1"))))["has_window"] is True


def test_a_window_counts_when_nothing_is_taken() -> None:
    w = Writer()
    content = w.file(w.sequence(ALL_FRAMES, w.window(b"40", b"400")))
    found = row(content, paths=())
    assert (found["has_window"], found["vrs"]) == (True, {})
    assert "WindowCenter" not in found["elements"]
    assert parse_headers([content], [True], ()).headers["has_window"].to_pylist() == [True]


def test_a_window_elsewhere_is_none() -> None:
    w = Writer()
    window = w.text(0x00281050, "DS", b"40") + w.text(0x00281051, "DS", b"400")
    lost = (
        window,  # in the group itself
        w.sequence(MEASURES, window),  # in another macro
        w.sequence(VOI_LUT, w.sequence(VOI_LUT, window)),  # deeper
        w.text(0x00211010, "LO", b"ACME") + w.sequence(0x002110FE, w.window(b"40", b"400")),  # private
        w.text(0x00211010, "LO", b"ACME") + element(0x002110FE, "UN", w.window(b"40", b"400")),
        w.sequence(VOI_LUT, b"", window),  # in the second item
    )
    for item in lost:
        assert row(w.file(w.sequence(ALL_FRAMES, item)))["has_window"] is False


# How it is written


def test_groups_and_macros_in_un_are_implicit() -> None:
    inner = Writer(IMPLICIT)
    window = inner.window(b"40", b"400")[8:]  # the items
    un = element(VOI_LUT, "UN", window)
    assert row(Writer().file(Writer().sequence(ALL_FRAMES, un)), by_kernel=False)["has_window"] is True
    group = inner.sequence(ALL_FRAMES, inner.window(b"40", b"400"))[8:]
    assert row(Writer().file(element(ALL_FRAMES, "UN", group)), by_kernel=False)["has_window"] is True
    opened = Writer(IMPLICIT, is_open=True).sequence(ALL_FRAMES, inner.window(b"40", b"400"))[8:]
    head = struct.pack("<HH2sHL", 0x5200, 0x9229, b"UN", 0, 0xFFFFFFFF)
    assert row(Writer().file(head + opened), by_kernel=False)["has_window"] is True


def test_a_closed_item_in_an_open_sequence_and_an_open_item_in_a_closed_one() -> None:
    for outer, inner in ((Writer(is_open=True), Writer()), (Writer(), Writer(is_open=True))):
        found = row(outer.file(outer.sequence(ALL_FRAMES, inner.window(b"40", b"400"))))
        assert found["elements"]["WindowWidth"] == "400"


def test_another_vr_than_the_dictionarys_is_read_by_plain_and_told() -> None:
    w = Writer()
    macro = w.sequence(MEASURES, element(0x00280030, "FD", struct.pack("<2d", 0.5, 0.25)))
    found = row(w.file(w.sequence(ALL_FRAMES, macro)), by_kernel=False)
    assert found["elements"]["PixelSpacing"] == "0.5\\0.25"
    assert found["vrs"]["PixelSpacing"] == "FD SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]"


def test_a_value_that_cannot_be_read_has_its_reason() -> None:
    w = Writer()
    found = row(w.file(w.sequence(ALL_FRAMES, w.window(b"4\x0110", b"400"))))
    assert (found["has_window"], found["elements"]["WindowCenter"]) == (False, None)
    assert found["element_errors"] == {"WindowCenter": "not_text"}


def test_an_item_that_cannot_be_read_is_named_and_loses_nothing_else() -> None:
    w = Writer()
    good = w.sequence(EACH_FRAME, w.window(b"1", b"2"))
    lost = w.window(b"3", b"4")
    for broken in (
        struct.pack("<HHL", 0xFFFE, 0xE000, 255) + lost,  # an item beyond its sequence
        b"12345678" + lost,  # no item
        struct.pack("<HHL", 0xFFFE, 0xE000, len(lost) + 9) + lost + b"x" * 9,  # a piece of an element
        struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + lost,  # an item without an end
    ):
        found = row(w.file(element(ALL_FRAMES, "SQ", broken) + good), by_kernel=False)
        assert found["element_errors"] == {"SharedFunctionalGroupsSequence": "unreadable_item"}
        assert (found["has_window"], found["elements"]["WindowCenter"]) == (True, "1")
        macro = element(MEASURES, "SQ", broken)
        found = row(w.file(w.sequence(ALL_FRAMES, macro) + good), by_kernel=False)
        assert found["element_errors"] == {"SharedFunctionalGroupsSequence": "unreadable_item"}


def test_a_group_without_a_wanted_macro_is_not_followed() -> None:
    broken = b"12345678" + Writer().text(0x00281050, "DS", b"40")
    assert row(Writer().file(element(ALL_FRAMES, "SQ", broken)))["element_errors"] == {}


def test_a_group_that_is_no_sequence() -> None:
    for vr in ("OB", "LO"):
        assert row(Writer().file(element(ALL_FRAMES, vr, b"abcd")))["has_window"] is False


def test_the_last_of_two_groups_counts() -> None:
    w = Writer()
    twice = w.sequence(ALL_FRAMES, w.window(b"1", b"2")) + w.sequence(ALL_FRAMES, w.window(b"3", b"4"))
    assert row(w.file(twice), by_kernel=False)["elements"]["WindowCenter"] == "3"


def test_items_of_many_elements_end_where_plain_ends() -> None:
    w = Writer()
    assert group_walk.ELEMENTS == plain.MAXIMUM_FLATTENED
    many = b"".join(element(0x00091001 + i, "LO", b"") for i in range(1021))
    found = row(w.file(w.sequence(ALL_FRAMES, many + w.window(b"40", b"400"))))
    assert found["has_window"] is True  # 1021, the macro, and its two
    more = element(0x00090001, "LO", b"") + many
    found = row(w.file(w.sequence(ALL_FRAMES, more + w.window(b"40", b"400"))), by_kernel=False)
    assert found["has_window"] is False


def test_deep_sequences_beside_the_wanted_ones() -> None:
    for w in (Writer(), Writer(is_open=True)):
        deep = w.text(0x00080104, "LO", b"x")
        for _ in range(20):
            deep = w.sequence(0x00081140, deep)
        assert row(w.file(w.sequence(ALL_FRAMES, deep + w.window(b"40", b"400"))))["has_window"] is True


def test_thousands_of_frames_are_the_kernels() -> None:
    w = Writer(is_open=True)
    frame = w.sequence(0x00209113, w.text(0x00200032, "DS", b"1\\2\\3")) + w.window(b"40", b"400")
    content = w.file(w.sequence(EACH_FRAME, *[frame] * 5000))
    assert len(content) > 500_000
    assert row(content)["elements"]["WindowCenter"] == "40"


def test_rows_of_a_batch_keep_their_elements() -> None:
    w = Writer()
    classic = w.file(b"", w.text(0x00080060, "CS", b"CT") + w.text(0x00280030, "DS", b"9\\9"))
    enhanced = [
        w.file(w.sequence(ALL_FRAMES, w.window(str(i).encode(), b"400")), w.text(0x00080060, "CS", b"MR"))
        for i in range(40)
    ]
    files = [content for one in enhanced for content in (classic, one, classic, classic)]
    found = check_equal(files, [True] * len(files), (), DEFAULT).headers
    rows = [dict(row) for row in found["elements"].to_pylist()]
    assert [row.get("WindowCenter") for row in rows[1::4]] == [str(i) for i in range(40)]
    assert found["Modality"].to_pylist() == ["CT", "MR", "CT", "CT"] * 40
    assert (
        rows[0] == rows[2] == rows[3] == {"SOPInstanceUID": "1.2.3", "Modality": "CT", "PixelSpacing": "9\\9"}
    )
    assert {len(dict(vrs)) for vrs in found["vrs"].to_pylist()[0::4]} == {0}


@each_form
def test_each_prefix(syntax: str, is_open: bool) -> None:
    (content,) = [
        one for one, form in zip(mutants.enhanced(), FORMS, strict=True) if form == (syntax, is_open)
    ]
    prefixes = [content[:n] for n in range(len(content) + 1)]
    for whole in (True, False):
        check_equal(prefixes, [whole] * len(prefixes), (), mutants.GROUPS)


# pydicom's reading of the same


def nested_text(read: Dataset, path: str) -> tuple[str | None, str | None]:
    """The text that pydicom finds on a path, in the first frame or else for all; and the group."""
    *sequences, last = path.split("[0].")
    present = None
    for group in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        item = read
        for keyword in (group, *sequences):
            item = next(iter(item.get(keyword) or []), None) if item is not None else None
        if item is not None and last in item:
            text = pydicom_text(item, pydicom.tag.Tag(last))
            if text:
                return text, group
            present = present or group
    return None, present


def check_beside_pydicom(contents: list[bytes]) -> dict[str, int]:
    """Rows with a text on each path, all equal to pydicom's; and the windows that there were not before."""
    batch = parse_headers(contents, [True] * len(contents), (), DEFAULT)
    taken = dict.fromkeys((*DEFAULT, "windows"), 0)
    for position, found in zip(batch.index.tolist(), batch.headers.to_pylist(), strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read = pydicom.dcmread(io.BytesIO(contents[position]), stop_before_pixels=True, force=True)
            except Exception:  # noqa: BLE001 (what pydicom cannot read has no other reading)
                continue
            elements, vrs = dict(found["elements"]), dict(found["vrs"])
            for path in DEFAULT:
                key = path.split("[0].", 1)[1]
                text, group = nested_text(read, path)
                if key.split("[0].")[0] in read:
                    assert " " not in vrs.get(key, "")
                elif group is None:
                    assert key not in elements
                else:
                    assert (elements[key] or "") == (text or ""), (path, position)
                    assert vrs[key].split(" ")[1].startswith(group)
                    taken[path] += bool(text)
            at_top = bool(read.get("WindowCenter")) and bool(read.get("WindowWidth"))
            taken["windows"] += found["has_window"] and not at_top
    return taken


def test_synthetic_enhanced_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enhanced, "SHARE", 1.0)
    list(generate(Arguments(60, 7, matrix=16), tmp_path, workers=1))
    contents = [path.read_bytes() for path in sorted(tmp_path.rglob("*.dcm"))]
    contents = [content for content in contents if b"\x00\x52\x29\x92" in content]
    assert len(contents) >= 5
    taken = check_beside_pydicom(contents)
    check_equal(contents, [True] * len(contents), (), DEFAULT)
    assert taken["PixelMeasuresSequence[0].PixelSpacing"] >= 5
    assert taken["windows"] >= 5


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("undefined", [True, False])
def test_random_groups(implicit: bool, undefined: bool) -> None:
    contents = [_random(np.random.default_rng(seed), implicit, undefined) for seed in range(60)]
    taken = check_beside_pydicom(contents)
    check_equal(contents, [True] * len(contents), (), DEFAULT)
    assert min(taken.values()) >= 3


def _random(rng: np.random.Generator, implicit: bool, undefined: bool) -> bytes:
    def one_of(*values: object) -> object:
        return values[rng.integers(len(values))]

    def maybe(share: float) -> bool:
        return bool(rng.random() < share)

    read = Dataset()
    read.SOPInstanceUID, read.SpecificCharacterSet = "1.2.3", "ISO_IR 192"
    if maybe(0.2):
        read.PixelSpacing = [9, 9]
    for group in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        items = [Dataset() for _ in range(rng.integers(0, 4))]
        for path in DEFAULT:
            for item in items:
                *sequences, last = path.split("[0].")
                if maybe(0.4):
                    continue
                for keyword in sequences:
                    if keyword not in item or not len(item[keyword].value):
                        setattr(item, keyword, [Dataset(), Dataset()][: rng.integers(1, 3)])
                        item[keyword].is_undefined_length = undefined
                    item = item[keyword].value[0]
                    item.is_undefined_length_sequence_item = undefined
                setattr(item, last, one_of("", "5", "7") if maybe(0.9) else None)
        setattr(read, group, items)
        read[group].is_undefined_length = undefined
    written = io.BytesIO()
    read.save_as(written, implicit_vr=implicit, little_endian=True)
    return part10(written.getvalue(), IMPLICIT if implicit else EXPLICIT)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real files of ../shared/dicom are absent")
@pytest.mark.parametrize(
    ("folder", "windows", "spacings"), [("dicom", 6, 34), ("archive", 6, 25)], ids=["dicom", "archive"]
)
def test_real_enhanced_files(folder: str, windows: int, spacings: int) -> None:
    paths = [path for path in sorted((SHARED.parent / folder).rglob("*")) if path.is_file()]
    if not paths:
        pytest.skip(f"the real files of ../shared/{folder} are absent")
    contents = [path.read_bytes() for path in paths]
    batch = parse_headers(contents, [True] * len(contents), ())
    texts = zip(batch.index.tolist(), batch.headers["elements"].to_pylist(), strict=True)
    contents = [contents[i] for i, row in texts if "SharedFunctionalGroupsSequence" in dict(row)]
    check_equal(contents, [True] * len(contents), (), DEFAULT)
    taken = check_beside_pydicom(contents)
    spacing = taken["PixelMeasuresSequence[0].PixelSpacing"]
    assert (taken["windows"], spacing) == (windows, spacings)


# The configuration, and what comes after


def test_the_defaults_are_right_and_lead_to_different_elements() -> None:
    assert [functional_groups.fault(path) for path in DEFAULT] == [None] * len(DEFAULT)
    assert len({functional_groups.key_of(path) for path in DEFAULT}) == len(DEFAULT)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("PixelMeasureSequence[0].PixelSpacing", "the nearest is 'PixelMeasuresSequence'"),
        ("PixelMeasuresSequence[0].PixelSpaceing", "the nearest is 'PixelSpacing'"),
        ("WindowCenter", "one to 3 sequences"),
        ("PixelMeasuresSequence.PixelSpacing", "is no keyword of PS3.6"),
        ("PixelMeasuresSequence[0]", "is no keyword of PS3.6"),
        ("", "'' is no keyword of PS3.6"),
        ("Rows[0].PixelSpacing", "must be sequences"),
        ("FrameAnatomySequence[0].AnatomicRegionSequence", "an element that is none"),
        ("SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing", "begin inside a group"),
        ("FrameAnatomySequence[0]." * 4 + "FrameLaterality", "one to 3 sequences"),
    ],
)
def test_a_wrong_path_is_refused(path: str, reason: str) -> None:
    whole = config.load(HOME / "conf" / "default.toml")
    check_config(whole)
    wrong = replace(whole, ingest=replace(whole.ingest, functional_groups=(path,)))
    with pytest.raises(UsageError, match=r"^ingest\.functional_groups: ") as raised:
        check_config(wrong)
    assert reason in str(raised.value)


def test_the_setting_reaches_the_files(tmp_path: Path) -> None:
    w = Writer()
    (tmp_path / "1.dcm").write_bytes(w.file(w.sequence(ALL_FRAMES, w.window(b"40", b"400"))))
    found = []
    for settings in (SETTINGS, replace(SETTINGS, functional_groups=())):
        (batch,) = read_headers(pafs.LocalFileSystem(), [f"{tmp_path}/1.dcm"], [None], settings)
        found.append("WindowCenter" in dict(batch.headers["elements"][0].as_py()))
    assert found == [True, False]


def test_the_funnel_sees_one_tag() -> None:
    w = Writer()
    spacing = w.text(0x00280030, "DS", b"0.5\\0.7")
    files = [w.file(b"", spacing), w.file(w.sequence(ALL_FRAMES, w.sequence(MEASURES, spacing)))]
    headers = parse_headers(files, [True, True], (), DEFAULT).headers
    batch = headers.append_column("body_part", pa.nulls(2, pa.string()))
    counted = statistics.finish(statistics.from_batch(batch), standard_vr).to_pylist()
    (tag,) = [row for row in counted if row["key"] == "PixelSpacing"]
    assert (tag["vr"], tag["filled"], tag["fill"], tag["numeric_share"]) == ("DS", 2, 1.0, 1.0)
