"""CR, DX, MG, XA and RF: the elements of projection images.

References
----------
PS3.3 sections C.8.1 (CR), C.8.7 (X-ray angiography, radiofluoroscopy) and C.8.11 (DX, mammography).
"""

from dicomae.synth.context import Context, Values
from dicomae.synth.tomography import contrast

# form: kV, mAs at the usual patient
_TECHNIQUE = {
    "torso": (118, 2.5), "heart": (115, 3.0), "abdomen": (78, 32.0), "pelvis": (76, 28.0),
    "spine": (74, 34.0), "head": (70, 20.0), "neck": (68, 10.0),
    "limb": (58, 6.0), "joint": (55, 4.5), "hand": (48, 3.0),
    "breast": (29, 90.0), "whole": (90, 20.0),
}  # fmt: skip
_PLATES = {"hand": "18CMX24CM", "joint": "24CMX30CM", "torso": "35CMX43CM", "pelvis": "35CMX43CM"}


def _exposure(context: Context) -> Values:
    voltage, charge = _TECHNIQUE[context.part.form]
    thick = (context.patient.weight / 75) ** 0.8
    charge = context.near(charge * thick, 0.25)
    milliseconds = max(1, round(charge * context.near(4.0, 0.3)))
    return {
        "KVP": round(context.near(voltage, 0.04)),
        "Exposure": max(1, round(charge)),
        "ExposureInuAs": round(charge * 1000),
        "ExposureTime": milliseconds,
        "XRayTubeCurrent": max(1, round(charge * 1000 / milliseconds)),
    }


def _view(context: Context) -> str:
    if context.part.form in ("torso", "heart"):
        return context.pick(["PA", "AP", "LL"], [6, 3, 2])
    return context.pick(["AP", "LL", "RL", "PA"], [6, 3, 1, 1])


def cr(context: Context) -> Values:
    """Series-level values of a computed radiography image."""
    view, spacing = _view(context), context.pick([0.1, 0.143, 0.2])
    grid = context.part.form in ("abdomen", "pelvis", "spine", "head")
    return {
        **_exposure(context),
        "ImageType": ["DERIVED" if context.habit.language == 0 else "ORIGINAL", "PRIMARY"],
        "ViewPosition": view if context.maybe(0.85) else None,
        "PatientOrientation": {"PA": ["R", "F"], "AP": ["L", "F"]}.get(view, ["A", "F"]),
        "PlateType": context.pick(["ST-VI", "HR-V", "MD4.0"]),
        "PhosphorType": None,
        "CassetteOrientation": context.pick(["PORTRAIT", "LANDSCAPE"]),
        "CassetteSize": _PLATES.get(context.part.form, "24CMX30CM"),
        "PlateID": f"{context.rng.integers(10**6):06d}",
        "Sensitivity": context.near(200, 0.35),
        "RelativeXRayExposure": round(context.near(300, 0.4)),
        "ExposureIndex": context.near(400, 0.4),
        "TargetExposureIndex": 400.0,
        "DeviationIndex": float(context.rng.normal(0, 2)),
        "ImagerPixelSpacing": [spacing, spacing],
        "DistanceSourceToDetector": float(context.pick([1150, 1500, 1800])),
        "DistanceSourceToPatient": 1000.0,
        "FilterType": "NONE",
        "Grid": "IN" if grid else "NONE",
        "FocalSpots": [context.pick([0.6, 1.2])],
        "AcquisitionDeviceProcessingCode": f"{_code(context):04d}",
        "AcquisitionDeviceProcessingDescription": f"{context.part.name},{view}",
        "CollimatorGridName": "12:1" if grid else None,
        "BodyPartThickness": context.near(context.part.size * 0.55, 0.15),
        "LossyImageCompression": "00",
        "BurnedInAnnotation": "NO",
        "PresentationLUTShape": "IDENTITY",
        "QualityControlImage": "NO",
        "PixelSpacing": [spacing, spacing],
        "PixelAspectRatio": [1, 1],
    }


def _code(context: Context) -> int:
    return sum(map(ord, context.part.name)) % 1000


def dx(context: Context) -> Values:
    """Series-level values of a digital X-ray image for presentation."""
    return {
        **cr(context),
        "PresentationIntentType": "FOR PRESENTATION",
        "ImageLaterality": context.pick(["L", "R", "U"]),
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": 1,
        "DetectorType": "SCINTILLATOR",
        "DetectorConfiguration": "AREA",
        "DetectorID": "D1",
        "DetectorTemperature": context.near(30, 0.1),
        "FieldOfViewShape": "RECTANGLE",
        "FieldOfViewDimensions": [430, 430],
        "LossyImageCompression": "00",
        "RescaleType": "US",
        "PositionerType": "NONE",
        "ImageAndFluoroscopyAreaDoseProduct": context.near(0.4, 0.4),
        "AnatomicRegionSequence": [_region(context)],
    }


