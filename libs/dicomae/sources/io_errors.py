"""Exceptions of file systems as reasons.

A reason says what the storage said. It never holds the exception's message, which may hold a path.
"""

import errno

import pyarrow as pa

from dicomae.codes import Reason

READ_ERRORS = (OSError, ValueError, pa.ArrowException)


def explained(error: Exception) -> tuple[Reason, str]:
    """Reason and detail of a failure to list, open or read: `permission`, `PermissionError EACCES`.

    The detail is the exception's class and the system's code.
    """
    code = errno.errorcode.get(getattr(error, "errno", None) or 0)
    detail = f"{type(error).__name__} {code}" if code else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return Reason.MISSING, detail
    if code == "ELOOP":
        return Reason.NOT_A_FILE, detail
    # S3's client gives up what sends no byte for 3 s, over and over for about 100 s (pyarrow 25).
    if isinstance(error, TimeoutError) or "curlCode: 28" in str(error):
        return Reason.TIMEOUT, detail
    # S3's refusal comes as a bare OSError.
    if isinstance(error, PermissionError) or "ACCESS_DENIED" in str(error):
        return Reason.PERMISSION, detail
    return Reason.IO_ERROR, detail
