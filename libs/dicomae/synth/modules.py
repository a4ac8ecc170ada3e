"""Modules that all images share: patient, study, series, equipment, frame of reference, SOP common.

References
----------
PS3.3 sections C.7.1 to C.7.6 and C.12.1.
"""

from dicomae.synth.descriptions import describe
from dicomae.synth.draft import Draft, Values
from dicomae.synth.patients import CHARSETS

SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "XA": "1.2.840.10008.5.1.4.1.1.12.1",
    "RF": "1.2.840.10008.5.1.4.1.1.12.2",
    "NM": "1.2.840.10008.5.1.4.1.1.20",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "SR": "1.2.840.10008.5.1.4.1.1.88.22",
    "PR": "1.2.840.10008.5.1.4.1.1.11.1",
    "SEG": "1.2.840.10008.5.1.4.1.1.66.4",
}
HOSPITALS = (
    ("Klinički bolnički centar Izmišljeni", "Ulica bez broja 1, 51000"),
    ("Musterklinikum Nirgendheim", "Phantomweg 7, 00000"),
    ("St. Nowhere General", "1 Imaginary Road"),
    ("Ospedale di Esempio", "Via Inventata 3"),
)
# Body parts that come in pairs; Laterality names the side of these alone.
PAIRED = {"KNEE", "ANKLE", "FOOT", "SHOULDER", "ELBOW", "FOREARM", "WRIST", "HAND", "HIP", "THIGH", "LEG",
          "BREAST", "ORBIT", "CAROTID", "RIB"}  # fmt: skip


def common(draft: Draft) -> tuple[Values, str]:
    """Values of the shared modules without BodyPartExamined, and whether the texts tell the body part."""
    texts, how = describe(draft)
    values = {**_patient(draft), **_study(draft), **_series(draft), **_equipment(draft), **texts}
    return {**values, **_requests(draft, texts)}, how


def instance(draft: Draft, position: int) -> Values:
    """Values of the shared modules that differ between the instances of a series."""
    seconds = 8 * 3600 + draft.study.number % 36000 + 60 * draft.series.number + 2 * position
    fraction = ".000000" if draft.habit.writes("fractions of seconds") else ""
    time = clock(seconds) + fraction
    return {
        "SOPInstanceUID": draft.uid(draft.series.number, position),
        "InstanceNumber": position + 1,
        "InstanceCreationTime": time,
        "AcquisitionTime": time,
        "ContentTime": time,
    }


def clock(seconds: int) -> str:
    """A TM value of that many seconds after midnight."""
    return f"{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def study_date(draft: Draft) -> str:
    """The DA value of the study."""
    day = draft.study.number * 37
    return f"{draft.study.year}{day % 12 + 1:02d}{day % 28 + 1:02d}"


def _patient(draft: Draft) -> Values:
    patient = draft.patient
    age = max(0, draft.study.year - patient.birth_year)
    birth = f"{patient.birth_year}{patient.birth_day // 31 + 1:02d}{patient.birth_day % 28 + 1:02d}"
    return {
        "SpecificCharacterSet": CHARSETS[patient.charset],
        "PatientName": patient.name,
        "PatientID": patient.patient_id,
        "PatientBirthDate": birth if draft.maybe(0.9) else None,
        "PatientSex": patient.sex if draft.maybe(0.95) else None,
        "PatientAge": f"{age:03d}Y",
        "PatientSize": patient.height,
        "PatientWeight": draft.near(patient.weight, 0.03),
        "IssuerOfPatientID": "HOSPITAL",
        "EthnicGroup": "",
        "PatientIdentityRemoved": "NO",
    }


