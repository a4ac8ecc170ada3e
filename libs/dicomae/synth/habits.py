"""Habits of models: which optional tags each writes, in which spelling and which number format."""

from dataclasses import dataclass
from typing import Literal
from zlib import crc32

NumberFormat = Literal["shortest", "fixed", "padded", "exponent"]


@dataclass(frozen=True)
class Habit:
    """One model in one hospital's configuration.

    Attributes
    ----------
    name : its key in `HABITS`.
    modality : the one modality it writes.
    manufacturers : the spellings found in Manufacturer; software updates change them.
    versions : values of SoftwareVersions.
    creators : private blocks it writes, keys of `private.BLOCKS`.
    numbers : how it writes decimal strings.
    verbosity : share of the optional elements it ever writes, in percent.
    language : index into `bodyparts.LANGUAGES` of its descriptions.
    monochrome1 : share of its series in MONOCHROME1.
    no_window : share of its series without window tags.
    syntaxes : transfer syntax → share; names are those of `writer.SYNTAXES`.
    suffix : of its file names.
    """

    name: str
    modality: str
    manufacturers: tuple[str, ...]
    model: str
    versions: tuple[str, ...]
    creators: tuple[str, ...]
    numbers: NumberFormat
    verbosity: int
    language: int
    monochrome1: float
    no_window: float
    syntaxes: dict[str, float]
    suffix: str

    def writes(self, keyword: str) -> bool:
        """Whether this habit has the optional element; the same answer in every study."""
        return crc32(f"{self.name}/{keyword}".encode()) % 100 < self.verbosity

    def number(self, value: float) -> str:
        """A decimal string of at most 16 characters, as this habit writes it."""
        if self.numbers == "fixed":
            text = f"{value:.6f}"
        elif self.numbers == "padded":
            text = f"{value:.4f}".zfill(9)
        elif self.numbers == "exponent":
            text = f"{value:.5e}"
        else:
            text = f"{value:.6g}"
        return text if len(text) <= 16 else f"{value:.8g}"[:16]


_PLAIN = {"explicit": 1.0}


def _habit(
    name: str,
    manufacturers: str,
    model: str,
    versions: str,
    creators: str,
    numbers: NumberFormat,
    verbosity: int,
    language: int,
    monochrome1: float = 0.0,
    no_window: float = 0.08,
    syntaxes: dict[str, float] = _PLAIN,
    suffix: str = ".dcm",
) -> Habit:
    return Habit(
        name,
        name.split("-")[0].upper(),
        tuple(manufacturers.split("|")),
        model,
        tuple(versions.split("|")),
        tuple(filter(None, creators.split("|"))),
        numbers,
        verbosity,
        language,
        monochrome1,
        no_window,
        syntaxes,
        suffix,
    )


