"""Private blocks with their creators; the tag decides how the values of an element behave, as in life.

References
----------
PS3.5 section 7.8 (private data element tags).
"""

from typing import Any
from zlib import crc32

from pydicom.dataset import Dataset

from dicomae.synth.draft import Draft

# creator: group, then its elements as offset within the block : VR
BLOCKS: dict[str, str] = {
    "SIEMENS CT VA0  COAD": (
        "0019 10:IS 11:IS 20:IS 21:IS 22:DS 23:DS 24:DS 50:DS 52:DS 54:DS 60:DS 65:UL 66:UL 67:UL B1:UN"
    ),
    "SIEMENS MEDCOM HEADER": "0029 08:CS 09:LO 10:OB 20:OB 31:LO 32:UL 33:UL 34:CS 35:UL 41:CS 42:LO 43:LO",
    "GEMS_IDEN_01": "0009 01:LO 02:SH 04:SH 17:LT 1A:US 20:US 27:SL 2F:SH 30:SH E2:LT",
    "GEMS_ACQU_01": (
        "0019 01:LT 02:SL 03:DS 04:DS 05:LT 0E:US 0F:DS 11:SS 12:SS 13:SS 14:SS 15:SS 16:SS 17:SS 18:LO "
        "19:DS 1A:LO 1B:DS 1E:DS 20:DS 22:DS 23:DS 24:DS 25:SS 26:SL 27:DS"
    ),
    "GEMS_RELA_01": (
        "0021 03:SS 05:SH 07:UL 15:US 16:SS 18:SH 19:UL 20:DS 35:SS 36:SS 37:SS 4A:LO 70:LT 71:LT"
    ),
    "GEMS_HELIOS_01": (
        "0045 01:SS 02:FL 03:SS 04:SS 05:SS 06:CS 07:FL 08:SS 09:SS 0A:FL 0B:FL 0C:SS 0D:SS 0E:FL 45:ST"
    ),
    "GEMS_PARM_01": (
        "0043 01:SS 02:SS 03:SS 04:SS 05:SS 06:SS 07:SS 08:SS 09:SS 0A:SS 0B:DS 0C:DS 0D:DS 0E:DS 0F:DS "
        "10:US 11:US 12:SS 13:SS 14:SS 28:OB 29:OB"
    ),
    "GEMS_IMAG_01": (
        "0027 06:SL 10:SS 1C:SL 1D:SS 1E:SL 1F:SL 20:SS 30:SH 31:SS 32:SS 33:SL 35:SS 36:SL 40:SH 41:FL 42:FL"
    ),
    "GEMS_SERS_01": "0025 06:SS 07:SL 10:SL 11:SS 14:SL 17:SL 1B:OB",
    "ELSCINT1": "01F1 01:CS 02:CS 03:CS 04:CS 05:DS 06:DS 07:DS 08:DS 0A:US 0B:CS 0C:DS 0D:DS 0E:FL 26:DS",
    "TOSHIBA_MEC_CT3": (
        "7005 00:OB 03:SH 04:SH 05:SH 06:SH 07:DS 08:DS 09:LO 0A:DS 0B:SH 0C:SH 0D:CS 0E:SH 0F:SH 10:OB "
        "12:SH 13:US 14:US"
    ),
    "SIEMENS MR HEADER": (
        "0019 08:CS 09:LO 0A:US 0B:DS 0C:IS 0D:CS 0E:FD 0F:SH 11:SH 12:SL 13:SL 14:IS 15:FD 16:DS"
    ),
    "SIEMENS CSA HEADER": "0029 08:CS 09:LO 10:OB 18:CS 19:LO 20:OB",
    "Philips Imaging DD 001": (
        "2001 01:FL 02:IS 03:FL 04:CS 05:SS 06:CS 07:CS 08:IS 09:FL 0A:IS 0B:CS 0C:CS 0E:CS 0F:SS 10:CS "
        "11:FL 12:CS 13:SL 14:SL 15:SS 16:SS 17:SL 18:SL 19:CS 5A:ST 5D:ST"
    ),
    "Philips MR Imaging DD 001": (
        "2005 00:FL 01:FL 02:FL 04:CS 05:CS 08:FL 09:FL 0A:FL 0B:FL 0C:FL 0D:FL 0E:FL 0F:DS 10:DS 11:CS "
        "12:CS 13:CS 14:CS"
    ),
    "FDMS 1.0": "0019 15:LO 30:LO 32:LO 40:CS 50:CS 60:SH 70:IS 71:IS 80:IS 81:IS 90:SH 91:SH",
    "AGFA": "0019 10:SH 11:LO 13:LO 14:ST 15:LO 16:LO 1A:LO 1B:LO 60:US 80:ST",
    "AGFA_ADC_Compact": "0019 05:ST 10:LO 30:ST 60:US 61:US 62:SH 70:US 71:US",
    "SPI-P Release 1": (
        "0019 00:LO 01:LO 02:UN 10:US 25:LO 30:US 31:UN 50:US 51:US 60:US 61:DS 62:US 63:CS 64:CS"
    ),
    "SIEMENS SMS-AX  ACQ 1.0": (
        "0021 00:US 01:US 02:US 03:US 04:SL 05:SL 06:SL 07:SL 08:SL 09:UL 0A:UL 0B:US 0C:SS 0D:SS 12:OB 1B:OB"
    ),
    "GEMS_DL_IMG_01": (
        "0019 0B:DS 0C:FL 0D:FL 2B:FL 30:LO 31:IS 32:IS 33:DS 34:DS 35:DS 36:DS 37:CS 38:DS 39:DS 3A:DS "
        "3B:DS 3D:DS 3E:DS 3F:DS 40:DS 41:CS 42:US"
    ),
    "Philips X-ray Imaging DD 001": (
        "2003 00:CS 01:LO 02:FD 03:LO 06:SL 09:SL 10:LO 11:SL 12:SL 13:SL 14:FD 15:FD"
    ),
    "TOSHIBA_MEC_XA3": (
        "7079 10:LO 21:SH 22:IS 23:IS 24:DS 25:SH 26:DS 27:US 28:US 29:US 2A:US 2B:UN 2C:SH 2D:SS 2E:SH "
        "2F:SH 30:US 4C:OB"
    ),
    "SVISION": "0021 00:DS 01:DS 02:DS 03:DS 10:LO 11:DS 20:LO 30:DS 31:DS 40:DS",
    "GEMS_GENIE_1": (
        "0011 0A:SL 0B:SL 0C:SL 0D:LO 10:LO 11:IS 12:LO 13:SL 14:SH 15:SL 16:SL 17:SL 18:SL 19:FD 1A:SL "
        "1B:SL 1C:SL 1D:SL 1E:SL 1F:SL 37:LT"
    ),
    "SIEMENS MED NM": (
        "0055 02:SS 04:SS 05:SS 20:SS 21:DS 30:SS 40:SS 48:FL 4C:SL 4D:SL 50:SS 51:SS 52:SS 53:CS 54:FL "
        "55:FL 56:SS 57:SS 58:FL 59:CS"
    ),
    "ADAC_IMG": "0019 02:IS 10:LO 11:US 12:IS 20:OB 21:US 41:IS 61:OB",
    "Philips US Imaging DD 109": "200D 00:US 02:ST 03:CS 04:SL 05:UL 06:UL 07:CS 09:OB",
    "HOLOGIC, Inc.": (
        "0019 06:LO 07:SH 08:LO 16:DS 26:LO 27:SH 28:LO 29:LO 30:US 31:US 32:US 33:US 34:US 35:US"
    ),
}
ROUTER = "DICOMAE ROUTER 1"
# Creators that a PACS, not a modality, adds on some ways into the archive.
_ROUTERS = {
    "INTELERAD MEDICAL SYSTEMS": "3F01 01:LO 02:LO 03:LO 04:LO 05:LO",
    "MITRA LINKED ATTRIBUTES 1.0": "0031 20:LO",
    ROUTER: "0099 01:LO 02:US 03:DS 04:UN 05:CS 06:FD",
}
_WORDS = ("NORMAL", "STANDARD", "AUTO", "OFF", "ON", "V12", "SMOOTH", "A1", "MODE_B", "FAST")


