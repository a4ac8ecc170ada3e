"""Optional standard elements that most files lack, or that never change."""

from functools import lru_cache
from zlib import crc32

from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset

from dicomae.synth.draft import Draft, Values

# What a hospital or a standard fixes once and for all; a habit writes it always or never.
CONSTANT: Values = {
    "TimezoneOffsetFromUTC": "+0100",
    "InstanceAvailability": "ONLINE",
    "RetrieveAETitle": "ARCHIVE",
    "QueryRetrieveView": "CLASSIC",
    "LongitudinalTemporalInformationModified": "UNMODIFIED",
    "ResponsibleOrganization": "HOSPITAL",
    "AcquisitionContextSequence": [],
    "ClinicalTrialSponsorName": None,
    "PatientSpeciesDescription": None,
    "PatientBreedDescription": None,
    "IrradiationEventUID": None,
    "StudyStatusID": "COMPLETED",
    "StudyPriorityID": "MED",
    "PerformedStationAETitle": "MODALITY",
    "PerformedLocation": "ROOM 1",
    "IconImageSequence": [],
    "SpecialNeeds": None,
    "PregnancyStatus": 4,
    "AdmissionID": None,
    "PatientState": None,
    "ConfidentialityCode": None,
    "ReasonForStudy": None,
    "ReferencedImageSequence": [],
    "QualityControlSubject": "NO",
    "RecognizableVisualFeatures": "NO",
}
# What one department, one study or one upgrade leaves behind: keywords by the module they belong to.
_RARE = """
    OtherPatientIDs OtherPatientNames PatientBirthTime PatientBirthName PatientMotherBirthName MilitaryRank
    BranchOfService CountryOfResidence RegionOfResidence PatientTelephoneNumbers PatientAddress Occupation
    SmokingStatus AdditionalPatientHistory LastMenstrualDate PatientReligiousPreference MedicalRecordLocator
    MedicalAlerts Allergies PatientComments InsurancePlanIdentification PatientSexNeutered
    PatientInsurancePlanCodeSequence PatientPrimaryLanguageCodeSequence ResponsiblePerson
    ResponsiblePersonRole StrainDescription AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence
    AdmittingDate AdmittingTime RouteOfAdmissions CurrentPatientLocation PatientInstitutionResidence
    VisitComments VisitStatusID ServiceEpisodeID ServiceEpisodeDescription IssuerOfAdmissionIDSequence
    DischargeDate DischargeTime ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
    ReferringPhysicianIdentificationSequence ConsultingPhysicianName StudyComments StudyVerifiedDate
    StudyVerifiedTime StudyReadDate StudyReadTime StudyArrivalDate StudyArrivalTime StudyCompletionDate
    StudyCompletionTime ScheduledStudyStartDate ScheduledStudyStartTime ScheduledStudyLocation
    ReasonForTheRequestedProcedure RequestedContrastAgent RequestedProcedurePriority
    RequestedProcedureLocation RequestedProcedureComments ConfidentialityConstraintOnPatientDataDescription
    PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest
    ImagingServiceRequestComments IssueDateOfImagingServiceRequest OrderEnteredBy OrderEntererLocation
    OrderCallbackPhoneNumber NamesOfIntendedRecipientsOfResults PatientTransportArrangements
    ReportingPriority ScheduledProcedureStepID ScheduledProcedureStepDescription
    ScheduledProcedureStepStartDate ScheduledStationAETitle ScheduledPerformingPhysicianName PreMedication
    ScheduledProcedureStepStatus PerformedProcedureStepEndDate PerformedProcedureStepEndTime
    PerformedProcedureStepStatus PerformedProcedureTypeDescription PerformedStationName
    CommentsOnThePerformedProcedureStep PerformedProtocolCodeSequence TotalTimeOfFluoroscopy
    TotalNumberOfExposures EntranceDose EntranceDoseInmGy ExposedArea DistanceSourceToEntrance
    DistanceSourceToSupport CommentsOnRadiationDose XRayOutput HalfValueLayer OrganDose OrganExposed
    FilmConsumptionSequence BillingProcedureStepSequence DocumentTitle EncapsulatedDocumentLength
    SeriesDescriptionCodeSequence RelatedSeriesSequence ReferencedWaveformSequence ReferencedPatientSequence
    ReferencedVisitSequence SourceImageSequence DerivationDescription DerivationCodeSequence
    LossyImageCompressionRatio LossyImageCompressionMethod ImageQualityIndicatorType
    ContributingEquipmentSequence DeviceUID DeviceID DateOfManufacture DateOfInstallation DeviceDescription
    GantryID InstitutionCodeSequence NetworkID StationAETitle UDISequence AcquisitionComments
    AcquisitionDateTime AcquisitionDuration AcquisitionsInStudy ImagesInAcquisition StackID
    InStackPositionNumber FrameAcquisitionNumber TemporalPositionIndex SliceProgressionDirection
    SynchronizationTrigger SynchronizationFrameOfReferenceUID AcquisitionTimeSynchronized TimeSource
    TimeDistributionProtocol TriggerSamplePosition CardiacCyclePosition RespiratoryTriggerType
    NominalInterval BeatRejectionFlag SkipBeats PVCRejection IntervalsAcquired IntervalsRejected
    RespiratoryCyclePosition NominalPercentageOfCardiacPhase CardiacRRIntervalSpecified PatientSupportAngle
    TableVerticalIncrement TableTraverse TableMotion TableHorizontalRotationAngle TableHeadTiltAngle
    TableCradleTiltAngle TomoType TomoClass TomoTime TomoAngle NumberOfTomosynthesisSourceImages ScanLength
    ExposureStatus PhototimerSetting ExposureControlMode ExposureControlModeDescription AnodeTargetMaterial
    FilterMaterial FilterThicknessMinimum FilterThicknessMaximum RectificationType GridThickness GridPitch
    GridAspectRatio GridPeriod GridFocalDistance DetectorConditionsNominalFlag DetectorActiveTime
    DetectorActivationOffsetFromExposure DetectorBinning DetectorElementPhysicalSize DetectorElementSpacing
    DetectorActiveShape DetectorActiveDimensions DetectorActiveOrigin DetectorDescription DetectorMode
    DetectorManufacturerName DetectorManufacturerModelName FieldOfViewOrigin FieldOfViewRotation
    FieldOfViewHorizontalFlip CollimatorShape CollimatorLeftVerticalEdge CollimatorRightVerticalEdge
    CollimatorUpperHorizontalEdge CollimatorLowerHorizontalEdge CenterOfCircularCollimator
    RadiusOfCircularCollimator VerticesOfThePolygonalCollimator CollimatorType CompressionForce
    PaddleDescription RadiopharmaceuticalRoute RadiopharmaceuticalVolume RadiopharmaceuticalStartTime
    RadiopharmaceuticalStopTime RadionuclideTotalDose SeriesType Units DecayCorrection ReconstructionMethod
    ReconstructionAlgorithm AttenuationCorrectionMethod ScatterCorrectionMethod RandomsCorrectionMethod
    AxialAcceptance EnergyWindowRangeSequence DoseCalibrationFactor ScatterFractionFactor
    DiffusionGradientOrientation ParallelReductionFactorInPlane BulkMotionCompensationTechnique
    SaturationRecovery SpectrallySelectedSuppression TimeOfFlightContrast CoverageOfKSpace
    SteadyStatePulseSequence EchoPulseSequence MagnetizationTransfer BloodSignalNulling Tagging
    FlowCompensation T2Preparation SegmentedKSpaceTraversal TransmitterFrequency ResonantNucleus
    RFEchoTrainLength GradientEchoTrainLength GradientOutputType GradientOutput
    SpecificAbsorptionRateDefinition SpecificAbsorptionRateValue OperatingMode B1rms WaterEquivalentDiameter
    DateOfLastDetectorCalibration CTDIPhantomTypeCodeSequence ReconstructionFieldOfView
    ReconstructionPixelSpacing ReconstructionAngle ImageFilter TubeAngle TableSpeed GantryMotionCorrected
    ConvolutionKernelGroup CalciumScoringMassFactorPatient CalciumScoringMassFactorDevice
    EnergyWeightingFactor LUTExplanation VOILUTFunction RescaleType ModalityLUTSequence VOILUTSequence
    RedPaletteColorLookupTableDescriptor PixelPaddingRangeLimit PixelAspectRatio NominalScannedPixelSpacing
    PixelSpacingCalibrationType PixelSpacingCalibrationDescription BurnedInAnnotation
    ImagePresentationComments RepresentativeFrameNumber FrameNumbersOfInterest FrameOfInterestDescription
    MaskPointers RWavePointer ImageBoxPresentationLUTFlag AnnotationContentSequence VerificationDateTime
    InterpretationText ResultsComments InterpretationStatusID InterpretationAuthor Impressions
    ClinicalTrialProtocolID ClinicalTrialSubjectID ClinicalTrialSiteName ClinicalTrialTimePointID
    ClinicalTrialSeriesID DeidentificationMethod DeidentificationMethodCodeSequence
    EncryptedAttributesSequence OriginalAttributesSequence DigitalSignaturesSequence MACParametersSequence
    StorageMediaFileSetID StorageMediaFileSetUID SOPInstanceStatus SOPAuthorizationDateTime
    SOPAuthorizationComment InstanceOriginStatus BarcodeValue ConversionType SecondaryCaptureDeviceID
    SecondaryCaptureDeviceManufacturer SecondaryCaptureDeviceManufacturerModelName DateOfSecondaryCapture
    TimeOfSecondaryCapture DigitalImageFormatAcquired VideoImageFormatAcquired HardcopyDeviceManufacturer
    InterventionDrugStartTime InterventionStatus TherapyType TherapyDescription
"""
RARE = tuple(_RARE.split())
_PER_SERIES = 3.0  # mean number of rare elements of a series


