"""NM, and the modalities that the experiment leaves out: US, SR, PR, SEG.

References
----------
PS3.3 sections C.8.4 (nuclear medicine), C.8.5 (ultrasound), C.11 (presentation states), C.17 (SR)
and C.8.20 (segmentation).
"""

from dicomae.synth.draft import Draft, Values

# form: radiopharmaceutical, its code, dose MBq, type of study
_TRACERS = {
    "whole": ("Tc-99m MDP", "C-B1043", 700.0, "WHOLE BODY"),
    "neck": ("Tc-99m pertechnetate", "C-B1000", 80.0, "STATIC"),
    "heart": ("Tc-99m sestamibi", "C-B1031", 600.0, "GATED TOMO"),
    "abdomen": ("Tc-99m MAG3", "C-B1048", 120.0, "DYNAMIC"),
    "torso": ("Tc-99m MAA", "C-B1036", 150.0, "STATIC"),
    "head": ("Tc-99m HMPAO", "C-B1045", 740.0, "TOMO"),
}


def nm(draft: Draft) -> Values:
    """Series-level values of a nuclear medicine image."""
    tracer, code, dose, kind = _TRACERS[draft.part.form]
    frames = {"STATIC": 1, "WHOLE BODY": 2, "DYNAMIC": 6}.get(kind, 4)
    field = draft.near(540.0 if kind != "STATIC" else 400.0, 0.05)
    spacing = field / draft.matrix
    values: Values = {
        "ImageType": ["ORIGINAL", "PRIMARY", kind, "EMISSION"],
        "PatientOrientationCodeSequence": [_code("F-10450", "recumbent")],
        "EnergyWindowInformationSequence": [_energy(draft)],
        "RadiopharmaceuticalInformationSequence": [_tracer(draft, tracer, code, dose)],
        "DetectorInformationSequence": [_detector(draft, field)],
        "Radiopharmaceutical": tracer,
        "CountsSource": "EMISSION",
        "CountsAccumulated": round(draft.near(600000, 0.4)),
        "ActualFrameDuration": round(draft.near(30000, 0.3)),
        "AcquisitionTerminationCondition": draft.pick(["TIME", "CNTS"]),
        "AcquisitionStartCondition": "MANU",
        "AcquisitionTerminationConditionData": 1800,
        "EnergyWindowVector": [1] * frames,
        "NumberOfEnergyWindows": 1,
        "DetectorVector": [1] * frames if frames != 2 else [1, 2],
        "NumberOfDetectors": 1 if frames != 2 else 2,
        "FrameIncrementPointer": [0x00540010, 0x00540020],
        "CorrectedImage": ["UNIF", "LIN"],
        "PixelSpacing": [spacing, spacing],
        "TableHeight": draft.near(100, 0.1),
        "WholeBodyTechnique": "1PS" if kind == "WHOLE BODY" else None,
        "ScanVelocity": draft.near(2.2, 0.1) if kind == "WHOLE BODY" else None,
        "ScanLength": 1950 if kind == "WHOLE BODY" else None,
        "SliceThickness": spacing if "TOMO" in kind else None,
        "TriggerSourceOrType": "EKG" if kind == "GATED TOMO" else None,
        "HeartRate": round(draft.near(66, 0.15)) if kind == "GATED TOMO" else None,
        "LossyImageCompression": "00",
        "_frames": frames,
    }
    if "TOMO" in kind:
        values["RotationInformationSequence"] = [
            {
                "RotationDirection": "CW",
                "NumberOfFramesInRotation": 64,
                "ScanArc": 180.0,
                "AngularStep": 2.8125,
            }
        ]
        values["NumberOfRotations"] = 1
        values["RotationVector"] = [1] * frames
    return values


def _code(value: str, meaning: str) -> Values:
    return {"CodeValue": value, "CodingSchemeDesignator": "SRT", "CodeMeaning": meaning}


def _energy(draft: Draft) -> Values:
    low = draft.near(126.0, 0.01)
    window = {"EnergyWindowLowerLimit": low, "EnergyWindowUpperLimit": low + 28}
    return {"EnergyWindowRangeSequence": [window], "EnergyWindowName": "Tc99m"}