def add_blocks(draft: Draft, dataset: Dataset) -> None:
    """Add the private blocks of the habit, and now and then a router's, to the data set."""
    for creator in draft.habit.creators:
        _add(draft, dataset, creator, BLOCKS[creator])
    for creator, block in _ROUTERS.items():
        if draft.maybe(0.02):
            _add(draft, dataset, creator, block)


def add_canary(draft: Draft, dataset: Dataset) -> None:
    """Put a canary's ID where hospitals put patients: in a trial's element, a router's, and a creator."""
    who = draft.patient.patient_id
    dataset.ClinicalTrialSubjectID = who
    dataset.private_block(0x0099, ROUTER, create=True).add_new(0x01, "LO", who)
    dataset.private_block(0x0099, f"DICOMAE PATIENT {who}", create=True).add_new(0x01, "LO", "YES")


def _add(draft: Draft, dataset: Dataset, creator: str, block: str) -> None:
    group, *elements = block.split()
    private = dataset.private_block(int(group, 16), creator, create=True)
    for element in elements:
        offset, vr = element.split(":")
        kind = crc32(f"{creator}/{offset}".encode()) % 20
        if kind >= 16 and not draft.maybe(0.04):  # a fifth of them is rare
            continue
        private.add_new(int(offset, 16), vr, _value(draft, f"{creator}/{offset}", kind, vr))


def _value(draft: Draft, name: str, kind: int, vr: str) -> Any:
    """A value whose behaviour `kind` decides: constant, by model, by protocol, noisy or empty."""
    if kind == 15:
        return None
    varied = "" if kind < 8 else draft.habit.name if kind < 10 else f"{draft.habit.name}{draft.part.form}"
    number = crc32(f"{name}/{varied}".encode()) % 1000
    if vr in ("OB", "UN"):
        return number.to_bytes(2, "little") * (4 + number)
    if vr in ("CS", "LO", "SH", "ST", "LT"):
        return _WORDS[number % len(_WORDS)]
    if kind >= 12:
        number = round(draft.near(number, 0.15))
    if vr in ("FL", "FD"):
        return number / 8
    if vr == "DS":
        return draft.habit.number(number / 8)
    return str(number) if vr == "IS" else number
