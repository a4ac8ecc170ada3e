"""CT and MR: the elements of their IODs, from protocol, body part and habit.

References
----------
PS3.3 sections A.3, A.4, C.8.2 (CT image) and C.8.3 (MR image).
"""

import numpy as np

from dicomae.synth.context import Context, Values

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


def ct(context: Context) -> Values:
    """Series-level values of a CT image."""
    part, habit = context.part, context.habit
    sharp = part.form in ("joint", "spine", "hand") or context.maybe(0.25)
    voltage = context.pick([80, 100, 120, 130, 140], [1, 3, 9, 1, 1.5 if part.form == "pelvis" else 0.4])
    current = context.near(0.62 * part.size + (60 if part.form == "head" else 0), 0.25)
    rotation = context.pick([0.33, 0.5, 0.75, 1.0], [1, 5, 1, 4 if part.form == "head" else 1])
    pitch = context.pick([0.55, 0.8, 0.984, 1.375])
    thickness = context.pick([0.6, 1.0, 1.25, 2.0, 3.0, 5.0], [1, 3, 2, 1, 2, 4 if not sharp else 0.5])
    field = context.near(part.size, 0.06)
    enhanced = part.form in ("abdomen", "torso", "heart", "neck") and context.maybe(0.6)
    american = habit.manufacturers[0].startswith("GE")
    detector, center = _CT_DISTANCES.get(habit.name, (1085.6, 595.0))
    values: Values = {
        "ImageType": context.pick(_CT_TYPES, [9, 1]),
        "ScanOptions": context.pick(["HELICAL MODE", "AXIAL MODE"] if american else ["SPIRAL", "SEQUENCE"]),
        "KVP": float(voltage),
        "DataCollectionDiameter": 500.0,
        "ReconstructionDiameter": round(field),
        "DistanceSourceToDetector": detector,
        "DistanceSourceToPatient": center,
        "GantryDetectorTilt": context.pick([0.0, -12.5, 14.0], [9, 1, 1]) if part.form == "head" else 0.0,
        "TableHeight": context.near(140, 0.12),
        "RotationDirection": "CW",
        "ExposureTime": round(1000 * rotation),
        "XRayTubeCurrent": round(current),
        "Exposure": round(current * rotation / pitch),
        "FilterType": {0: "BODY FILTER", 1: "FLAT", 4: "B"}.get(habit.language, "LARGE"),
        "GeneratorPower": round(voltage * current / 1000),
        "FocalSpots": [1.2] if current > 250 else [0.7],
        "ConvolutionKernel": context.pick(_KERNELS[habit.manufacturers[0]][int(sharp)]).split("\\"),
        "SliceThickness": thickness,
        "SpacingBetweenSlices": thickness * context.pick([1.0, 0.8]),
        "RevolutionTime": rotation,
        "SingleCollimationWidth": 0.6,
        "TotalCollimationWidth": 38.4,
        "TableSpeed": round(38.4 * pitch / rotation, 1),
        "TableFeedPerRotation": round(38.4 * pitch, 2),
        "SpiralPitchFactor": pitch,
        "ExposureModulationType": context.pick(["NONE", "XYZ_EC", "Z_EC"]),
        "EstimatedDoseSaving": context.near(25, 0.3),
        "CTDIvol": context.near(current * rotation / 9, 0.1),
        "AcquisitionType": context.pick(["SPIRAL", "SEQUENCED"]),
        "ReconstructionTargetCenterPatient": [0.0, round(context.near(-20, 0.4), 3), 0.0],
        "DataCollectionCenterPatient": [0.0, -150.0, 0.0],
        "RescaleType": "HU",
        "MultienergyCTAcquisition": "NO",
        **_geometry(context, field, "axial"),
    }  # fmt: skip
    return {**values, **(contrast(context) if enhanced else {})}


def contrast(context: Context) -> Values:
    """The contrast/bolus module (C.7.6.4)."""
    return {
        "ContrastBolusAgent": context.pick(["Iomeron 400", "Ultravist 370", "OMNIPAQUE", "APPLIED"]),
        "ContrastBolusRoute": "IV",
        "ContrastBolusVolume": float(context.pick([80, 100, 120])),
        "ContrastFlowRate": [context.pick([2.0, 3.5, 5.0])],
        "ContrastBolusTotalDose": None,
        "ContrastBolusIngredient": "IODINE",
        "ContrastBolusIngredientConcentration": context.pick([300.0, 370.0, 400.0]),
        "ContrastBolusStartTime": "090000",
    }