# fmt: off
HABITS: dict[str, Habit] = {habit.name: habit for habit in (
    _habit("ct-definition", "SIEMENS|Siemens Healthineers", "SOMATOM Definition AS",
           "syngo CT 2012B|syngo CT VA48A",
           "SIEMENS CT VA0  COAD|SIEMENS MEDCOM HEADER", "shortest", 78, 1),
    _habit("ct-lightspeed", "GE MEDICAL SYSTEMS", "LightSpeed VCT", "gmp_vct.42|07MW18.4",
           "GEMS_IDEN_01|GEMS_ACQU_01|GEMS_RELA_01|GEMS_HELIOS_01|GEMS_PARM_01", "fixed", 72, 0),
    _habit("ct-brilliance", "Philips|Philips Medical Systems", "Brilliance 64", "3.5.5.25001|4.1.6",
           "ELSCINT1", "shortest", 64, 4, syntaxes={"explicit": 0.7, "rle": 0.3}),
    _habit("ct-aquilion", "TOSHIBA|CANON_MEC", "Aquilion", "V3.30ER003|V6.00ER010", "TOSHIBA_MEC_CT3",
           "shortest", 55, 2, no_window=0.15, syntaxes={"implicit": 1.0}, suffix=""),
    _habit("mr-avanto", "SIEMENS|Siemens", "Avanto", "syngo MR B17|syngo MR E11",
           "SIEMENS MR HEADER|SIEMENS CSA HEADER", "shortest", 80, 1),
    _habit("mr-signa", "GE MEDICAL SYSTEMS", "Signa HDxt", "24\\LX\\MR Software release:HD16.0|27\\LX\\DV26",
           "GEMS_ACQU_01|GEMS_IMAG_01|GEMS_PARM_01|GEMS_SERS_01", "shortest", 70, 3,
           syntaxes={"explicit": 0.85, "jpeg2000": 0.15}),
    _habit("mr-achieva", "Philips Medical Systems|Philips Healthcare", "Achieva",
           "3.2.3\\3.2.3.2|5.1.7\\5.1.7.2",
           "Philips Imaging DD 001|Philips MR Imaging DD 001", "fixed", 68, 5, no_window=0.15),
    _habit("cr-fcr", "FUJIFILM Corporation|FUJI PHOTO FILM Co., Ltd.", "CR-IR 357", "A12-00|V8.1", "FDMS 1.0",
           "shortest", 50, 0, 0.85, 0.05),
    _habit("cr-adc", "Agfa|Agfa-Gevaert", "ADC_5155", "NIX_2.1.104|VIPS 1206", "AGFA|AGFA_ADC_Compact",
           "padded", 45, 2, 0.6, 0.12, {"implicit": 0.8, "explicit": 0.2}, ""),
    _habit("cr-direct", "KODAK|Carestream Health", "DirectView CR 975", "5.3.0", "", "shortest", 42, 1,
           0.3, 0.2),
    _habit("cr-pcr", "Philips Medical Systems|PHILIPS", "PCR Eleva", "1.2.1_PMS1.1.1", "SPI-P Release 1",
           "exponent", 60, 3, 0.5, 0.1, {"explicit": 0.8, "jpeg2000": 0.2}),
    _habit("xa-artis", "SIEMENS", "AXIOM-Artis", "VB31E|VC14J",
           "SIEMENS SMS-AX  ACQ 1.0|SIEMENS MEDCOM HEADER",
           "shortest", 74, 1, syntaxes={"explicit": 0.6, "jpeg": 0.4}),
    _habit("xa-innova", "GE MEDICAL SYSTEMS", "INNOVA 3100", "27.00|32.10.1", "GEMS_DL_IMG_01",
           "fixed", 70, 5, no_window=0.12),
    _habit("xa-allura", "Philips Medical Systems", "AlluraXper FD20", "7.2.0|8.1.17",
           "Philips X-ray Imaging DD 001",
           "shortest", 58, 2),
    _habit("rf-luminos", "SIEMENS", "Luminos dRF", "VE10H|VF11A", "SIEMENS SMS-AX  ACQ 1.0", "shortest",
           66, 1,
           no_window=0.06),
    _habit("rf-ultimax", "TOSHIBA_MEC|TOSHIBA", "Ultimax", "V3.40|V4.00", "TOSHIBA_MEC_XA3", "padded", 52,
           3, 0.3,
           0.06, {"implicit": 0.5, "explicit": 0.5}),
    _habit("rf-sonialvision", "SHIMADZU", "SONIALVISION", "1.0.3|2.1.0", "SVISION", "fixed", 48, 2, 0.4,
           0.06),
    _habit("nm-infinia", "GE MEDICAL SYSTEMS", "INFINIA", "2.105.030.10", "GEMS_GENIE_1", "shortest", 66, 4,
           no_window=0.06),
    _habit("nm-symbia", "SIEMENS NM|SIEMENS", "Symbia T2", "VA60B|VB10A", "SIEMENS MED NM", "shortest", 70, 1,
           no_window=0.06),
    _habit("nm-adac", "ADAC|Philips Medical Systems", "Forte", "Pegasys 4.2", "ADAC_IMG", "fixed", 44, 2,
           no_window=0.1),
    _habit("us-logiq", "GE Healthcare Ultrasound", "LOGIQ E9", "R4.2.12", "", "shortest", 60, 0,
           no_window=0.9,
           syntaxes={"explicit": 0.5, "jpeg": 0.5}),
    _habit("us-iu22", "Philips Medical Systems", "iU22", "PMS5.1 Ultrasound iU22_6.3.2",
           "Philips US Imaging DD 109",
           "shortest", 52, 3, no_window=0.9),
    _habit("mg-selenia", "HOLOGIC, Inc.", "Selenia Dimensions", "1.8.3.63", "HOLOGIC, Inc.", "shortest",
           64, 0,
           0.5, 0.02),
    _habit("dx-ysio", "SIEMENS", "Fluorospot Compact FD", "VE10B", "SIEMENS MEDCOM HEADER", "shortest", 60, 1,
           0.4, 0.05),
    _habit("sr-workplace", "SIEMENS|GE MEDICAL SYSTEMS", "Workplace", "VB15A|4.5", "", "shortest", 40, 1),
    _habit("pr-viewer", "dcm4che.org|Agfa HealthCare", "Viewer", "2.0.29|8.1", "", "shortest", 40, 0),
    _habit("seg-research", "QIICR", "Segmentation", "1.2.4", "", "shortest", 40, 0),
)}
# fmt: on


def of_modality(modality: str) -> list[str]:
    """Names of the habits that write this modality."""
    return [habit.name for habit in HABITS.values() if habit.modality == modality]
