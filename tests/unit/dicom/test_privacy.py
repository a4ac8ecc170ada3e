"""The lists of conf/privacy.toml against PS3.6 and the confidentiality profile, and the level of a key."""

import dataclasses
from pathlib import Path

import pytest
from conftest import HOME
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from dicomae import config
from dicomae.codes import PrivacyLevel
from dicomae.dicom import privacy
from dicomae.errors import UsageError

FUNNEL = config.load(HOME / "conf" / "default.toml").funnel
LEVEL = privacy.levels(FUNNEL)
LISTED = {*FUNNEL.identifiers, *FUNNEL.free_text, *FUNNEL.technical_terms}
TEXT_VRS = ("LO", "SH", "ST", "LT", "UT", "UC", "UR", "PN", "AE")
# Attributes of the profile that may be features: PS3.15 keeps the patient's characteristics by an option, and
# the others are codes and numbers that name nobody.
KEPT = {
    *("PatientSex", "PatientAge", "PatientSize", "PatientWeight", "SmokingStatus", "PregnancyStatus"),
    *("PatientSexNeutered", "InstanceOriginStatus", "ReasonForTheAttributeModification"),
    *("LensSpecification", "SelectorASValue"),
}


def entries() -> dict[str, str]:
    """Keyword -> VR of all of PS3.6, repeating groups too."""
    repeating = {entry[4]: entry[0] for entry in RepeatersDictionary.values()}
    return repeating | {entry[4]: entry[0] for entry in DicomDictionary.values() if entry[4]}


def profile() -> set[str]:
    """Keywords of Table E.1-1, as far as PS3.6 by pydicom knows its tags."""
    lines = (Path(__file__).parent / "confidentiality_profile.txt").read_text().splitlines()
    tags = {tag for line in lines if not line.startswith("#") for tag in line.split() if "x" not in tag}
    found = {DicomDictionary[int(tag, 16)][4] for tag in tags if int(tag, 16) in DicomDictionary}
    assert len(found) > 600  # the newest attributes are in no pydicom yet
    return found | {"OverlayComments"}


def test_every_text_of_the_standard_is_on_a_list() -> None:
    """When a later pydicom brings a text, decide what it is, and add it to conf/privacy.toml."""
    texts = {word for word, vr in entries().items() if vr in TEXT_VRS}
    assert sorted(texts - LISTED) == []


def test_every_word_is_one_of_the_standard_and_stands_once() -> None:
    words = [*FUNNEL.identifiers, *FUNNEL.free_text, *FUNNEL.technical_terms]
    assert [word for word in words if word not in entries()] == []
    assert sorted(words) == sorted(set(words))


def test_technical_terms_are_short_texts() -> None:
    assert {entries()[word] for word in FUNNEL.technical_terms} == {"LO", "SH"}


def test_nothing_of_the_confidentiality_profile_becomes_a_feature() -> None:
    dropped = {PrivacyLevel.IDENTIFIER, PrivacyLevel.FREE_TEXT, PrivacyLevel.NAMING_VR}
    open_to = {word for word in profile() if LEVEL(word) not in dropped}
    assert {word for word in open_to if entries()[word] not in FUNNEL.excluded_vrs} == KEPT
    assert profile().isdisjoint(FUNNEL.technical_terms)


@pytest.mark.parametrize(
    "word",
    [
        *("ServiceEpisodeDescription", "PreMedication", "PerformedProcedureTypeDescription", "RTPlanLabel"),
        *("ReasonForTheImagingServiceRequest", "AcquisitionProtocolDescription", "ROIName", "ReasonForVisit"),
        *("InterpretationDiagnosisDescription", "DischargeDiagnosisDescription", "StructureSetLabel"),
        *(
            "ContrastBolusAgent",
            "OverlayDescription",
            "60120022",
            "50FE2500",
            "ASequence[2].StudyDescription",
        ),
    ],
)
def test_what_people_write_is_free_text(word: str) -> None:
    assert LEVEL(word) == PrivacyLevel.FREE_TEXT


@pytest.mark.parametrize(
    ("key", "level"),
    [
        ("PatientID", "identifier"),
        ("ASequence[0].BSequence[12].StationName", "identifier"),
        ("PhysiciansOfRecordIdentificationSequence[0].CodeMeaning", "identifier"),
        ("ASequence[0].InstitutionCodeSequence[0].KVP", "identifier"),
        ("Manufacturer", "technical"),
        ("ViewCodeSequence[0].CodeMeaning", "technical"),
        ("Modality", "code"),
        ("KVP", "code"),
        ("LaterKeyword", "unlisted"),
        ("00180061", "code"),  # retired, a DS without a keyword
        ("00100020", "identifier"),  # PatientID by its number
        ("00091FFF", "private"),
        ("00190010", "creator"),
        ("001900FF", "creator"),
        ("ASequence[0].00190010", "creator"),
        ("0019000F", "private"),
        ("00191010", "private"),
        ("0019xx10 DOE^JANE", "private"),
        ("0019xx10 DOE].PatientID", "private"),
        ("0019xx18 GEMS_ACQU_01", "private"),  # known as LO
        ("0029xx08 SIEMENS CSA HEADER", "code"),  # known as CS
        ("0029xx08 siemens csa header", "private"),
        ("0011xx10 DOE\n0029xx08 SIEMENS CSA HEADER", "private"),
    ],
)
def test_the_level_of_a_key(key: str, level: str) -> None:
    assert LEVEL(key) == level


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("identifiers", "PatientNam", "'PatientNam' is no keyword of PS3.6; the nearest is 'PatientName'"),
        ("identifiers", "patientid", "'patientid' is no keyword of PS3.6; the nearest is 'PatientID'"),
        ("identifiers", "Patient Name", "the nearest is 'PatientName'"),
        ("identifiers", "", "'' is no keyword of PS3.6"),
        ("free_text", "StudyDescripton", "the nearest is 'StudyDescription'"),
        ("technical_terms", "Manufacturers", "the nearest is 'Manufacturer'"),
        ("labels", "BodyPart", "the nearest is 'BodyPartExamined'"),
        ("excluded_vrs", "pn", "'pn' is no VR of PS3.5; the nearest is 'PN'"),
        ("excluded_vrs", "OB or OW", "is no VR of PS3.5"),
        ("excluded_vrs", "", "'' is no VR of PS3.5"),
    ],
)
def test_an_unknown_word_is_named_with_the_nearest(name: str, word: str, said: str) -> None:
    wrong = dataclasses.replace(FUNNEL, **{name: (*getattr(FUNNEL, name), word)})
    with pytest.raises(UsageError) as error:
        privacy.check(wrong, "ours.toml")
    assert str(error.value).startswith(f"ours.toml: key 'funnel.{name}': ")
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["default.toml", "local.toml", "nightly.toml", "paper.toml"])
def test_the_files_of_conf_are_right(name: str) -> None:
    privacy.check(config.load(HOME / "conf" / name).funnel, name)