@lru_cache(maxsize=1)
def _known() -> tuple[tuple[str, str, int], ...]:
    """(keyword, VR, number of values) of `RARE`."""
    known = []
    for keyword in RARE:
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise KeyError(f"{keyword!r} is no keyword of PS3.6")
        fewest = dictionary_VM(tag).split("-")[0]
        known.append((keyword, dictionary_VR(tag), int(fewest)))
    return tuple(known)


def draw(draft: Draft) -> Values:
    """Values of `CONSTANT` and of this series' rare elements; later the habit drops what it never writes."""
    values = dict(CONSTANT)
    known = _known()
    for _ in range(int(draft.rng.poisson(_PER_SERIES))):
        # The square makes some much rarer than others.
        keyword, vr, count = known[int(len(known) * draft.rng.random() ** 2)]
        made = [_value(draft, keyword, vr) for _ in range(count)]
        values[keyword] = None if draft.maybe(0.15) else made if count > 1 else made[0]
    return values


def _value(draft: Draft, keyword: str, vr: str) -> object:
    """A value that fits the VR; the keyword decides its size, so that it means something."""
    base = crc32(keyword.encode()) % 400 + 1
    number = round(draft.near(base, 0.2))
    if vr == "SQ":
        code = {"CodeValue": f"R{base}", "CodingSchemeDesignator": "99LOCAL", "CodeMeaning": keyword[:60]}
        return [code] if draft.maybe(0.7) else []
    texts: dict[str, object] = {
        "CS": draft.pick(["YES", "NO", "NONE", "OTHER"]),
        "DA": f"{draft.study.year}{base % 12 + 1:02d}{base % 28 + 1:02d}",
        "TM": f"{base % 24:02d}{number % 60:02d}00",
        "DT": f"{draft.study.year}0{base % 9 + 1}12101500",
        "PN": "SOMEBODY^MADE UP",
        "AE": "ROUTER_1",
        "UI": draft.uid(keyword),
        "FD": number / 4,
        "FL": number / 4,
        "DS": number / 4,
    }
    if vr in ("IS", "US", "UL", "US or SS"):
        return number
    return texts.get(vr, f"{keyword[:12]} {number % 5}")


def add_overlay(draft: Draft, dataset: Dataset) -> None:
    """Now and then an overlay (PS3.3 C.9.2) in group 6000, and sometimes a second one in 6002."""
    planes = draft.pick([0, 1, 2], [0.97, 0.02, 0.01])
    size = draft.matrix
    for group in range(0x6000, 0x6000 + 2 * planes, 2):
        for element, vr, value in (
            (0x0010, "US", size),
            (0x0011, "US", size),
            (0x0022, "LO", "Operator's mark"),
            (0x0040, "CS", "G"),
            (0x0050, "SS", [1, 1]),
            (0x0100, "US", 1),
            (0x0102, "US", 0),
            (0x3000, "OW", bytes(size * size // 16 * 2)),
        ):
            dataset.add_new((group, element), vr, value)
