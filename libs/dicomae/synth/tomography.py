"""CT and MR: the elements of their IODs, from protocol, body part and habit.

References
----------
PS3.3 sections A.3, A.4, C.8.2 (CT image) and C.8.3 (MR image).
"""

import numpy as np

from dicomae.synth.draft import Draft, Values

# protocol: TR ms, TE ms, TI ms, flip angle, echo train, sequence, variant, sequence name, weighting
MR_PROTOCOLS: dict[str, tuple[float, float, float, int, int, str, str, str]] = {
    "T1": (520, 11, 0, 90, 1, "SE", "SK", "*se2d1"),
    "T2": (4100, 98, 0, 150, 15, "SE", "SK\\SP", "*tse2d1_15"),
    "FLAIR": (8800, 120, 2450, 150, 19, "SE\\IR", "SK\\SP\\MP", "*tir2d1_19"),
    "STIR": (4300, 48, 160, 150, 9, "SE\\IR", "SK\\SP", "*tir2d1_9"),
    "PD": (2700, 30, 0, 150, 7, "SE", "SK\\SP", "*tse2d1_7"),
    "GRE": (640, 18, 0, 22, 1, "GR", "SP", "*fl2d1"),
    "TOF": (24, 5.2, 0, 25, 1, "GR", "SP\\OSP", "*fl3d1r"),
    "DWI": (3900, 92, 0, 90, 1, "EP", "SK\\SP", "*ep_b1000"),
}
_PROTOCOLS_OF = {
    "head": ["T1", "T2", "FLAIR", "DWI", "TOF", "GRE"],
    "joint": ["PD", "T1", "STIR", "T2"],
    "spine": ["T1", "T2", "STIR"],
    "heart": ["GRE", "T2", "STIR"],
}
_KERNELS = {
    "SIEMENS": (["B30f", "B31s", "I31f\\3"], ["B60f", "B70s", "I70f\\2"]),
    "GE MEDICAL SYSTEMS": (["STANDARD", "SOFT"], ["BONE", "LUNG", "BONEPLUS"]),
    "Philips": (["B", "A"], ["YA", "L", "D"]),
    "TOSHIBA": (["FC17", "FC13", "FC08"], ["FC30", "FC51", "FC81"]),
}
_CT_TYPES = (["ORIGINAL", "PRIMARY", "AXIAL"], ["DERIVED", "SECONDARY", "REFORMATTED"])
_CT_DISTANCES = {
    "ct-lightspeed": (949.147, 541.0),
    "ct-brilliance": (1040.0, 570.0),
}  # mm, to detector and centre
_PLANES = {
    "axial": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
    "sagittal": [0.0, 1.0, 0.0, 0.0, 0.0, -1.0],
    "coronal": [1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
}


def ct(draft: Draft) -> Values:
    """Series-level values of a CT image."""
    part, habit = draft.part, draft.habit
    sharp = part.form in ("joint", "spine", "hand") or draft.maybe(0.25)
    voltage = draft.pick([80, 100, 120, 130, 140], [1, 3, 9, 1, 1.5 if part.form == "pelvis" else 0.4])
    current = draft.near(0.62 * part.size + (60 if part.form == "head" else 0), 0.25)
    rotation = draft.pick([0.33, 0.5, 0.75, 1.0], [1, 5, 1, 4 if part.form == "head" else 1])
    pitch = draft.pick([0.55, 0.8, 0.984, 1.375])
    thickness = draft.pick([0.6, 1.0, 1.25, 2.0, 3.0, 5.0], [1, 3, 2, 1, 2, 4 if not sharp else 0.5])
    field = draft.near(part.size, 0.06)
    enhanced = part.form in ("abdomen", "torso", "heart", "neck") and draft.maybe(0.6)
    american = habit.manufacturers[0].startswith("GE")
    detector, center = _CT_DISTANCES.get(habit.name, (1085.6, 595.0))
    values: Values = {
        "ImageType": draft.pick(_CT_TYPES, [9, 1]),
        "ScanOptions": draft.pick(["HELICAL MODE", "AXIAL MODE"] if american else ["SPIRAL", "SEQUENCE"]),
        "KVP": float(voltage),
        "DataCollectionDiameter": 500.0,
        "ReconstructionDiameter": round(field),
        "DistanceSourceToDetector": detector,
        "DistanceSourceToPatient": center,
        "GantryDetectorTilt": draft.pick([0.0, -12.5, 14.0], [9, 1, 1]) if part.form == "head" else 0.0,
        "TableHeight": draft.near(140, 0.12),
        "RotationDirection": "CW",
        "ExposureTime": round(1000 * rotation),
        "XRayTubeCurrent": round(current),
        "Exposure": round(current * rotation / pitch),
        "FilterType": {0: "BODY FILTER", 1: "FLAT", 4: "B"}.get(habit.language, "LARGE"),
        "GeneratorPower": round(voltage * current / 1000),
        "FocalSpots": [1.2] if current > 250 else [0.7],
        "ConvolutionKernel": draft.pick(_KERNELS[habit.manufacturers[0]][int(sharp)]).split("\\"),
        "SliceThickness": thickness,
        "SpacingBetweenSlices": thickness * draft.pick([1.0, 0.8]),
        "RevolutionTime": rotation,
        "SingleCollimationWidth": 0.6,
        "TotalCollimationWidth": 38.4,
        "TableSpeed": round(38.4 * pitch / rotation, 1),
        "TableFeedPerRotation": round(38.4 * pitch, 2),
        "SpiralPitchFactor": pitch,
        "ExposureModulationType": draft.pick(["NONE", "XYZ_EC", "Z_EC"]),
        "EstimatedDoseSaving": draft.near(25, 0.3),
        "CTDIvol": draft.near(current * rotation / 9, 0.1),
        "AcquisitionType": draft.pick(["SPIRAL", "SEQUENCED"]),
        "ReconstructionTargetCenterPatient": [0.0, round(draft.near(-20, 0.4), 3), 0.0],
        "DataCollectionCenterPatient": [0.0, -150.0, 0.0],
        "RescaleType": "HU",
        "MultienergyCTAcquisition": "NO",
        **_geometry(draft, field, "axial"),
    }  # fmt: skip
    return {**values, **(contrast(draft) if enhanced else {})}


def contrast(draft: Draft) -> Values:
    """The contrast/bolus module (C.7.6.4)."""
    return {
        "ContrastBolusAgent": draft.pick(["Iomeron 400", "Ultravist 370", "OMNIPAQUE", "APPLIED"]),
        "ContrastBolusRoute": "IV",
        "ContrastBolusVolume": float(draft.pick([80, 100, 120])),
        "ContrastFlowRate": [draft.pick([2.0, 3.5, 5.0])],
        "ContrastBolusTotalDose": None,
        "ContrastBolusIngredient": "IODINE",
        "ContrastBolusIngredientConcentration": draft.pick([300.0, 370.0, 400.0]),
        "ContrastBolusStartTime": "090000",
    }


def mr(draft: Draft) -> Values:
    """Series-level values of an MR image; the key `_weighting` is for the phantom alone."""
    part, habit = draft.part, draft.habit
    names = _PROTOCOLS_OF.get(part.form, ["T1", "T2", "STIR", "GRE", "DWI"])
    name = draft.pick(names)
    tr, te, ti, flip, train, sequence, variant, label = MR_PROTOCOLS[name]
    tesla = {"mr-avanto": 1.5, "mr-signa": 1.5}.get(habit.name, 3.0) if draft.maybe(0.85) else 1.0
    frequency = 42.5774 * tesla
    plane = draft.pick(["axial", "sagittal", "coronal"], [3, 3 if part.form in ("joint", "spine") else 1, 1])
    thickness = draft.near(3.2 if part.form in ("joint", "head") else 5.5, 0.2)
    field = draft.near(part.size, 0.08)
    phase = draft.pick([192, 224, 256, 320, 384])
    row = draft.maybe(0.5)
    return {
        "_weighting": name,
        "ImageType": ["ORIGINAL", "PRIMARY", *(["M", "ND"] if habit.language == 1 else ["OTHER"])],
        "ScanningSequence": sequence.split("\\"),
        "SequenceVariant": variant.split("\\"),
        "ScanOptions": draft.pick(["", "FS", "SAT1", "PFP"]),
        "MRAcquisitionType": "3D" if name == "TOF" else "2D",
        "SequenceName": label if habit.language == 1 else None,
        "AngioFlag": "Y" if name == "TOF" else "N",
        "RepetitionTime": draft.near(tr, 0.08),
        "EchoTime": draft.near(te, 0.06),
        "InversionTime": draft.near(ti, 0.04),
        "NumberOfAverages": float(draft.pick([1, 2, 3, 4])),
        "ImagingFrequency": draft.near(frequency, 0.0004),
        "ImagedNucleus": "1H",
        "EchoNumbers": [1],
        "MagneticFieldStrength": tesla,
        "SliceThickness": round(thickness, 1),
        "SpacingBetweenSlices": round(thickness * draft.near(1.15, 0.05), 2),
        "NumberOfPhaseEncodingSteps": phase,
        "EchoTrainLength": train,
        "PercentSampling": float(draft.pick([70, 80, 100])),
        "PercentPhaseFieldOfView": float(draft.pick([75, 87.5, 100])),
        "PixelBandwidth": float(draft.pick([130, 180, 244, 390])),
        "TriggerTime": draft.near(500) if part.form == "heart" else None,
        "HeartRate": round(draft.near(70, 0.15)) if part.form == "heart" else None,
        "CardiacNumberOfImages": 25 if part.form == "heart" else 0,
        "ReceiveCoilName": _coil(part.form),
        "TransmitCoilName": "Body",
        "AcquisitionMatrix": [0, 256, phase, 0] if row else [256, 0, 0, phase],
        "InPlanePhaseEncodingDirection": "ROW" if row else "COL",
        "FlipAngle": float(flip),
        "VariableFlipAngleFlag": "N",
        "SAR": draft.near(0.9 * tesla / 1.5, 0.4),
        "dBdt": 0.0 if draft.maybe(0.6) else draft.near(40),
        "DiffusionBValue": 1000.0 if name == "DWI" else None,
        "LowRRValue": None,
        "HighRRValue": None,
        "ReconstructionDiameter": round(field),
        "TemporalPositionIdentifier": 1,
        "NumberOfTemporalPositions": 1,
        "AcquisitionDuration": draft.near(180, 0.3),
        **_geometry(draft, field, plane),
    }  # fmt: skip


def _coil(form: str) -> str:
    coils = {"head": "HE1-4", "neck": "NE1,2", "spine": "SP1-6", "joint": "KNEE_8CH", "hand": "WRIST_4"}
    return coils.get(form, "BO1,2;SP1-4")


def _geometry(draft: Draft, field: float, plane: str) -> Values:
    spacing = field / draft.matrix
    return {
        "PixelSpacing": [spacing, spacing],
        "ImageOrientationPatient": _PLANES[plane],
        "_origin": [-field / 2, draft.near(-field / 2, 0.05), float(draft.rng.uniform(-800, 400))],
        "_plane": plane,
    }


def place(values: Values, position: int) -> Values:
    """ImagePositionPatient and SliceLocation of the slice at that position of the series, mm."""
    gap = float(values.get("SpacingBetweenSlices") or values.get("SliceThickness") or 1)
    axis = {"axial": 2, "sagittal": 0, "coronal": 1}[values["_plane"]]
    where = np.array(values["_origin"])
    where[axis] += gap * position
    return {"ImagePositionPatient": where.round(4).tolist(), "SliceLocation": float(where[axis].round(4))}