def _tracer(draft: Draft, tracer: str, code: str, dose: float) -> Values:
    return {
        "Radiopharmaceutical": tracer,
        "RadionuclideTotalDose": draft.near(dose, 0.1),
        "RadiopharmaceuticalVolume": 1.0,
        "RadionuclideCodeSequence": [_code("C-163A8", "^99m^Technetium")],
        "RadiopharmaceuticalCodeSequence": [_code(code, tracer)],
    }


def _detector(draft: Draft, field: float) -> Values:
    return {
        "CollimatorGridName": draft.pick(["LEHR", "LEGP"]),
        "CollimatorType": "PARA",
        "FieldOfViewDimensions": [round(field)],
        "FocalDistance": 0,
        "ZoomFactor": [1.0, 1.0],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 0.0, -1.0],
        "ImagePositionPatient": [-field / 2, 0.0, field / 2],
    }


def us(draft: Draft) -> Values:
    """Series-level values of an ultrasound image."""
    return {
        "ImageType": ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"],
        "TransducerData": draft.pick(["C1-5-D", "ML6-15", "S5-1"]),
        "TransducerType": "SECTOR_PHASED",
        "ProcessingFunction": "ABD_GEN",
        "MechanicalIndex": draft.near(1.1, 0.1),
        "BoneThermalIndex": draft.near(0.8, 0.2),
        "DepthOfScanField": round(draft.near(150, 0.2)),
        "UltrasoundColorDataPresent": int(draft.maybe(0.5)),
        "LossyImageCompression": "01",
        "SequenceOfUltrasoundRegions": [
            {"RegionSpatialFormat": 1, "RegionDataType": 1, "PhysicalDeltaX": 0.03, "PhysicalDeltaY": 0.03}
        ],
        "PatientOrientation": None,
    }


def sr(draft: Draft) -> Values:
    """Values of a structured report: a container with one text."""
    title = {
        "CodeValue": "18748-4",
        "CodingSchemeDesignator": "LN",
        "CodeMeaning": "Diagnostic imaging report",
    }
    return {
        "CompletionFlag": "COMPLETE",
        "VerificationFlag": "UNVERIFIED",
        "ValueType": "CONTAINER",
        "ContinuityOfContent": "SEPARATE",
        "ConceptNameCodeSequence": [title],
        "PerformedProcedureCodeSequence": [],
        "ContentSequence": [
            {"RelationshipType": "CONTAINS", "ValueType": "TEXT", "ConceptNameCodeSequence": [title],
             "TextValue": f"{draft.part.words[0]}: nothing remarkable"}
        ],
    }  # fmt: skip


def pr(draft: Draft) -> Values:
    """Values of a grayscale softcopy presentation state."""
    area = {
        "DisplayedAreaTopLeftHandCorner": [1, 1],
        "DisplayedAreaBottomRightHandCorner": [draft.matrix, draft.matrix],
        "PresentationSizeMode": "SCALE TO FIT",
    }
    return {
        "ContentLabel": "VIEW",
        "ContentDescription": "stored by the viewer",
        "ContentCreatorName": "READER^RADIOLOGIST",
        "PresentationCreationDate": "20200101",
        "PresentationCreationTime": "120000",
        "ReferencedSeriesSequence": [{"SeriesInstanceUID": draft.uid("series", 99)}],
        "DisplayedAreaSelectionSequence": [area],
        "SoftcopyVOILUTSequence": [{"WindowCenter": 40.0, "WindowWidth": 400.0}],
        "PresentationLUTShape": "IDENTITY",
    }


def seg(draft: Draft) -> Values:
    """Series-level values of a binary segmentation."""
    return {
        "ImageType": ["DERIVED", "PRIMARY"],
        "ContentLabel": "SEGMENTATION",
        "ContentDescription": draft.part.words[0],
        "ContentCreatorName": "READER^RADIOLOGIST",
        "SegmentationType": "BINARY",
        "SegmentSequence": [
            {"SegmentNumber": 1, "SegmentLabel": draft.part.words[0], "SegmentAlgorithmType": "MANUAL"}
        ],
        "LossyImageCompression": "00",
        "DimensionOrganizationType": "3D",
    }
