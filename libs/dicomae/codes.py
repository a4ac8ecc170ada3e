"""The closed lists of codes that tables hold.

What became of a file, why one could not be read; what an element may tell of a person; sets of features,
kinds of models, and the spaces that they compress into.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why a file is quarantined: the codes of `files.reason`."""

    EMPTY = "empty"
    NOT_DICOM = "not_dicom"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    NO_INSTANCE_UID = "no_instance_uid"
    TOO_LARGE = "too_large"
    PERMISSION = "permission"
    IO_ERROR = "io_error"
    NOT_A_FILE = "not_a_file"
    MISSING = "missing"
    TIMEOUT = "timeout"
    ARCHIVE_DAMAGED = "archive_damaged"
    ARCHIVE_BOMB = "archive_bomb"
    ARCHIVE_ENCRYPTED = "archive_encrypted"
    ARCHIVE_NESTED = "archive_nested"
    FORGOTTEN = "forgotten"  # jobs/forget.py has erased its instance, or all of its patient


# The storage says that there is no file, or nothing of its content. What was read before stays as it was.
NO_FILE = (Reason.MISSING, Reason.NOT_A_FILE)
NO_ANSWER = (Reason.TIMEOUT, Reason.PERMISSION, Reason.IO_ERROR)


class FileStatus(StrEnum):
    """What became of a file: the codes of `files.status`; each file has exactly one."""

    PARSED = "parsed"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    DUPLICATE_UID_CONFLICT = "duplicate_uid_conflict"
    CONTAINER = "container"  # an archive or a table: no file itself, its members have rows of their own


class Identifier(StrEnum):
    """What a tombstone is a hash of: the codes of `tombstones.kind`, columns of `headers`."""

    INSTANCE = "SOPInstanceUID"
    PATIENT = "PatientID"


class PrivacyLevel(StrEnum):
    """What an element's key says of its values: whom or what they may name (`dicom.privacy` decides)."""

    IDENTIFIER = "identifier"  # a person, a place, an order or a device: PatientID
    NAMING_VR = "naming_vr"  # PS3.6 gives it the VR of names, dates, UIDs or addresses: ReviewerName
    CREATOR = "creator"  # the owner of private elements: (0019,0010)
    FREE_TEXT = "free_text"  # what people write: StudyDescription
    PRIVATE = "private"  # a private element that no dictionary knows as a code: its texts may say anything
    UNLISTED = "unlisted"  # a text that no list of the funnel names: a keyword of a later PS3.6
    TECHNICAL = "technical"  # a text that devices write: Manufacturer
    CODE = "code"  # a code or a number: Modality, KVP


class FeatureSet(StrEnum):
    """Which features a specification has: the codes of `feature_specs.feature_set`."""

    ALL = "all"
    WITHOUT_LABELS = "without_labels"  # without the tags that the evaluation compares with


class Space(StrEnum):
    """Where rows are compared with each other: the codes of `medoids.space` and `assignments.space`."""

    ORIGINAL = "original"  # rows of X, as the specification encodes them
    COMPRESSED = "compressed"  # embeddings by the autoencoder
    PRINCIPAL_COMPONENTS = "principal_components"  # embeddings by the PCA


class ModelKind(StrEnum):
    """What compresses X: the codes of `models.kind`, and of a saved model's manifest.

    Examples
    --------
    >>> ModelKind.AUTOENCODER.space
    <Space.COMPRESSED: 'compressed'>
    """

    AUTOENCODER = "autoencoder"
    PCA = "pca"

    @property
    def space(self) -> Space:
        """The space that its embeddings are in; no two kinds have the same one, and none has `ORIGINAL`."""
        return _SPACE_OF[self]


_SPACE_OF = {
    ModelKind.AUTOENCODER: Space.COMPRESSED,
    ModelKind.PCA: Space.PRINCIPAL_COMPONENTS,
}
