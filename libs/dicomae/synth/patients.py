"""The people who do not exist: names in several scripts, and canaries that tests search for."""

from dataclasses import dataclass

import numpy as np

# Some patients bear this name and such an ID: neither may reach a log, a report or an error. All of them
# share the name. Each has an ID of its own, and it stands in more elements than PatientID.
CANARY = "CANARY^DO^NOT^LEAK"
CANARY_ID_PREFIX = "CANARY-ID-"
CANARY_SHARE = 0.04

CHARSETS: dict[str, str | list[str] | None] = {
    "latin1": "ISO_IR 100",
    "latin2": "ISO_IR 101",
    "utf8": "ISO_IR 192",
    "japanese": ["", "ISO 2022 IR 87"],
    "ascii": None,
}

_NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # Family names, given names (female), given names (male): all invented by combination.
    "latin1": (
        ("Mühlbach", "Großkopf", "Lefèvre-Aubry", "Nuñez", "Straßner", "Castagnèr", "Öhmark", "Güldner"),
        ("Änne", "Zoë", "Inés", "Françoise", "Jörgine", "Noémi"),
        ("Jürgen", "José", "André", "Götz", "Núñolo", "Renè"),
    ),
    "latin2": (
        ("Žukovčić", "Šimunđić", "Čavlović", "Bošnjakić", "Grđević", "Ćurković", "Peršinović", "Lončarek"),
        ("Đurđa", "Željka", "Štefica", "Anđela", "Ružica", "Snježana"),
        ("Krešimir", "Zvonimir", "Đuro", "Šime", "Željko", "Franjo"),
    ),
    "utf8": (
        ("Żółkiewicz", "Παπαδάκης", "Ивановић", "Özdemirel", "Nguyễnova", "Kőszegi", "Вишнева", "Łaskowy"),
        ("Agnieszka", "Ελένη", "Милица", "Ayşe", "Hằng", "Zsófia"),
        ("Paweł", "Γιώργος", "Драган", "Çağlar", "Đức", "Győző"),
    ),
    "japanese": (
        ("Aoyagi=青柳", "Mizuhara=水原", "Kitazono=北園", "Tachikura=立倉"),
        ("Haruka=春香", "Sachi=幸", "Yumi=由美"),
        ("Kenta=健太", "Shin=真", "Takumi=匠"),
    ),
    "ascii": (
        ("TESTER", "MODELSON", "PHANTOMAS", "SAMPLE", "DUMMETT", "FAKELY", "NOBODY", "PLACEBO"),
        ("ALMA", "BETTY", "CORA", "DORA", "EDNA", "FLORA"),
        ("ALAN", "BORIS", "CARL", "DAVE", "ERIC", "FRED"),
    ),
}


@dataclass(frozen=True)
class Patient:
    """The person whom images show; `charset` is a key of `CHARSETS`."""

    number: int
    patient_id: str
    name: str
    sex: str
    birth_year: int
    birth_day: int  # 1 to 365
    height: float  # m
    weight: float  # kg
    charset: str

    @property
    def is_canary(self) -> bool:
        """Whether tests search for the patient's name and ID."""
        return self.name == CANARY


def make_patient(seed: int, number: int, sex: str, birth_year: int) -> Patient:
    """The patient of that number: the same for every study of the same seed."""
    rng = np.random.default_rng([seed, 1, number])
    charset = str(rng.choice(list(_NAMES), p=[0.3, 0.28, 0.12, 0.04, 0.26]))
    height = rng.normal(1.66 if sex == "F" else 1.78, 0.08)
    canary = rng.random() < CANARY_SHARE
    prefix = CANARY_ID_PREFIX if canary else str(rng.choice(["", "P", "KBR-", "00"]))
    return Patient(
        number=number,
        patient_id=f"{prefix}{100000 + number * 7 % 899999:06d}",
        name=CANARY if canary else _name(rng, charset, sex),
        sex=sex,
        birth_year=birth_year,
        birth_day=int(rng.integers(1, 366)),
        height=round(float(height), 2),
        weight=round(float(height**2 * rng.normal(26, 4)), 1),
        charset=charset,
    )


def _name(rng: np.random.Generator, charset: str, sex: str) -> str:
    families, female, male = _NAMES[charset]
    family, given = str(rng.choice(families)), str(rng.choice(female if sex == "F" else male))
    groups = [f"{f}^{g}" for f, g in zip(family.split("="), given.split("="), strict=True)]
    if charset == "ascii" and rng.random() < 0.3:
        return groups[0].replace("^", " ")  # a name typed as one word, with no caret
    return "=".join(groups)
