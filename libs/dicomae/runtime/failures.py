"""One sentence for a failure of Spark, Java, a disk or a table; the traceback goes to a file.

Messages of other libraries may quote data. They are searched for the signs of known causes, and never shown:
"No space left on device" in a message becomes "a disk is full …".
"""

import json
import re
import traceback
from collections.abc import Iterator

from deltalake.exceptions import DeltaError
from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError

from dicomae.errors import DicomaeError, JobError, UsageError
from dicomae.lake import location
from dicomae.lake.location import Location
from dicomae.runtime import stopping

PLACES = "_last_error.txt"

_STORE = "a store on S3 cannot be reached or refuses; check network, credentials and free space"

# What a message holds -> what it means and what to do.
_CAUSES = (
    ("JAVA_GATEWAY_EXITED", "Java did not start; it must be 17 or newer, on PATH or in JAVA_HOME"),
    ("No space left on device", "a disk is full (of --tables, or of Spark's temporary files); free space"),
    ("disk is full", "a disk is full (of --tables, or of Spark's temporary files); free space"),
    ("Disk quota exceeded", "a quota of --tables or of Spark's temporary files is used up; free space"),
    ("OutOfMemoryError", "the JVM has too little memory; raise spark.driver_memory or the executors' memory"),
    ("Generic S3 error", _STORE),
    ("AWS Error", _STORE),
    ("Permission denied", "a file or folder may not be read or written; --tables must be writable"),
    ("Read-only file system", "--tables lies on a read-only file system"),
    ("FileNotFoundException", "a file of a table is missing; restore the folder --tables from its backup"),
    ("FAILED_READ_FILE", "a file of a table is missing or damaged; restore --tables from its backup"),
    ("No such file or directory", "a file is missing that was there when the job began"),
    ("ConcurrentModification", "another run wrote the same table meanwhile"),
    ("ConcurrentAppend", "another run wrote the same table meanwhile"),
)

_JAVA_ENDED = (
    "Java was ended from outside, perhaps for lack of memory; free memory, or lower "
    "spark.driver_memory where the machine has less, raise it where Java's own was too little"
)
_CONNECTION_LOST = (Py4JNetworkError, ConnectionRefusedError, ConnectionResetError)


# Spark's words before what `daemon.tell` sends, and then that; a traceback that quotes it follows later.
_OF_A_TASK = re.compile(
    re.escape("An exception was thrown from the Python worker:")
    + r"\s*(?:(?P<told>dicomae\.errors\.(?P<name>\w+): (?P<sentence>\".*\"))$)?",
    re.MULTILINE,
)
_KINDS: dict[str, type[DicomaeError]] = {kind.__name__: kind for kind in (UsageError, JobError, DicomaeError)}


def of_a_task(error: BaseException) -> DicomaeError | None:
    """The failure that a Spark task has explained itself; None when it was another kind of failure.

    A class that the driver does not tell apart, such as ConflictError, comes as JobError.
    """
    for cause in _chain(error):
        found = _OF_A_TASK.search(_text(cause))
        if found is not None and found["told"]:
            return _KINDS.get(found["name"], JobError)(json.loads(found["sentence"]))
    return None


def is_failure(error: BaseException) -> bool:
    """Whether something failed: an exception, or a panic of a library in Rust, which is none to Python."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def sentence(error: BaseException, root: Location | None) -> str:
    """What went wrong, what to do and where the traceback is, without a word of another library's message.

    Parameters
    ----------
    root : where the traceback goes; None when the tables' folder is not known yet.
    """
    places = _kept(error, root)
    if stopping.CAME.is_set():
        return f"ended by SIGTERM, which came to Java too; run again to go on ({places})"
    for cause in _chain(error):
        text = _text(cause)
        for sign, meaning in _CAUSES:
            if sign in text:
                return f"{meaning}, then run again ({places})"
        if _is_java_lost(cause):
            return f"{_JAVA_ENDED}, then run again ({places})"
        if isinstance(cause, DeltaError):
            return f"a table's log is damaged or unreadable; restore --tables from its backup ({places})"
    return f"unexpected {type(error).__name__}; please report it with its places ({places})"


def _is_java_lost(cause: BaseException) -> bool:
    """Whether Java has ended: Py4J's error then has nothing of what Java said."""
    if type(cause) is Py4JError:
        return "Trace:" not in str(cause)
    return isinstance(cause, _CONNECTION_LOST) or (isinstance(cause, Py4JJavaError) and not _text(cause))


def _text(cause: BaseException) -> str:
    """The message. It is "" when it was Java's and Java has ended, for Py4J asks Java for it."""
    try:
        return str(cause)
    except (Py4JError, OSError):
        return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, the error that caused it, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _kept(error: BaseException, root: Location | None) -> str:
    """Where the traceback is: in the file `PLACES`, or in words when that cannot be written."""
    in_words = f"in {traceback.extract_tb(error.__traceback__)[-1].name}"
    if root is None:
        return in_words
    lines = [type(error).__name__ + "\n", *traceback.format_tb(error.__traceback__)]
    path = root / PLACES
    try:
        location.write_text(path, "".join(lines))
    except OSError:
        return in_words
    return f"places: {path}"
