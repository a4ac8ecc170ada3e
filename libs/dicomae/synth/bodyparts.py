"""Body parts as they are, and as hospitals write them.

References
----------
PS3.16 annex L (defined terms of Body Part Examined).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LANGUAGES = ("en", "de", "hr", "it", "fr", "es")


@dataclass(frozen=True)
class Part:
    """One true body part.

    Attributes
    ----------
    name : the defined term of PS3.16 annex L.
    form : key of `anatomy.FORMS`, the shapes that it is drawn with.
    words : what people call it, in the order of `LANGUAGES`.
    weights : how often a study of a modality shows it; a modality that is not named never does.
    spellings : non-standard or local values found in BodyPartExamined.
    size : width of the usual field of view, mm.
    """

    name: str
    form: str
    words: tuple[str, str, str, str, str, str]
    weights: dict[str, float]
    spellings: tuple[str, ...]
    size: float


def _part(name: str, form: str, size: float, words: str, weights: str, spellings: str) -> Part:
    pairs = (item.split(":") for item in weights.split())
    en, de, hr, it, fr, es = words.split("|")
    return Part(
        name,
        form,
        (en, de, hr, it, fr, es),
        {modality: float(weight) for modality, weight in pairs},
        tuple(spellings.split("|")),
        size,
    )


# fmt: off
PARTS: dict[str, Part] = {part.name: part for part in (
    _part("BRAIN", "head", 230, "brain|Gehirn|mozak|encefalo|cerveau|cerebro",
          "CT:14 MR:26 NM:8", "HIRN|Mozak|NEURO|CEREBRUM"),
    _part("SKULL", "head", 260, "skull|Schädel|lubanja|cranio|crâne|cráneo",
          "CR:5 CT:2 DX:3", "HEAD|Schaedel|LUBANJA|CRANIUM"),
    _part("HEAD", "head", 240, "head|Kopf|glava|testa|tête|cabeza",
          "CT:7 XA:10 MR:3", "KOPF|GLAVA|TETE|CAPUT"),
    _part("ORBIT", "head", 180, "orbits|Orbita|orbite|orbite|orbites|órbitas",
          "CT:1.5 MR:2 CR:0.8", "ORBITA|EYES|OKO"),
    _part("SINUS", "head", 190,
          "paranasal sinuses|Nasennebenhöhlen|sinusi|seni paranasali|sinus|senos paranasales",
          "CT:4 CR:2", "NNH|PNS|SINUSES|PARANASALSINUS"),
    _part("JAW", "head", 200, "mandible|Kiefer|čeljust|mandibola|mandibule|mandíbula",
          "CT:1 CR:1.5 DX:1", "MANDIBLE|KIEFER|OPG"),
    _part("NECK", "neck", 230, "neck|Hals|vrat|collo|cou|cuello",
          "CT:4 MR:3 US:5", "HALS|VRAT|COLLO|STNECK"),
    _part("THYROID", "neck", 160, "thyroid|Schilddrüse|štitnjača|tiroide|thyroïde|tiroides",
          "NM:14 US:7", "SCHILDDRUESE|STITNJACA|THYR"),
    _part("CAROTID", "neck", 200, "carotid|Karotis|karotide|carotide|carotide|carótida",
          "XA:9 US:4 CT:1.5 MR:1.5", "CAROTIDS|KAROTIS|CCA"),
    _part("CSPINE", "spine", 200,
          "cervical spine|HWS|cervikalna kralježnica|rachide cervicale|"
          "rachis cervical|columna cervical",
          "CR:6 CT:3 MR:7 DX:3", "NECK|C-SPINE|HWS|CERVICAL|C SPINE"),
    _part("CHEST", "torso", 370, "chest|Thorax|prsni koš|torace|thorax|tórax",
          "CR:26 CT:15 DX:14 RF:2", "THORAX|LUNGS|PULMO|Thorax a.p.|TORAX"),
    _part("LUNG", "torso", 350, "lung|Lunge|pluća|polmone|poumon|pulmón",
          "CT:4 NM:10", "LUNGE|PLUCA|PULMONES"),
    _part("RIB", "torso", 330, "ribs|Rippen|rebra|coste|côtes|costillas",
          "CR:4 DX:2", "RIBS|RIPPEN|HEMITHORAX"),
    _part("HEART", "heart", 250, "heart|Herz|srce|cuore|coeur|corazón",
          "MR:4 XA:24 NM:20 CT:3", "CARDIAC|HERZ|SRCE|COR|CARDIO"),
    _part("CORONARYARTERY", "heart", 200,
          "coronary arteries|Koronarien|koronarne arterije|coronarie|coronaires|coronarias",
          "XA:20 CT:2", "CORONARY|KORONAR|LCA|RCA"),
    _part("AORTA", "torso", 320, "aorta|Aorta|aorta|aorta|aorte|aorta",
          "CT:3 XA:8 MR:1", "AO|AORTENBOGEN|THOR AORTA"),
    _part("BREAST", "breast", 200, "breast|Mamma|dojka|mammella|sein|mama",
          "MG:40 MR:3 US:5", "MAMMA|DOJKA|BREASTS"),
    _part("TSPINE", "spine", 330,
          "thoracic spine|BWS|torakalna kralježnica|rachide dorsale|rachis dorsal|"
          "columna dorsal",
          "CR:4 MR:3 CT:1.5 DX:2", "T-SPINE|BWS|DORSAL|TH SPINE"),
    _part("LSPINE", "spine", 300,
          "lumbar spine|LWS|lumbalna kralježnica|rachide lombare|rachis lombaire|"
          "columna lumbar",
          "CR:8 MR:13 CT:4 DX:4 RF:2", "L-SPINE|LWS|LUMBAR|LS KRALJESNICA"),
    _part("ABDOMEN", "abdomen", 390, "abdomen|Bauch|abdomen|addome|ventre|vientre",
          "CT:18 MR:6 CR:4 XA:6 RF:9 US:20 NM:2", "ABD|BAUCH|ABDOME|TRBUH"),
    _part("LIVER", "abdomen", 370, "liver|Leber|jetra|fegato|foie|hígado",
          "MR:5 CT:4 XA:4 NM:6 US:5", "LEBER|JETRA|HEPAR|HEPATIC"),
    _part("KIDNEY", "abdomen", 320, "kidneys|Nieren|bubrezi|reni|reins|riñones",
          "NM:15 CT:3 XA:5 RF:6 US:4", "NIERE|BUBREG|RENAL|NIEREN"),
    _part("ESOPHAGUS", "torso", 300, "esophagus|Ösophagus|jednjak|esofago|oesophage|esófago",
          "RF:22", "OESOPHAGUS|JEDNJAK|BREISCHLUCK|GULLET"),
    _part("STOMACH", "abdomen", 300, "stomach|Magen|želudac|stomaco|estomac|estómago",
          "RF:16", "MAGEN|ZELUDAC|UGI|MDP"),
    _part("COLON", "abdomen", 350, "colon|Kolon|debelo crijevo|colon|côlon|colon",
          "RF:16 CT:1", "KOLON|KE|IRIGOGRAFIJA"),
    _part("BLADDER", "pelvis", 260, "bladder|Harnblase|mokraćni mjehur|vescica|vessie|vejiga",
          "RF:14 US:2", "BLASE|MCU|CYSTO|MJEHUR"),
    _part("PELVIS", "pelvis", 370, "pelvis|Becken|zdjelica|bacino|bassin|pelvis",
          "CR:6 CT:5 MR:5 XA:3 DX:4 RF:2", "BECKEN|ZDJELICA|BACINO|PELVIC"),
    _part("HIP", "pelvis", 280, "hip|Hüfte|kuk|anca|hanche|cadera",
          "CR:6 MR:2 CT:1 DX:3 RF:5", "HUEFTE|KUK|HIPS|COXAE"),
    _part("THIGH", "limb", 400, "femur|Oberschenkel|natkoljenica|coscia|cuisse|muslo",
          "CR:2.5 MR:1 XA:4 DX:1", "FEMUR|OBERSCHENKEL|FEMORAL"),
    _part("KNEE", "joint", 190, "knee|Knie|koljeno|ginocchio|genou|rodilla",
          "CR:9 MR:12 CT:1 DX:4", "KNIE|KOLJENO|GENU|KNEES"),
    _part("LEG", "limb", 380, "lower leg|Unterschenkel|potkoljenica|gamba|jambe|pierna",
          "CR:3 XA:7 CT:0.6", "LOWER LEG|UNTERSCHENKEL|TIBIA|RUNOFF"),
    _part("ANKLE", "joint", 170, "ankle|Sprunggelenk|gležanj|caviglia|cheville|tobillo",
          "CR:5 MR:3 CT:0.6 DX:2", "OSG|GLEZANJ|TALUS"),
    _part("FOOT", "hand", 260, "foot|Fuß|stopalo|piede|pied|pie",
          "CR:5 MR:2 DX:2", "FUSS|STOPALO|PES|VORFUSS"),
    _part("SHOULDER", "joint", 240, "shoulder|Schulter|rame|spalla|épaule|hombro",
          "CR:5 MR:6 CT:1 DX:2", "SCHULTER|RAME|SPALLA|OMO"),
    _part("ELBOW", "joint", 180, "elbow|Ellenbogen|lakat|gomito|coude|codo",
          "CR:3.5 MR:1.5 DX:1", "ELLENBOGEN|LAKAT|CUBITUS"),
    _part("FOREARM", "limb", 280, "forearm|Unterarm|podlaktica|avambraccio|avant-bras|antebrazo",
          "CR:2 DX:1", "UNTERARM|PODLAKTICA|RADIUS"),
    _part("WRIST", "joint", 150, "wrist|Handgelenk|ručni zglob|polso|poignet|muñeca",
          "CR:4 MR:2 CT:0.6 DX:2", "HANDGELENK|SKAFOID|CARPUS"),
    _part("HAND", "hand", 220, "hand|Hand|šaka|mano|main|mano",
          "CR:5 MR:1 DX:2", "SAKA|MANUS|HANDS"),
    _part("WHOLEBODY", "whole", 1900,
          "whole body|Ganzkörper|cijelo tijelo|total body|corps entier|cuerpo entero",
          "NM:22 MR:1", "WHOLE BODY|GANZKOERPER|WB|SKELETT"),
)}
# fmt: on

# How BodyPartExamined relates to the truth, and how often.
DECLARED = {"correct": 0.62, "missing": 0.17, "misspelt": 0.05, "non_standard": 0.12, "wrong": 0.04}


def of_modality(modality: str) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Names of the body parts that a modality shows, and their probabilities, float64 summing to 1."""
    weights = {name: part.weights[modality] for name, part in PARTS.items() if modality in part.weights}
    if not weights:  # reports and presentation states speak of anything
        weights = {name: sum(part.weights.values()) for name, part in PARTS.items()}
    shares = np.array(list(weights.values()))
    return list(weights), shares / shares.sum()


def declare(part: Part, rng: np.random.Generator) -> tuple[str | None, str]:
    """A value of BodyPartExamined, and how it relates to the truth: a key of `DECLARED`.

    The value is None when the element is missing, and "" when it is present but empty.
    """
    how = str(rng.choice(list(DECLARED), p=list(DECLARED.values())))
    if how == "missing":
        return (None if rng.random() < 0.65 else ""), how
    if how == "misspelt":
        return _misspell(part.name, rng), how
    if how == "non_standard":
        return str(rng.choice(part.spellings)), how
    if how == "wrong":
        return str(rng.choice([name for name in PARTS if name != part.name])), how
    return part.name, how


def _misspell(word: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, len(word)))
    kind = int(rng.integers(3))
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at - 1] + word[at:]
    return word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :] + "S"
