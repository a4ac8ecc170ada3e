"""What can go wrong, in three classes: the call, the job, the file."""


class DicomaeError(Exception):
    """Any failure that dicomae explains itself; its text holds no patient value."""


class UsageError(DicomaeError):
    """A bad call: a missing folder, an unknown configuration key, K above n. Exit code 2."""


class JobError(DicomaeError):
    """A job that was called well and could not finish. Exit code 1."""


class ConflictError(JobError):
    """Another run wrote a table meanwhile: nothing was committed; read it again and go on from there."""

    def __init__(self, table: str) -> None:
        super().__init__(f"table '{table}': another run wrote it meanwhile; run the job again")
