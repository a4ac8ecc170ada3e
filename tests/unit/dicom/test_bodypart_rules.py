"""The rule list `conf/bodypart.toml`: each rule by its own examples, through the whole list."""

from pathlib import Path

import pyarrow as pa
import pytest

from dicomae.dicom.bodypart import SOURCES, repair
from dicomae.dicom.bodypart_rules import Rule, load_rules

RULES = load_rules(Path(__file__).resolve().parents[3] / "conf" / "bodypart.toml")

# What people call a part: English, German, Croatian, Italian, French, Spanish.
LANGUAGES = {
    "BRAIN": ("brain", "Gehirn", "mozak", "encefalo", "cerveau", "cerebro"),
    "SKULL": ("skull", "Schädel", "lubanja", "cranio", "crâne", "cráneo"),
    "NECK": ("neck", "Hals", "vrat", "collo", "cou", "cuello"),
    "CSPINE": (
        "cervical spine",
        "Halswirbelsäule",
        "vratna kralježnica",
        "rachide cervicale",
        "rachis cervical",
        "columna cervical",
    ),
    "LSPINE": (
        "lumbar spine",
        "LWS",
        "lumbalna kralježnica",
        "rachide lombare",
        "rachis lombaire",
        "columna lumbar",
    ),
    "CHEST": ("chest", "Brustkorb", "prsni koš", "torace", "thorax", "tórax"),
    "HEART": ("heart", "Herz", "srce", "cuore", "cœur", "corazón"),
    "BREAST": ("breast", "Mammographie", "dojka", "mammella", "seins", "mama"),
    "LIVER": ("liver", "Leber", "jetra", "fegato", "foie", "hígado"),
    "KIDNEY": ("kidneys", "Nieren", "bubrezi", "reni", "reins", "riñones"),
    "STOMACH": ("stomach", "Magen", "želudac", "stomaco", "estomac", "estómago"),
    "ABDOMEN": ("abdomen", "Bauch", "trbuh", "addome", "ventre", "vientre"),
    "PELVIS": ("pelvis", "Becken", "zdjelica", "bacino", "bassin", "pelvis"),
    "HIP": ("hip", "Hüfte", "kuk", "anca", "hanche", "cadera"),
    "KNEE": ("knee", "Knie", "koljeno", "ginocchio", "genou", "rodilla"),
    "ANKLE": ("ankle", "Sprunggelenk", "gležanj", "caviglia", "cheville", "tobillo"),
    "SHOULDER": ("shoulder", "Schulter", "rame", "spalla", "épaule", "hombro"),
    "ELBOW": ("elbow", "Ellenbogen", "lakat", "gomito", "coude", "codo"),
    "WRIST": ("wrist", "Handgelenk", "ručni zglob", "polso", "poignet", "muñeca"),
    "WHOLEBODY": ("whole body", "Ganzkörper", "cijelo tijelo", "total body", "corps entier", "cuerpo entero"),
}


def parts_of(texts: tuple[str, ...], modality: str = "OT") -> list[str | None]:
    columns = {name: pa.nulls(len(texts), pa.string()) for name in SOURCES}
    columns |= {
        "Modality": pa.array([modality] * len(texts)),
        "StudyDescription": pa.array(texts, pa.string()),
    }
    return repair(RULES, columns)[0].to_pylist()


def modality_of(rule: Rule) -> str:
    return min(rule.modalities, default="OT")


@pytest.mark.parametrize("number", range(len(RULES.rules)))
def test_examples_of_a_rule_give_its_part(number: int) -> None:
    rule = RULES.rules[number]
    given = dict(zip(rule.examples, parts_of(rule.examples, modality_of(rule)), strict=True))
    assert given == dict.fromkeys(rule.examples, rule.part)


@pytest.mark.parametrize("number", [n for n, rule in enumerate(RULES.rules) if rule.counterexamples])
def test_counterexamples_of_a_rule_do_not_give_its_part(number: int) -> None:
    rule = RULES.rules[number]
    assert rule.part not in parts_of(rule.counterexamples, modality_of(rule))


@pytest.mark.parametrize("part", LANGUAGES)
def test_six_languages(part: str) -> None:
    words = LANGUAGES[part]
    assert parts_of(words, "NM") == [part] * 6
    assert parts_of(tuple(f"MR_{word.upper()}_2ND" for word in words), "NM") == [part] * 6


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("femoral", "FEMUR"),  # not "oral"
        ("femoral neck", "HIP"),  # not NECK
        ("femoral access", None),
        ("MOBILE", None),  # not "bile"
        ("mobile chest", "CHEST"),
        ("t2_propeller", None),  # not "pel"
        ("PROPELLER ABD/PEL", "ABDOMENPELVIS"),
        ("hippocampus", "BRAIN"),  # not HIP
        ("endorectal coil", None),
        ("lung window", None),  # of any part
        ("bone windows", None),
        ("skull to thigh", "NECKCHESTABDPELV"),  # neither SKULL nor THIGH
        ("head first supine", None),
        ("Feet First Prone", None),
        ("Tórax de pie", "CHEST"),  # standing
        ("Thorax de face", "CHEST"),  # from the front
        ("CT SCOUT HEAD IN", None),
        ("SUBSQ TX", None),  # treatment, not Portuguese thorax
        ("CT head and neck", "HEADNECK"),
        ("C-arm", None),
        ("Knie Beschwerden bei Brustwirbelsäule", "TSPINE"),  # the first rule wins
    ],
)
def test_known_false_hits(text: str, part: str | None) -> None:
    assert parts_of((text,)) == [part]


def test_the_same_word_by_modality() -> None:
    assert parts_of(("NECK",), "CR") + parts_of(("NECK",), "CT") == ["CSPINE", "NECK"]
    assert parts_of(("HEAD",), "CR") + parts_of(("HEAD",), "CT") == ["SKULL", "HEAD"]
    assert parts_of(("knee WB",), "CR") + parts_of(("WB",), "PT") == ["KNEE", "WHOLEBODY"]  # weight bearing
    assert parts_of(("whole body", "WB chest"), "MR") == [None, "CHEST"]  # a station of it
    assert parts_of(("CT WB",), "CT") == ["NECKCHESTABDPELV"]  # of PET/CT, or after an accident
    assert parts_of(("AP routine", "Topogram AP"), "CT") == ["ABDOMENPELVIS", None]
    assert parts_of(("AP routine",), "CR") + parts_of(("PE",), "CT") == [None, "CHEST"]
    assert parts_of(("PE", "VIBRANT"), "MR") == [None, "BREAST"]
    assert parts_of(("main",), "CR") + parts_of(("main",), "XA") == ["HAND", None]


def test_terms_of_the_standard_by_region() -> None:
    """Terms of PS3.16 Annex L, typed here by hand."""
    some = {
        "ABDOMENPELVIS": {"abdomen", "pelvis"},
        "ACJOINT": {"extremity"},
        "CHESTABDPELVIS": {"chest", "abdomen", "pelvis"},
        "CORONARYARTERY": {"chest"},
        "IAC": {"head"},
        "LSSPINE": {"spine"},
        "NECKCHESTABDPELV": {"neck", "chest", "abdomen", "pelvis"},
        "SIJOINT": {"pelvis"},
        "UPRURINARYTRACT": {"abdomen"},
        "WHOLEBODY": {"whole_body"},
        "ZYGOMA": {"head"},
    }
    assert {term: set(RULES.regions.get(term, ())) for term in some} == some
    assert "THORAX" not in RULES.regions
