"""Body-part repair: what is declared, what is filled, and from where."""

import re
from pathlib import Path

import pyarrow as pa
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomae.dicom.bodypart import SOURCES, repair
from dicomae.dicom.bodypart_rules import BodyPartRules, fold, load_rules
from dicomae.errors import UsageError

RULES = load_rules(Path(__file__).resolve().parents[3] / "conf" / "bodypart.toml")
SHARED = Path(__file__).resolve().parents[4] / "shared" / "dicom"
NAMES = ("Modality", *SOURCES)

SMALL = """
ignored = ["neck coil"]
[regions]
neck = ["NECK"]
chest = ["CHEST", "NECKCHEST"]
neck_too = ["NECKCHEST"]
leg = ["HIP", "FEMUR"]
[[rules]]
part = "NECKCHEST"
all_of = ["NECK", "CHEST"]
examples = ["neck chest"]
[[rules]]
part = "HIP"
words = ["femoral neck", "hip"]
examples = ["hip"]
[[rules]]
part = "FEMUR"
words = ["femoral", "femo*"]
replaces = ["HIP"]
examples = ["femoral"]
[[rules]]
part = "CHEST"
words = ["chest", "chest wall"]
examples = ["chest"]
[[rules]]
part = "NECK"
words = ["neck", "neck coil off"]
examples = ["neck"]
"""


def small_rules(folder: Path, old: str = "", new: str = "") -> BodyPartRules:
    assert old in SMALL
    path = folder / "rules.toml"
    path.write_text(SMALL.replace(old, new, 1) if old else SMALL, encoding="utf-8")
    return load_rules(path)


def repaired(rules: BodyPartRules, *rows: dict[str, str | None]) -> list[tuple[str | None, str]]:
    columns = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in NAMES}
    part, source = repair(rules, columns)
    assert (part.type, source.type, source.null_count) == (pa.string(), pa.string(), 0)
    return list(zip(part.to_pylist(), source.to_pylist(), strict=True))


def one(modality: str = "CT", **texts: str | None) -> tuple[str | None, str]:
    return repaired(RULES, {"Modality": modality, **texts})[0]


@pytest.mark.parametrize(
    ("declared", "modality", "expected"),
    [
        ("CHEST", "CT", ("CHEST", "declared")),
        ("CHEST ", "CT", ("CHEST", "declared")),  # padding of CS means nothing
        ("Chest", "CT", ("CHEST", "normalised")),
        ("THORAX", "CT", ("CHEST", "normalised")),
        ("KOLJENO", "MR", ("KNEE", "normalised")),
        ("C-SPINE", "CR", ("CSPINE", "normalised")),
        ("WHOLE BODY", "NM", ("WHOLEBODY", "normalised")),
        ("CHEST\\ABDOMEN", "CT", ("CHESTABDOMEN", "normalised")),
        ("TH CT CHEST WO C", "CT", ("CHEST", "normalised")),
        ("NECK", "CR", ("CSPINE", "normalised")),
        ("HEAD", "CR", ("SKULL", "normalised")),
        ("NECK", "CT", ("NECK", "declared")),
        ("HEAD", "MR", ("HEAD", "declared")),
        ("SHUOLDER", "CR", ("SHOULDER", "normalised")),  # swapped
        ("ABDOMN", "CT", ("ABDOMEN", "normalised")),  # left out
        ("PROSTTATE", "MR", ("PROSTATE", "normalised")),  # inserted
        ("CLAVIKLE", "CR", ("CLAVICLE", "normalised")),  # changed
        ("XSPINE", "CR", (None, "unknown")),  # as near to CSPINE as to LSPINE
        ("HED", "CT", (None, "unknown")),  # too short to guess
        (None, "CT", (None, "unknown")),
        ("", "CT", (None, "unknown")),
        ("UNKNOWN", "CT", (None, "unknown")),
        ("XXX", "CT", (None, "unknown")),
        ("OTHER", "CT", (None, "unknown")),
        ("CANARY^PATIENT", "CT", (None, "unknown")),  # typed text is not kept
    ],
)
def test_declared_value(declared: str | None, modality: str, expected: tuple[str | None, str]) -> None:
    assert one(modality, BodyPartExamined=declared) == expected