def mr(context: Context) -> Values:
    """Series-level values of an MR image; the key `_weighting` is for the phantom alone."""
    part, habit = context.part, context.habit
    names = _PROTOCOLS_OF.get(part.form, ["T1", "T2", "STIR", "GRE", "DWI"])
    name = context.pick(names)
    tr, te, ti, flip, train, sequence, variant, label = MR_PROTOCOLS[name]
    tesla = {"mr-avanto": 1.5, "mr-signa": 1.5}.get(habit.name, 3.0) if context.maybe(0.85) else 1.0
    frequency = 42.5774 * tesla
    plane = context.pick(
        ["axial", "sagittal", "coronal"], [3, 3 if part.form in ("joint", "spine") else 1, 1]
    )
    thickness = context.near(3.2 if part.form in ("joint", "head") else 5.5, 0.2)
    field = context.near(part.size, 0.08)
    phase = context.pick([192, 224, 256, 320, 384])
    row = context.maybe(0.5)
    return {
        "_weighting": name,
        "ImageType": ["ORIGINAL", "PRIMARY", *(["M", "ND"] if habit.language == 1 else ["OTHER"])],
        "ScanningSequence": sequence.split("\\"),
        "SequenceVariant": variant.split("\\"),
        "ScanOptions": context.pick(["", "FS", "SAT1", "PFP"]),
        "MRAcquisitionType": "3D" if name == "TOF" else "2D",
        "SequenceName": label if habit.language == 1 else None,
        "AngioFlag": "Y" if name == "TOF" else "N",
        "RepetitionTime": context.near(tr, 0.08),
        "EchoTime": context.near(te, 0.06),
        "InversionTime": context.near(ti, 0.04),
        "NumberOfAverages": float(context.pick([1, 2, 3, 4])),
        "ImagingFrequency": context.near(frequency, 0.0004),
        "ImagedNucleus": "1H",
        "EchoNumbers": [1],
        "MagneticFieldStrength": tesla,
        "SliceThickness": round(thickness, 1),
        "SpacingBetweenSlices": round(thickness * context.near(1.15, 0.05), 2),
        "NumberOfPhaseEncodingSteps": phase,
        "EchoTrainLength": train,
        "PercentSampling": float(context.pick([70, 80, 100])),
        "PercentPhaseFieldOfView": float(context.pick([75, 87.5, 100])),
        "PixelBandwidth": float(context.pick([130, 180, 244, 390])),
        "TriggerTime": context.near(500) if part.form == "heart" else None,
        "HeartRate": round(context.near(70, 0.15)) if part.form == "heart" else None,
        "CardiacNumberOfImages": 25 if part.form == "heart" else 0,
        "ReceiveCoilName": _coil(part.form),
        "TransmitCoilName": "Body",
        "AcquisitionMatrix": [0, 256, phase, 0] if row else [256, 0, 0, phase],
        "InPlanePhaseEncodingDirection": "ROW" if row else "COL",
        "FlipAngle": float(flip),
        "VariableFlipAngleFlag": "N",
        "SAR": context.near(0.9 * tesla / 1.5, 0.4),
        "dBdt": 0.0 if context.maybe(0.6) else context.near(40),
        "DiffusionBValue": 1000.0 if name == "DWI" else None,
        "LowRRValue": None,
        "HighRRValue": None,
        "ReconstructionDiameter": round(field),
        "TemporalPositionIdentifier": 1,
        "NumberOfTemporalPositions": 1,
        "AcquisitionDuration": context.near(180, 0.3),
        **_geometry(context, field, plane),
    }  # fmt: skip


def _coil(form: str) -> str:
    coils = {"head": "HE1-4", "neck": "NE1,2", "spine": "SP1-6", "joint": "KNEE_8CH", "hand": "WRIST_4"}
    return coils.get(form, "BO1,2;SP1-4")


def _geometry(context: Context, field: float, plane: str) -> Values:
    spacing = field / context.matrix
    return {
        "PixelSpacing": [spacing, spacing],
        "ImageOrientationPatient": _PLANES[plane],
        "_origin": [-field / 2, context.near(-field / 2, 0.05), float(context.rng.uniform(-800, 400))],
        "_plane": plane,
    }


def place(values: Values, position: int) -> Values:
    """ImagePositionPatient and SliceLocation of the slice at that position of the series, mm."""
    gap = float(values.get("SpacingBetweenSlices") or values.get("SliceThickness") or 1)
    axis = {"axial": 2, "sagittal": 0, "coronal": 1}[values["_plane"]]
    where = np.array(values["_origin"])
    where[axis] += gap * position
    return {"ImagePositionPatient": where.round(4).tolist(), "SliceLocation": float(where[axis].round(4))}
