"""Enhanced CT and MR: functional groups say for each frame what a classic image says once.

References
----------
PS3.3 sections A.36, A.38 (enhanced MR, CT) and C.7.6.16 (multi-frame functional groups).
"""

from dicomae.synth import tomography
from dicomae.synth.draft import Draft, Values

SHARE = 0.05  # of the CT and MR series
FRAMES = 4
_SOP_CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2.1", "MR": "1.2.840.10008.5.1.4.1.1.4.1"}
# Macro: the elements that move into its item.
_SHARED = {
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "MRTimingAndRelatedParametersSequence": ("RepetitionTime", "FlipAngle", "EchoTrainLength"),
    "MRModifierSequence": ("InversionTime",),
    "CTExposureSequence": ("ExposureTime", "XRayTubeCurrent", "Exposure", "CTDIvol"),
    "CTReconstructionSequence": ("ConvolutionKernel", "ReconstructionDiameter"),
    "PixelValueTransformationSequence": ("RescaleIntercept", "RescaleSlope", "RescaleType"),
}
_DROPPED = ("EchoTime", "EchoNumbers", "ScanningSequence", "SequenceVariant", "KVP", "SequenceName")


def fold(draft: Draft, values: Values) -> Values:
    """`values` as an enhanced instance has them: the shared ones in SharedFunctionalGroupsSequence."""
    groups: Values = {}
    moved = {keyword for keywords in _SHARED.values() for keyword in keywords}
    for macro, keywords in _SHARED.items():
        item = {keyword: values[keyword] for keyword in keywords if values.get(keyword) is not None}
        if item:
            groups[macro] = [item]
    kept = {
        keyword: value
        for keyword, value in values.items()
        if keyword not in moved and keyword not in _DROPPED
    }
    return {
        **kept,
        "SOPClassUID": _SOP_CLASSES[draft.study.modality],
        "SharedFunctionalGroupsSequence": [groups],
        "DimensionOrganizationType": "3D",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
        "PixelPresentation": "MONOCHROME",
        "AcquisitionContrast": "UNKNOWN",
        "ContentQualification": "PRODUCT",
    }


def frames(values: Values, position: int, windows: Values) -> Values:
    """PerFrameFunctionalGroupsSequence of the instance at that position of the series."""
    items = []
    for frame in range(FRAMES):
        placed = tomography.place(values, position * FRAMES + frame)
        content = {"StackID": "1", "InStackPositionNumber": frame + 1, "DimensionIndexValues": [1, frame + 1]}
        items.append(
            {
                "FrameContentSequence": [content],
                "PlanePositionSequence": [{"ImagePositionPatient": placed["ImagePositionPatient"]}],
                **({"FrameVOILUTSequence": [windows]} if windows else {}),
            }
        )
    return {"PerFrameFunctionalGroupsSequence": items}