@pytest.mark.parametrize("declared", [None, "", "UNKNOWN", "XXX", "OTHER", "ANY"])
def test_meaningless_value_is_filled_like_a_missing_one(declared: str | None) -> None:
    assert one("MR", BodyPartExamined=declared, ProtocolName="T1_KNEE_SAG") == (
        "KNEE",
        "filled-from-ProtocolName",
    )


def test_order_of_filling() -> None:
    texts = {
        "SeriesDescription": "knee",
        "ProtocolName": "hip",
        "StudyDescription": "hand",
        "RequestedProcedureDescription": "elbow",
        "ImageComments": "foot",
    }
    filled = []
    while texts:
        filled.append(one(**texts))
        del texts[filled[-1][1].removeprefix("filled-from-")]
    assert filled == [
        ("KNEE", "filled-from-SeriesDescription"),
        ("HIP", "filled-from-ProtocolName"),
        ("HAND", "filled-from-StudyDescription"),
        ("ELBOW", "filled-from-RequestedProcedureDescription"),
        ("FOOT", "filled-from-ImageComments"),
    ]


@pytest.mark.parametrize(
    ("series", "protocol", "study", "expected"),
    [
        ("lung", "chest", None, "LUNG"),  # both are the chest
        ("brain", "chest", None, None),
        ("brain", None, "chest", None),
        (None, "chest", "brain", None),
        ("brain", "routine", "chest", None),  # a text that names nothing has no say
        ("brain", "head", "chest", "BRAIN"),  # two agree; the third is not asked
        ("brain", "chest", "brain", None),
        ("liver", None, "chest abdomen", "LIVER"),  # one region in common is enough
        ("hip", None, "pelvis", "HIP"),  # no region in common, and yet the hip refines the pelvis
        ("pelvis", None, "hip", None),
    ],
)
def test_texts_that_contradict_each_other_fill_nothing(
    series: str | None, protocol: str | None, study: str | None, expected: str | None
) -> None:
    texts = {"SeriesDescription": series, "ProtocolName": protocol, "StudyDescription": study}
    assert one(**texts)[0] == expected


@pytest.mark.parametrize(
    ("series", "study", "expected"),
    [
        ("PET WB", "PET/CT chest", ("CHEST", "filled-from-StudyDescription")),
        ("brain", "PET WB", ("BRAIN", "filled-from-SeriesDescription")),
        ("WB", "whole body", ("WHOLEBODY", "filled-from-SeriesDescription")),
        ("PET WB", "tumour", ("WHOLEBODY", "filled-from-SeriesDescription")),
    ],
)
def test_a_part_beside_the_whole_body_is_the_part(series: str, study: str, expected: tuple[str, str]) -> None:
    assert one("PT", SeriesDescription=series, StudyDescription=study) == expected


def test_a_contradiction_leaves_what_is_known_otherwise() -> None:
    texts = {"SeriesDescription": "tibia", "StudyDescription": "thumb"}  # both are the extremity's
    assert one("CR", BodyPartExamined="EXTREMITY", **texts) == ("TIBIA", "filled-from-SeriesDescription")
    texts = {"SeriesDescription": "hip", "StudyDescription": "cervical spine"}
    assert one("CR", BodyPartExamined="CHEST", **texts) == ("CHEST", "declared")
    assert one("MG", **texts) == ("BREAST", "filled-from-Modality")
    assert one("CR", **texts) == (None, "unknown")


def test_a_text_never_overrules_a_declared_term_unless_the_rule_says_so() -> None:
    assert one("CT", BodyPartExamined="CHEST", SeriesDescription="knee") == ("CHEST", "declared")
    refined = one("CR", BodyPartExamined="EXTREMITY", StudyDescription="fibroma of distal tibia")
    assert refined == ("TIBIA", "filled-from-StudyDescription")


def test_mammography_without_a_word_is_the_breast() -> None:
    assert one("MG", StudyDescription="routine") == ("BREAST", "filled-from-Modality")
    assert one("CT", StudyDescription="routine") == (None, "unknown")