def _study(draft: Draft) -> Values:
    date, start = study_date(draft), 8 * 3600 + draft.study.number % 36000
    hospital, address = HOSPITALS[draft.study.number % 7 % len(HOSPITALS)]
    return {
        "StudyInstanceUID": draft.uid("study"),
        "StudyDate": date,
        "StudyTime": clock(start),
        "StudyID": str(1000 + draft.study.number),
        "AccessionNumber": f"A{draft.study.year % 100:02d}{draft.study.number:06d}",
        "ReferringPhysicianName": draft.pick(["DOCTOR^REFERRING", "ARZT^ZUWEISENDER", ""]),
        "PhysiciansOfRecord": "RECORD^PHYSICIAN",
        "NameOfPhysiciansReadingStudy": "READER^RADIOLOGIST",
        "InstitutionName": hospital.encode("ascii", "ignore").decode(),
        "InstitutionAddress": address,
        "InstitutionalDepartmentName": "Radiology",
        "ReferencedStudySequence": [],
    }


def _series(draft: Draft) -> Values:
    date = study_date(draft)
    start = 8 * 3600 + draft.study.number % 36000 + 60 * draft.series.number
    return {
        "SOPClassUID": SOP_CLASSES[draft.study.modality],
        "Modality": draft.study.modality,
        "SeriesInstanceUID": draft.uid("series", draft.series.number),
        "SeriesNumber": draft.series.number,
        "SeriesDate": date,
        "SeriesTime": clock(start),
        "InstanceCreationDate": date,
        "AcquisitionDate": date,
        "ContentDate": date,
        "AcquisitionNumber": draft.series.number,
        "Laterality": draft.pick(["L", "R"]) if draft.part.name in PAIRED else None,
        "OperatorsName": "OPERATOR^TECHNICIAN",
        "PerformingPhysicianName": "PHYSICIAN^PERFORMING",
        "PatientPosition": "FFS" if draft.part.form in ("limb", "joint") else "HFS",
        "PositionReferenceIndicator": None,
        "FrameOfReferenceUID": draft.uid("frame", draft.series.number),
    }


def _equipment(draft: Draft) -> Values:
    habit, site = draft.habit, draft.study.number % 5
    software = habit.versions[min(len(habit.versions) - 1, max(0, draft.study.year - 2009) // 8)]
    return {
        "Manufacturer": draft.pick(habit.manufacturers, [8, *[2] * (len(habit.manufacturers) - 1)]),
        "ManufacturerModelName": habit.model,
        "StationName": f"{habit.modality}{site:02d}",
        "DeviceSerialNumber": str(40000 + site * 13),
        "SoftwareVersions": software.split("\\"),
        "DateOfLastCalibration": f"{draft.study.year}0105",
        "TimeOfLastCalibration": "070000",
        "SpatialResolution": draft.pick([0.5, 0.7, 1.0]),
        "PixelPaddingValue": None,
        "InstanceCreatorUID": draft.uid("creator", habit.name)[:30],
    }


def _requests(draft: Draft, texts: Values) -> Values:
    date = study_date(draft)
    requested = str(texts.get("RequestedProcedureDescription") or texts.get("StudyDescription") or "")
    item: Values = {
        "RequestedProcedureID": f"R{draft.study.number:06d}",
        "ScheduledProcedureStepID": f"S{draft.study.number:06d}",
        "ScheduledProcedureStepDescription": requested,
    }
    return {
        "PerformedProcedureStepStartDate": date,
        "PerformedProcedureStepStartTime": clock(8 * 3600 + draft.study.number % 36000),
        "PerformedProcedureStepID": f"P{draft.study.number:06d}",
        "RequestAttributesSequence": [item],
        "ReferencedPerformedProcedureStepSequence": [
            {
                "ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.3",
                "ReferencedSOPInstanceUID": draft.uid("step"),
            }
        ],
        "RequestingPhysician": "REQUESTER^DOCTOR",
        "RequestingService": draft.pick(["INT", "CHIR", "ORTHO", "AMB"]),
        "ProcedureCodeSequence": [
            {
                "CodeValue": f"{draft.study.modality}{len(draft.part.name):02d}",
                "CodingSchemeDesignator": "99LOCAL",
                "CodeMeaning": requested[:64] or "Examination",
            }
        ],
    }  # fmt: skip
