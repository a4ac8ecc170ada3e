"""How the report says numbers and codes: text of one value, the same everywhere."""

from dicomae.codes import FeatureSet, FileStatus, Reason, Space

NOT_MEASURED = "not measured"
NOT_DEFINED = "not defined"  # measured, and these data give it no value

STATUS = {
    FileStatus.PARSED: "read",
    FileStatus.QUARANTINED: "not read, set aside",
    FileStatus.DUPLICATE: "the same instance again",
    FileStatus.DUPLICATE_UID_CONFLICT: "the same UID with other content",
}
REASON = {
    Reason.EMPTY: "the file has no content",
    Reason.NOT_DICOM: "not a DICOM file, whatever its name says",
    Reason.TRUNCATED: "ends inside the header",
    Reason.UNREADABLE: "the header breaks the rules in a way that could not be mended",
    Reason.NO_INSTANCE_UID: "has no SOPInstanceUID, so no row could be named",
    Reason.TOO_LARGE: "the header is longer than the configured limit, or has too many elements or levels",
    Reason.PERMISSION: "no permission to read it",
    Reason.IO_ERROR: "the storage failed while reading it",
    Reason.NOT_A_FILE: "neither a file nor a folder, or a link that is not followed",
    Reason.MISSING: "is named by a list, a link, a DICOMDIR or an inventory, or was listed, and is not there",
    Reason.TIMEOUT: "the storage gave no answer in the configured time",
    Reason.ARCHIVE_DAMAGED: "the archive or this member is damaged; what came before the damage is read",
    Reason.ARCHIVE_BOMB: "the archive grows beyond the configured bounds when it is read",
    Reason.ARCHIVE_ENCRYPTED: "a member of an archive that needs a password",
    Reason.ARCHIVE_NESTED: "an archive inside an archive, which is not opened",
    Reason.FORGOTTEN: "was erased from the tables on request, and is still in the source",
}
STEP = {
    "occur": "tags that occur at least once",
    "vary": "with at least two different values",
    "used": "filled often enough",
    "informative": "without identifiers, dates, bulk data and lists of too many values",
    "without_free_text": "without free text",
}
WAY = {
    "paper": "As in the paper",
    "without_labels": "Label tags taken out of the features",
    "declared_only": "Declared body parts alone",
}
WAY_EXPLAINED = {
    "paper": "Modality and BodyPartExamined are themselves among the features, so the scores are partly "
    "circular.",
    "without_labels": "Neither label is among the features: what the rest of the header knows of them.",
    "declared_only": "Only instances whose body part the device or the operator declared; none filled in.",
}
LABEL = {"Modality": "Modality", "BodyPartExamined": "body part"}
SCORE = {"homogeneity": "Homogeneity", "normalized_mutual_information": "NMI"}
TEST = {"paired_t": "paired t-test", "mann_whitney_u": "Mann-Whitney U"}
FEATURE_SET: dict[str, str] = {
    FeatureSet.ALL: "All features",
    FeatureSet.WITHOUT_LABELS: "Without the label tags",
}
SPACE: dict[str, str] = {
    Space.ORIGINAL: "original",
    Space.COMPRESSED: "compressed",
    Space.PRINCIPAL_COMPONENTS: "principal components",
}


def count(value: float | None) -> str:
    """A whole number with thousands separators."""
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as per cent; what is neither none nor all never reads 0 % or 100 %."""
    if share is None:
        return NOT_MEASURED
    if 0 < share <= 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")


def p_value(value: float | None) -> str:
    """A probability with three decimals, as the paper writes it."""
    if value is None:
        return NOT_DEFINED
    if value < 0.001:
        return "<0.001"
    return f"{value:.3f}" if value < 0.9995 else ">0.999"


def signed(value: float | None) -> str:
    """A difference of scores with its sign."""
    return NOT_DEFINED if value is None else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def no_elbow(n_clusters: int, tried: int) -> str:
    """Why the cluster cards show this number of clusters, when the curve names none.

    Examples
    --------
    >>> no_elbow(30, 12)
    'The cards show K = 30, the middle one of the 12 numbers of clusters that were tried.'
    """
    which = f"the middle one of the {tried} numbers" if tried > 1 else "the only number"
    return (
        f"The cards show K = {n_clusters}, {which} of clusters that {'were' if tried > 1 else 'was'} tried."
    )


def listed(words: list[str]) -> str:
    """The words as an English enumeration."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