def test_longest_phrase_wins_and_phrases_do_not_overlap(tmp_path: Path) -> None:
    rules = small_rules(tmp_path)
    texts = {
        "femoral neck": "HIP",  # leaves no "neck"
        "neck of the femoral": "FEMUR",  # the earlier rule, wherever it stands
        "femorocrural": "FEMUR",
        "afemoral": None,
        "fem": None,
        "neck coil": None,
        "neck coil off": "NECK",
        "neck coil, chest wall": "CHEST",
        "chest and neck": "NECKCHEST",
        "chest and femoral neck": "HIP",
        "necks": None,
    }
    rows = [{"StudyDescription": text} for text in texts]
    assert [part for part, _ in repaired(rules, *rows)] == list(texts.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T1_KNEE_SAG", "t1 knee sag"),
        ("KNIE li.", "knie li"),
        ("Schädel/Größe", "schadel grosse"),
        ("Gležanj, đak, Łódź, Ørsted", "glezanj dak lodz orsted"),
        ("cœur", "coeur"),
        ("ThoraxPETCT1 L5", "thorax petct 1 l5"),
        ("AbdPelvis5.0", "abd pelvis 5 0"),
        ("HASTE t2w 3D", "haste t2w 3d"),
        ("\x00\n\t^", ""),
        ("膝", ""),
    ],
)
def test_fold(text: str, words: str) -> None:
    assert fold(text) == words.split()


def test_only_the_first_256_characters_count() -> None:
    assert one(StudyDescription="x" * 250 + " knee")[0] == "KNEE"
    assert one(StudyDescription="x" * 257 + " knee")[0] is None


WORDS = st.sampled_from(["neck", "coil", "off", "hip", "chest", "wall", "femoral", "femoris", "of", "xx"])


@settings(deadline=None)  # nothing is timed
@given(st.lists(WORDS, max_size=8))
def test_search_equals_a_regular_expression(small: BodyPartRules, words: list[str]) -> None:
    """Alternatives in the order of their lengths are the longest match, left to right."""
    longest_first = (
        "neck coil off",
        "neck coil",
        "femoral neck",
        "chest wall",
        "femo\\w*",
        "neck",
        "hip",
        "chest",
    )
    found = set(re.findall(rf"\b(?:{'|'.join(longest_first)})\b", " ".join(words)))
    neck, chest = bool(found & {"neck", "neck coil off"}), bool(found & {"chest", "chest wall"})
    hip, femur = bool(found & {"hip", "femoral neck"}), any(re.fullmatch(r"femo\w*", f) for f in found)
    order = (("NECKCHEST", neck and chest), ("HIP", hip), ("FEMUR", femur), ("CHEST", chest), ("NECK", neck))
    expected = next((part for part, holds in order if holds), None)
    assert repaired(small, {"StudyDescription": " ".join(words)})[0][0] == expected


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> BodyPartRules:
    return small_rules(tmp_path_factory.mktemp("rules"))


VALUES = st.one_of(
    st.none(), st.sampled_from(["CHEST", "Knie", "HEAD", "NECK", "EXTREMITY", "hand", "ABDOMN", "", "x"])
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"Modality": st.sampled_from(["CR", "CT", "MG", None])} | dict.fromkeys(SOURCES, VALUES)
    ),
    max_size=12,
)


@settings(deadline=None)  # nothing is timed
@given(ROWS)
def test_a_row_does_not_depend_on_its_neighbours(rows: list[dict[str, str | None]]) -> None:
    together = repaired(RULES, *rows, *rows)
    assert together == [repaired(RULES, row)[0] for row in rows] * 2


@settings(deadline=None)  # nothing is timed
@given(st.sampled_from(["CR", "CT", "MG", None]), VALUES | st.text(max_size=20))
def test_a_repaired_part_is_a_term_that_stays(modality: str | None, declared: str | None) -> None:
    part, source = repaired(RULES, {"Modality": modality, "BodyPartExamined": declared})[0]
    assert (part is None) == (source == "unknown")
    if part is not None:
        assert part in RULES.regions
        again = repaired(RULES, {"Modality": modality, "BodyPartExamined": part})
        assert again == [(part, "declared")]


