"""Modules that all images share: patient, study, series, equipment, frame of reference, SOP common.

References
----------
PS3.3 sections C.7.1 to C.7.6 and C.12.1.
"""

from dicomae.synth.context import Context, Values
from dicomae.synth.descriptions import describe
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


def common(context: Context) -> tuple[Values, str]:
    """Values of the shared modules without BodyPartExamined, and whether the texts tell the body part."""
    texts, how = describe(context)
    values = {**_patient(context), **_study(context), **_series(context), **_equipment(context), **texts}
    return {**values, **_requests(context, texts)}, how


def instance(context: Context, position: int) -> Values:
    """Values of the shared modules that differ between the instances of a series."""
    seconds = 8 * 3600 + context.study.number % 36000 + 60 * context.series.number + 2 * position
    fraction = ".000000" if context.habit.writes("fractions of seconds") else ""
    time = clock(seconds) + fraction
    return {
        "SOPInstanceUID": context.uid(context.series.number, position),
        "InstanceNumber": position + 1,
        "InstanceCreationTime": time,
        "AcquisitionTime": time,
        "ContentTime": time,
    }


def clock(seconds: int) -> str:
    """A TM value of that many seconds after midnight."""
    return f"{seconds // 3600 % 24:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"


def study_date(context: Context) -> str:
    """The DA value of the study."""
    day = context.study.number * 37
    return f"{context.study.year}{day % 12 + 1:02d}{day % 28 + 1:02d}"


def _patient(context: Context) -> Values:
    patient = context.patient
    age = max(0, context.study.year - patient.birth_year)
    birth = f"{patient.birth_year}{patient.birth_day // 31 + 1:02d}{patient.birth_day % 28 + 1:02d}"
    return {
        "SpecificCharacterSet": CHARSETS[patient.charset],
        "PatientName": patient.name,
        "PatientID": patient.patient_id,
        "PatientBirthDate": birth if context.maybe(0.9) else None,
        "PatientSex": patient.sex if context.maybe(0.95) else None,
        "PatientAge": f"{age:03d}Y",
        "PatientSize": patient.height,
        "PatientWeight": context.near(patient.weight, 0.03),
        "IssuerOfPatientID": "HOSPITAL",
        "EthnicGroup": "",
        "PatientIdentityRemoved": "NO",
    }


def _study(context: Context) -> Values:
    date, start = study_date(context), 8 * 3600 + context.study.number % 36000
    hospital, address = HOSPITALS[context.study.number % 7 % len(HOSPITALS)]
    return {
        "StudyInstanceUID": context.uid("study"),
        "StudyDate": date,
        "StudyTime": clock(start),
        "StudyID": str(1000 + context.study.number),
        "AccessionNumber": f"A{context.study.year % 100:02d}{context.study.number:06d}",
        "ReferringPhysicianName": context.pick(["DOCTOR^REFERRING", "ARZT^ZUWEISENDER", ""]),
        "PhysiciansOfRecord": "RECORD^PHYSICIAN",
        "NameOfPhysiciansReadingStudy": "READER^RADIOLOGIST",
        "InstitutionName": hospital.encode("ascii", "ignore").decode(),
        "InstitutionAddress": address,
        "InstitutionalDepartmentName": "Radiology",
        "ReferencedStudySequence": [],
    }


def _series(context: Context) -> Values:
    date = study_date(context)
    start = 8 * 3600 + context.study.number % 36000 + 60 * context.series.number
    return {
        "SOPClassUID": SOP_CLASSES[context.study.modality],
        "Modality": context.study.modality,
        "SeriesInstanceUID": context.uid("series", context.series.number),
        "SeriesNumber": context.series.number,
        "SeriesDate": date,
        "SeriesTime": clock(start),
        "InstanceCreationDate": date,
        "AcquisitionDate": date,
        "ContentDate": date,
        "AcquisitionNumber": context.series.number,
        "Laterality": context.pick(["L", "R"]) if context.part.name in PAIRED else None,
        "OperatorsName": "OPERATOR^TECHNICIAN",
        "PerformingPhysicianName": "PHYSICIAN^PERFORMING",
        "PatientPosition": "FFS" if context.part.form in ("limb", "joint") else "HFS",
        "PositionReferenceIndicator": None,
        "FrameOfReferenceUID": context.uid("frame", context.series.number),
    }


def _equipment(context: Context) -> Values:
    habit, site = context.habit, context.study.number % 5
    software = habit.versions[min(len(habit.versions) - 1, max(0, context.study.year - 2009) // 8)]
    return {
        "Manufacturer": context.pick(habit.manufacturers, [8, *[2] * (len(habit.manufacturers) - 1)]),
        "ManufacturerModelName": habit.model,
        "StationName": f"{habit.modality}{site:02d}",
        "DeviceSerialNumber": str(40000 + site * 13),
        "SoftwareVersions": software.split("\\"),
        "DateOfLastCalibration": f"{context.study.year}0105",
        "TimeOfLastCalibration": "070000",
        "SpatialResolution": context.pick([0.5, 0.7, 1.0]),
        "PixelPaddingValue": None,
        "InstanceCreatorUID": context.uid("creator", habit.name)[:30],
    }


def _requests(context: Context, texts: Values) -> Values:
    date = study_date(context)
    requested = str(texts.get("RequestedProcedureDescription") or texts.get("StudyDescription") or "")
    item: Values = {
        "RequestedProcedureID": f"R{context.study.number:06d}",
        "ScheduledProcedureStepID": f"S{context.study.number:06d}",
        "ScheduledProcedureStepDescription": requested,
    }
    return {
        "PerformedProcedureStepStartDate": date,
        "PerformedProcedureStepStartTime": clock(8 * 3600 + context.study.number % 36000),
        "PerformedProcedureStepID": f"P{context.study.number:06d}",
        "RequestAttributesSequence": [item],
        "ReferencedPerformedProcedureStepSequence": [
            {
                "ReferencedSOPClassUID": "1.2.840.10008.3.1.2.3.3",
                "ReferencedSOPInstanceUID": context.uid("step"),
            }
        ],
        "RequestingPhysician": "REQUESTER^DOCTOR",
        "RequestingService": context.pick(["INT", "CHIR", "ORTHO", "AMB"]),
        "ProcedureCodeSequence": [
            {
                "CodeValue": f"{context.study.modality}{len(context.part.name):02d}",
                "CodingSchemeDesignator": "99LOCAL",
                "CodeMeaning": requested[:64] or "Examination",
            }
        ],
    }  # fmt: skip