def mg(context: Context) -> Values:
    """Series-level values of a mammography image."""
    return {
        **dx(context),
        "PositionerType": "MAMMOGRAPHIC",
        "PositionerPrimaryAngle": context.pick([0.0, 45.0]),
        "ViewPosition": context.pick(["CC", "MLO"]),
        "CompressionForce": context.near(90, 0.2),
        "BodyPartThickness": context.near(55, 0.2),
        "AnodeTargetMaterial": "TUNGSTEN",
        "FilterMaterial": "RHODIUM",
        "OrganDose": context.near(0.015, 0.2),
        "EntranceDoseInmGy": context.near(5, 0.2),
        "BreastImplantPresent": "NO",
        "PartialView": "NO",
        "OrganExposed": "BREAST",
    }


def _region(context: Context) -> Values:
    return {
        "CodeValue": f"T-{_code(context):05d}",
        "CodingSchemeDesignator": "SRT",
        "CodeMeaning": context.part.words[0].title(),
    }


def _fluoroscopy(context: Context) -> Values:
    voltage, _ = _TECHNIQUE[context.part.form]
    rate = context.pick([3, 7.5, 15, 30], [2, 2, 6, 1])
    frames = context.pick([1, 1, 2, 3, 4])
    values: Values = {
        "KVP": round(context.near(min(110, voltage + 4), 0.08)),
        "XRayTubeCurrent": round(context.near(420, 0.4)),
        "ExposureTime": round(context.near(600, 0.5)),
        "Exposure": round(context.near(60, 0.5)),
        "AveragePulseWidth": context.near(7, 0.3),
        "RadiationSetting": context.pick(["GR", "SC"]),
        "RadiationMode": context.pick(["PULSED", "CONTINUOUS"], [6, 1]),
        "TypeOfFilters": "STRIP",
        "IntensifierSize": float(context.pick([160, 220, 320, 420])),
        "FieldOfViewShape": context.pick(["ROUND", "RECTANGLE"]),
        "FieldOfViewDimensions": [context.pick([160, 220, 320])],
        "ImagerPixelSpacing": [0.154, 0.154] if context.maybe(0.5) else [0.2, 0.2],
        "GridAbsorbingMaterial": "LEAD",
        "ImageAndFluoroscopyAreaDoseProduct": context.near(6, 0.6),
        "DistanceSourceToDetector": context.near(1050, 0.08),
        "DistanceSourceToPatient": context.near(740, 0.05),
        "PixelIntensityRelationship": context.pick(["LIN", "LOG", "DISP"]),
        "PixelIntensityRelationshipSign": -1,
        "PatientOrientation": ["L", "F"],
        "TableHeight": context.near(110, 0.15),
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


def _shutter(context: Context) -> Values:
    size = context.matrix
    return {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": 1,
        "ShutterRightVerticalEdge": size,
        "ShutterUpperHorizontalEdge": 1,
        "ShutterLowerHorizontalEdge": size,
        "ShutterPresentationValue": 0,
    }


def xa(context: Context) -> Values:
    """Series-level values of an angiographic run."""
    subtracted = context.part.form != "heart" and context.maybe(0.5)
    values: Values = {
        **_fluoroscopy(context),
        **contrast(context),
        **_shutter(context),
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        "PositionerMotion": context.pick(["STATIC", "DYNAMIC"], [9, 1]),
        "PositionerPrimaryAngle": float(context.rng.normal(0, 28)),
        "PositionerSecondaryAngle": float(context.rng.normal(0, 18)),
        "EstimatedRadiographicMagnificationFactor": context.near(1.4, 0.06),
        "CalibrationImage": "NO",
        "AcquiredImageAreaDoseProduct": context.near(2, 0.5),
    }
    if subtracted:
        values["MaskSubtractionSequence"] = [{"MaskOperation": "AVG_SUB", "MaskFrameNumbers": [1]}]
        values["RecommendedViewingMode"] = "SUB"
    return values


def rf(context: Context) -> Values:
    """Series-level values of a radiofluoroscopic exposure."""
    column = context.pick([0.0, 15.0, -30.0, 90.0])
    return {
        **_fluoroscopy(context),
        "ImageType": ["ORIGINAL", "PRIMARY", "SINGLE PLANE"],
        "ContrastBolusAgent": context.pick(["BARIUM", "Gastrografin", ""]),
        "ContrastBolusRoute": context.pick(["ORAL", "RECTAL"]),
        "ColumnAngulation": column,
        "TableAngle": context.pick([0.0, 45.0, 90.0]),
        "TomoLayerHeight": None,
        "DistanceSourceToDetector": 1150.0,
        **(_shutter(context) if context.maybe(0.5) else {}),
    }