@settings(deadline=None)  # nothing is timed
@given(st.lists(st.text(), max_size=4))
def test_any_text_is_answered(texts: list[str]) -> None:
    parts = [part for part, _ in repaired(RULES, *({"ImageComments": text} for text in texts))]
    assert all(part is None or part in RULES.regions for part in parts)


def test_what_one_list_of_rules_decided_is_not_told_of_another(small: BodyPartRules) -> None:
    row = {"StudyDescription": "knee"}  # a word that the small list does not have
    told = [repaired(rules, row) for rules in (RULES, small, RULES, small)]
    assert told == [[("KNEE", "filled-from-StudyDescription")], [(None, "unknown")]] * 2


def test_no_rows() -> None:
    assert repaired(RULES) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('part = "HIP"', 'part = "HOP"', "rule 2: key 'part': 'HOP' is no term"),
        ('part = "HIP"', 'parts = "HIP"', "rule 2: unknown key 'parts'"),
        ('["NECK", "CHEST"]', '["NECK", "CHIN"]', "rule 1: key 'all_of': 'CHIN' is no term"),
        ('replaces = ["HIP"]', 'replaces = ["hip"]', "rule 3: key 'replaces': 'hip' is no term"),
        ('replaces = ["HIP"]', 'replaces = "HIP"', "rule 3: key 'replaces' must be a list"),
        ('examples = ["neck"]', "", "rule 5: key 'examples' must hold"),
        ('words = ["chest", "chest wall"]', "", "rule 4: one of the keys"),
        (
            'words = ["chest", "chest wall"]',
            'words = ["a"]\nall_of = ["NECK"]',
            "rule 4: the keys 'words' and",
        ),
        ('"femo*"', '"fem*"', "rule 3: key 'words': 'fem.': a '.' stands at a word's end"),
        ('"femo*"', '"*femoral"', "rule 3: key 'words': '.femoral': a '.' stands"),
        ('"femo*"', '"(f+)+$ a b c d e f"', "rule 3: key 'words': .* must have 1 to 6 words"),
        ('"femo*"', '"--"', "rule 3: key 'words': '--' must have 1 to 6 words"),
        ('"chest wall"', '"Hip"', "rule 4: key 'words': 'hip' is rule 2's already"),
        ("ignored", "ignore", "unknown key 'ignore'"),
        ('leg = ["HIP", "FEMUR"]', 'leg = ["HIP", "femur"]', "key 'regions': 'femur' is no defined term"),
        ('leg = ["HIP", "FEMUR"]', 'leg = ["HIP", "HIP"]', "key 'regions': 'HIP' is twice in 'leg'"),
        ("[regions]", "[regions", "not a readable TOML file"),
    ],
)
def test_bad_rules_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        small_rules(tmp_path, old, new)
    assert str(caught.value).startswith(str(tmp_path / "rules.toml"))


def test_missing_file_of_rules(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file of body-part rules"):
        load_rules(tmp_path / "none.toml")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("ImagingDataCommons+highdicom/data/test_files/dx_image.dcm", ("CHEST", "normalised")),
        ("fo-dicom+fo-dicom/Tests/FO-DICOM.Tests/Test_Data/FreezePattern.dcm", (None, "unknown")),
        ("fo-dicom+fo-dicom/Tests/FO-DICOM.Tests/Test_Data/GH1146.dcm", ("BRAIN", "normalised")),
        ("pydicom+pydicom/src/pydicom/data/test_files/JPEG2000.dcm", ("WHOLEBODY", "normalised")),
        ("robyoung+dicom-test-files/data/WG04/J2KI/MR3_J2KI", ("KNEE", "filled-from-StudyDescription")),
        ("robyoung+dicom-test-files/data/WG04/J2KI/RG3_J2KI", ("TIBIA", "filled-from-StudyDescription")),
    ],
)
def test_real_files(path: str, expected: tuple[str | None, str]) -> None:
    dataset = pydicom.dcmread(SHARED / path, stop_before_pixels=True, specific_tags=list(NAMES))
    texts = {name: str(dataset[name].value) for name in NAMES if name in dataset}
    assert repaired(RULES, texts) == [expected]
