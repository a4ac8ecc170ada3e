"""CR, DX, MG, XA and RF: the elements of projection images.

References
----------
PS3.3 sections C.8.1 (CR), C.8.7 (X-ray angiography, radiofluoroscopy) and C.8.11 (DX, mammography).
"""

from dicomae.synth.draft import Draft, Values
from dicomae.synth.tomography import contrast

# form: kV, mAs at the usual patient
_TECHNIQUE = {
    "torso": (118, 2.5), "heart": (115, 3.0), "abdomen": (78, 32.0), "pelvis": (76, 28.0),
    "spine": (74, 34.0), "head": (70, 20.0), "neck": (68, 10.0),
    "limb": (58, 6.0), "joint": (55, 4.5), "hand": (48, 3.0),
    "breast": (29, 90.0), "whole": (90, 20.0),
}  # fmt: skip
_PLATES = {"hand": "18CMX24CM", "joint": "24CMX30CM", "torso": "35CMX43CM", "pelvis": "35CMX43CM"}


def _exposure(draft: Draft) -> Values:
    voltage, charge = _TECHNIQUE[draft.part.form]
    thick = (draft.patient.weight / 75) ** 0.8
    charge = draft.near(charge * thick, 0.25)
    milliseconds = max(1, round(charge * draft.near(4.0, 0.3)))
    return {
        "KVP": round(draft.near(voltage, 0.04)),
        "Exposure": max(1, round(charge)),
        "ExposureInuAs": round(charge * 1000),
        "ExposureTime": milliseconds,
        "XRayTubeCurrent": max(1, round(charge * 1000 / milliseconds)),
    }


def _view(draft: Draft) -> str:
    if draft.part.form in ("torso", "heart"):
        return draft.pick(["PA", "AP", "LL"], [6, 3, 2])
    return draft.pick(["AP", "LL", "RL", "PA"], [6, 3, 1, 1])


def cr(draft: Draft) -> Values:
    """Series-level values of a computed radiography image."""
    view, spacing = _view(draft), draft.pick([0.1, 0.143, 0.2])
    grid = draft.part.form in ("abdomen", "pelvis", "spine", "head")
    return {
        **_exposure(draft),
        "ImageType": ["DERIVED" if draft.habit.language == 0 else "ORIGINAL", "PRIMARY"],
        "ViewPosition": view if draft.maybe(0.85) else None,
        "PatientOrientation": {"PA": ["R", "F"], "AP": ["L", "F"]}.get(view, ["A", "F"]),
        "PlateType": draft.pick(["ST-VI", "HR-V", "MD4.0"]),
        "PhosphorType": None,
        "CassetteOrientation": draft.pick(["PORTRAIT", "LANDSCAPE"]),
        "CassetteSize": _PLATES.get(draft.part.form, "24CMX30CM"),
        "PlateID": f"{draft.rng.integers(10**6):06d}",
        "Sensitivity": draft.near(200, 0.35),
        "RelativeXRayExposure": round(draft.near(300, 0.4)),
        "ExposureIndex": draft.near(400, 0.4),
        "TargetExposureIndex": 400.0,
        "DeviationIndex": float(draft.rng.normal(0, 2)),
        "ImagerPixelSpacing": [spacing, spacing],
        "DistanceSourceToDetector": float(draft.pick([1150, 1500, 1800])),
        "DistanceSourceToPatient": 1000.0,
        "FilterType": "NONE",
        "Grid": "IN" if grid else "NONE",
        "FocalSpots": [draft.pick([0.6, 1.2])],
        "AcquisitionDeviceProcessingCode": f"{_code(draft):04d}",
        "AcquisitionDeviceProcessingDescription": f"{draft.part.name},{view}",
        "CollimatorGridName": "12:1" if grid else None,
        "BodyPartThickness": draft.near(draft.part.size * 0.55, 0.15),
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "PresentationLUTShape": "IDENTITY",
        "QualityControlImage": "NO",
        "PixelSpacing": [spacing, spacing],
        "PixelAspectRatio": [1, 1],
    }


def _code(draft: Draft) -> int:
    return sum(map(ord, draft.part.name)) % 1000


def dx(draft: Draft) -> Values:
    """Series-level values of a digital X-ray image for presentation."""
    return {
        **cr(draft),
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageLaterality": draft.pick(["L", "R", "U"]),
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": 1,
        "DetectorType": "SCINTILLATOR",
        "DetectorConfiguration": "AREA",
        "DetectorID": "D1",
        "DetectorTemperature": draft.near(30, 0.1),
        "FieldOfViewShape": "RECTANGLE",
        "FieldOfViewDimensions": [430, 430],
        "LossyImageCompression": "00",
        "RescaleType": "US",
        "PositionerType": "NONE",
        "ImageAndFluoroscopyAreaDoseProduct": draft.near(0.4, 0.4),
        "AnatomicRegionSequence": [_region(draft)],
    }


