"""The closed lists of codes that tables hold: what became of a file, and why one could not be read."""

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
