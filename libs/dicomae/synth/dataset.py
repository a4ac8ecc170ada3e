"""Values become pydicom data sets: one per series, changed for each instance."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicomae.synth import bodyparts, enhanced, image, modules, others, private, projection, rare, tomography
from dicomae.synth.draft import Draft, Values
from dicomae.synth.habits import Habit
from dicomae.synth.image import Frames

_ATTRIBUTES = {
    "CT": tomography.ct, "MR": tomography.mr, "CR": projection.cr, "DX": projection.dx,
    "MG": projection.mg, "XA": projection.xa, "RF": projection.rf, "NM": others.nm,
    "US": others.us, "SR": others.sr, "PR": others.pr, "SEG": others.seg,
}  # fmt: skip
NO_PIXELS = ("SR", "PR")
# Types 1 and 2 of the IODs: what every habit writes, empty or not. All else is type 3.
_REQUIRED = """
    SpecificCharacterSet PatientName PatientID PatientBirthDate PatientSex StudyInstanceUID StudyDate
    StudyTime StudyID AccessionNumber ReferringPhysicianName SOPClassUID SOPInstanceUID Modality
    SeriesInstanceUID SeriesNumber Laterality Manufacturer InstanceNumber ImageType AcquisitionNumber
    PatientPosition FrameOfReferenceUID PositionReferenceIndicator PixelSpacing ImageOrientationPatient
    ImagePositionPatient SliceThickness KVP ScanningSequence SequenceVariant ScanOptions MRAcquisitionType
    RepetitionTime EchoTime InversionTime EchoTrainLength Rows Columns BitsAllocated BitsStored HighBit
    PixelRepresentation SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames
    RescaleIntercept RescaleSlope WindowCenter WindowWidth ViewPosition PatientOrientation RadiationSetting
    XRayTubeCurrent ExposureTime Exposure PixelIntensityRelationship ContrastBolusAgent PositionerMotion
    FrameTime FrameIncrementPointer EnergyWindowInformationSequence RadiopharmaceuticalInformationSequence
    DetectorInformationSequence EnergyWindowVector NumberOfEnergyWindows DetectorVector NumberOfDetectors
    CountsAccumulated PatientOrientationCodeSequence RotationInformationSequence NumberOfRotations
    RotationVector ContentDate ContentTime ConversionType PresentationIntentType ImageLaterality
    BodyPartThickness PositionerType CompletionFlag VerificationFlag ValueType ContinuityOfContent
    ContentSequence ContentLabel PresentationCreationDate PresentationCreationTime SegmentSequence
    SegmentationType ShutterShape MaskSubtractionSequence LossyImageCompression AcquisitionDate
    AcquisitionTime SeriesDescription StudyDescription ProtocolName BodyPartExamined
    SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
"""
REQUIRED = frozenset(_REQUIRED.split())


@dataclass(frozen=True)
class Instance:
    """One instance before it is encoded; its `dataset` is valid until the next instance is made."""

    position: int
    dataset: Dataset
    frames: Frames | None  # None: no pixel data
    syntax: str  # key of `writer.SYNTAXES`


@dataclass(frozen=True)
class SeriesTruth:
    """What only the evaluation may know of a series."""

    declared: str | None  # value of BodyPartExamined; None: no such element
    declared_how: str  # key of `bodyparts.DECLARED`
    described_how: str  # tells, silent, misleads


def make_series(draft: Draft) -> tuple[SeriesTruth, Iterator[Instance]]:
    """The series' truth, and its instances one after the other."""
    shared, described = modules.common(draft)
    values = {**shared, **_ATTRIBUTES[draft.study.modality](draft)}
    declared, how = bodyparts.declare(draft.part, draft.rng)
    if declared is not None:
        values["BodyPartExamined"] = declared
    values = {**rare.draw(draft), **values}
    multiframe = draft.study.modality in ("CT", "MR") and draft.maybe(enhanced.SHARE)
    if multiframe:
        values["_frames"] = enhanced.FRAMES
    style = {} if draft.study.modality in NO_PIXELS else image.fit_style(draft, values)
    shown = enhanced.fold(draft, values) if multiframe else values
    dataset = _dataset(_thinned(draft, shown), draft.habit)
    private.add_blocks(draft, dataset)
    if draft.patient.is_canary:
        private.add_canary(draft, dataset)
    rare.add_overlay(draft, dataset)
    return SeriesTruth(declared, how, described), _instances(draft, dataset, values, style, multiframe)


def _instances(
    draft: Draft, dataset: Dataset, values: Values, style: Values, multiframe: bool
) -> Iterator[Instance]:
    for position in range(draft.series.instances):
        changed = modules.instance(draft, position)
        frames = None
        if style:
            elements, frames = image.make_image(draft, style, values, position)
            changed |= elements
        if multiframe:
            windows: Values = {
                key: changed.pop(key) for key in ("WindowCenter", "WindowWidth") if key in changed
            }
            changed |= enhanced.frames(values, position, windows)
        elif "_plane" in values:
            changed |= tomography.place(values, position)
        changed = {key: value for key, value in changed.items() if key in REQUIRED or draft.habit.writes(key)}
        put(dataset, changed, draft.habit)
        yield Instance(position, dataset, frames, style.get("_syntax", "explicit"))


def _thinned(draft: Draft, values: Values) -> Values:
    """`values` without elements that the habit never writes, and now and then without one that it does."""
    return {
        keyword: value
        for keyword, value in values.items()
        if keyword[0] != "_"
        and (keyword in REQUIRED or (draft.habit.writes(keyword) and not draft.maybe(0.03)))
    }


@lru_cache(maxsize=4096)
def _tag_and_vr(keyword: str) -> tuple[int, str]:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(f"{keyword!r} is no keyword of PS3.6")
    return tag, dictionary_VR(tag)


def _dataset(values: Values, habit: Habit) -> Dataset:
    dataset = Dataset()
    put(dataset, values, habit)
    return dataset


def put(dataset: Dataset, values: Values, habit: Habit) -> None:
    """Set the elements of these keywords; decimal strings look as the habit writes them."""
    for keyword, value in values.items():
        tag, vr = _tag_and_vr(keyword)
        if vr == "US or SS":
            vr = "SS" if dataset.get("PixelRepresentation") == 1 else "US"
        # Hospitals' values break the rules of their VR: nothing is checked here.
        dataset[tag] = DataElement(tag, vr, _converted(value, vr, habit), validation_mode=IGNORE)


def _converted(value: Any, vr: str, habit: Habit) -> Any:
    if vr == "SQ":
        return Sequence([_dataset(item, habit) for item in value or ()])
    if isinstance(value, list):
        return [_converted(one, vr, habit) for one in value]
    if vr == "DS" and isinstance(value, int | float):
        return habit.number(float(value))
    if vr == "IS" and value is not None:
        return str(value)
    return value
