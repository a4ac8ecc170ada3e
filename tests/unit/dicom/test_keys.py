"""Names of elements, and the VRs of PS3.6 behind them."""

import pytest

from dicomae.dicom import keys


@pytest.mark.parametrize(
    ("group", "element", "creator", "key"),
    [
        (0x0010, 0x0010, None, "PatientName"),
        (0x0008, 0x0202, None, "00080202"),  # retired; PS3.6 gives it no keyword
        (0x0009, 0x0010, None, "00090010"),  # the creator element itself
        (0x0009, 0x1001, "GEMS_IDEN_01", "0009xx01 GEMS_IDEN_01"),
        (0x0009, 0x4AFF, "GEMS_IDEN_01", "0009xxFF GEMS_IDEN_01"),
        (0x0009, 0x10AB, None, "000910AB"),
        (0x0009, 0x0005, "GEMS_IDEN_01", "00090005"),  # no block can hold it
        (0x6000, 0x0010, None, "OverlayRows"),
        (0x6002, 0x0010, None, "60020010"),
        (0x50FE, 0x3000, None, "50FE3000"),
        (0x0020, 0x3100, None, "SourceImageIDs"),
        (0x0020, 0x3101, None, "00203101"),
        (0x0044, 0xFFFE, None, "0044FFFE"),
    ],
)
def test_an_element_has_the_name_of_the_contract(group, element, creator, key):
    assert keys.key_of(group, element, creator) == key


@pytest.mark.parametrize(
    ("key", "vr"),
    [
        ("PatientName", "PN"),
        ("OverlayRows", "US"),
        ("60020010", "US"),
        ("60023000", "OW"),
        ("SmallestImagePixelValue", "US"),  # US or SS
        ("LUTData", "OW"),  # US or OW
        ("00090010", "LO"),
        ("000910AB", None),
        ("0009xx01 GEMS_IDEN_01", "LO"),
        ("0009xx01 NOBODY.HAS[0].THIS", None),
        ("0019xx10 SIEMENS CT VA0  COAD", "IS"),
        ("RequestAttributesSequence[0].ScheduledProcedureStepID", "SH"),
        ("RequestAttributesSequence[0].ScheduledProtocolCodeSequence[0].CodeValue", "SH"),
        ("NoSuchKeyword", None),
        ("0044FFFE", None),
        ("Item", None),
    ],
)
def test_a_key_has_the_vr_of_the_standard(key, vr):
    assert keys.standard_vr(key) == vr


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("PatientName", "PatientName"),
        ("00090010", "00090010"),
        ("0009xx01 GEMS_IDEN_01", "0009xx01 GEMS_IDEN_01"),
        ("0009xx01 gems_iden_01", "0009xx01 (private)"),
        ("0009xx01 GEMS_IDEN_01 ANNA", "0009xx01 (private)"),
        ("0099xxFF CLINIC OF ANNA", "0099xxFF (private)"),
        ("0099xx01 ANNA\nB[0].C", "0099xx01 (private)"),
        ("RequestAttributesSequence[0].0099xx01 ANNA", "RequestAttributesSequence[0].0099xx01 (private)"),
        ("RequestAttributesSequence[0].StudyID", "RequestAttributesSequence[0].StudyID"),
        ("0099xx01 (private)", "0099xx01 (private)"),
    ],
)
def test_a_creator_that_is_not_public_is_not_shown(key, shown):
    assert keys.shown_key(key) == shown


def test_every_keyword_leads_back_to_its_vr():
    from pydicom._dicom_dict import DicomDictionary

    plain = {tag: entry for tag, entry in DicomDictionary.items() if " " not in entry[0] and entry[4]}
    wrong = [
        hex(tag)
        for tag, entry in plain.items()
        if keys.describe(tag, None) != (entry[4], None if entry[0] == "NONE" else entry[0])
    ]
    assert len(plain) > 4000
    assert wrong == []


def test_pixel_values_depend_on_the_sign():
    assert 0x00280106 in keys.SIGN_DEPENDS  # SmallestImagePixelValue
    assert 0x00280010 not in keys.SIGN_DEPENDS  # Rows


def test_a_creator_lies_between_10_and_ff_of_an_odd_group():
    tags = [(0x0009, 0x0F), (0x0009, 0x10), (0x0009, 0xFF), (0x0009, 0x100), (0x0008, 0x10)]
    assert [keys.is_creator(*tag) for tag in tags] == [False, True, True, False, False]


def test_a_block_has_the_name_of_its_first_printable_creator():
    named = [
        (0x00290010, "ACME"),
        (0x00290011, "ACME"),  # has a block of this group already
        (0x00310011, "ACME"),
        (0x00290012, "x" * 64),
        (0x00290013, "x" * 65),
        (0x00290014, "A\x01"),
        (0x00290015, "\xe9clair"),
    ]
    found = keys.creators_by_block(named)
    assert found == {0x2910: "ACME", 0x3111: "ACME", 0x2912: "x" * 64, 0x2915: "\xe9clair"}
