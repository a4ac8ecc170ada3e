"""The closed lists of codes, and the classes that a job turns into exit codes."""

import pytest

from dicomae.codes import FileStatus, Reason
from dicomae.errors import DicomaeError, JobError, UsageError


@pytest.mark.parametrize("error", [UsageError, JobError])
def test_what_dicomae_explains_is_caught_by_one_class(error: type[DicomaeError]) -> None:
    with pytest.raises(DicomaeError, match="no such folder"):
        raise error("no such folder")


def test_a_bad_call_is_not_a_failed_job() -> None:
    assert not issubclass(UsageError, JobError)
    assert not issubclass(JobError, UsageError)


def test_codes_are_written_to_tables_as_plain_text() -> None:
    assert [f"{code}" for code in FileStatus] == [
        "parsed",
        "quarantined",
        "duplicate",
        "duplicate_uid_conflict",
        "container",
    ]
    assert {str(code) for code in Reason} == {
        "empty",
        "not_dicom",
        "truncated",
        "unreadable",
        "no_instance_uid",
        "too_large",
        "permission",
        "io_error",
        "forgotten",
        "not_a_file",
        "missing",
        "timeout",
        "archive_damaged",
        "archive_bomb",
        "archive_encrypted",
        "archive_nested",
    }