def mg(draft: Draft) -> Values:
    """Series-level values of a mammography image."""
    return {
        **dx(draft),
        "PositionerType": "MAMMOGRAPHIC",
        "PositionerPrimaryAngle": draft.pick([0.0, 45.0]),
        "ViewPosition": draft.pick(["CC", "MLO"]),
        "CompressionForce": draft.near(90, 0.2),
        "BodyPartThickness": draft.near(55, 0.2),
        "AnodeTargetMaterial": "TUNGSTEN",
        "FilterMaterial": "RHODIUM",
        "OrganDose": draft.near(0.015, 0.2),
        "EntranceDoseInmGy": draft.near(5, 0.2),
        "BreastImplantPresent": "NO",
        "PartialView": "NO",
        "OrganExposed": "BREAST",
    }


def _region(draft: Draft) -> Values:
    return {
        "CodeValue": f"T-{_code(draft):05d}",
        "CodingSchemeDesignator": "SRT",
        "CodeMeaning": draft.part.words[0].title(),
    }


def _fluoroscopy(draft: Draft) -> Values:
    voltage, _ = _TECHNIQUE[draft.part.form]
    rate = draft.pick([3, 7.5, 15, 30], [2, 2, 6, 1])
    frames = draft.pick([1, 1, 2, 3, 4])
    values: Values = {
        "KVP": round(draft.near(min(110, voltage + 4), 0.08)),
        "XRayTubeCurrent": round(draft.near(420, 0.4)),
        "ExposureTime": round(draft.near(600, 0.5)),
        "Exposure": round(draft.near(60, 0.5)),
        "AveragePulseWidth": draft.near(7, 0.3),
        "RadiationSetting": draft.pick(["GR", "SC"]),
        "RadiationMode": draft.pick(["PULSED", "CONTINUOUS"], [6, 1]),
        "TypeOfFilters": "STRIP",
        "IntensifierSize": float(draft.pick([160, 220, 320, 420])),
        "FieldOfViewShape": draft.pick(["ROUND", "RECTANGLE"]),
        "FieldOfViewDimensions": [draft.pick([160, 220, 320])],
        "ImagerPixelSpacing": [0.154, 0.154] if draft.maybe(0.5) else [0.2, 0.2],
        "GridAbsorbingMaterial": "LEAD",
        "ImageAndFluoroscopyAreaDoseProduct": draft.near(6, 0.6),
        "DistanceSourceToDetector": draft.near(1050, 0.08),
        "DistanceSourceToPatient": draft.near(740, 0.05),
        "PixelIntensityRelationship": draft.pick(["LIN", "LOG", "DISP"]),
        "PixelIntensityRelationshipSign": -1,
        "PatientOrientation": ["L", "F"],
        "TableHeight": draft.near(110, 0.15),
        "LossyImageCompression": "00",
        "RecommendedViewingMode": "NAT",
        "_frames": frames,
    }
    if frames > 1:
        values |= {
            "CineRate": round(rate),
            "FrameTime": 1000.0 / rate,
            "FrameDelay": 0.0,
            "StartTrim": 1,
            "StopTrim": frames,
            "RecommendedDisplayFrameRate": round(rate),
            "FrameIncrementPointer": 0x00181063,
            "PreferredPlaybackSequencing": 0,
        }
    return values


def _shutter(draft: Draft) -> Values:
    size = draft.matrix
    return {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 1,
        "ShutterRightVerticalEdge": size,
        "ShutterUpperHorizontalEdge": 1,
        "ShutterLowerHorizontalEdge": size,
        "ShutterPresentationValue": 0,
    }


def xa(draft: Draft) -> Values:
    """Series-level values of an angiographic run."""
    subtracted = draft.part.form != "heart" and draft.maybe(0.5)
    values: Values = {
        **_fluoroscopy(draft),
        **contrast(draft),
        **_shutter(draft),
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        "PositionerMotion": draft.pick(["STATIC", "DYNAMIC"], [9, 1]),
        "PositionerPrimaryAngle": float(draft.rng.normal(0, 28)),
        "PositionerSecondaryAngle": float(draft.rng.normal(0, 18)),
        "EstimatedRadiographicMagnificationFactor": draft.near(1.4, 0.06),
        "CalibrationImage": "NO",
        "AcquiredImageAreaDoseProduct": draft.near(2, 0.5),
    }
    if subtracted:
        values["MaskSubtractionSequence"] = [{"MaskOperation": "AVG_SUB", "MaskFrameNumbers": [1]}]
        values["RecommendedViewingMode"] = "SUB"
    return values


def rf(draft: Draft) -> Values:
    """Series-level values of a radiofluoroscopic exposure."""
    column = draft.pick([0.0, 15.0, -30.0, 90.0])
    return {
        **_fluoroscopy(draft),
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        "ContrastBolusAgent": draft.pick(["BARIUM", "Gastrografin", ""]),
        "ContrastBolusRoute": draft.pick(["ORAL", "RECTAL"]),
        "ColumnAngulation": column,
        "TableAngle": draft.pick([0.0, 45.0, 90.0]),
        "TomoLayerHeight": None,
        "DistanceSourceToDetector": 1150.0,
        **(_shutter(draft) if draft.maybe(0.5) else {}),
    }
