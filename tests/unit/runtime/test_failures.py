"""A failure is one sentence with a remedy; its message is never shown."""

import threading
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from py4j.protocol import Py4JError, Py4JJavaError, Py4JNetworkError

from dicomae.errors import ConflictError, DicomaeError, JobError, UsageError
from dicomae.runtime import daemon, stopping
from dicomae.runtime.failures import PLACES, is_failure, of_a_task, sentence


def _raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("[JAVA_GATEWAY_EXITED] Java gateway process exited", "Java did not start"),
        ("OSError: [Errno 28] No space left on device: 'x'", "a disk is full"),
        ("FATAL Error: disk is full", "a disk is full"),
        ("OSError: [Errno 122] Disk quota exceeded", "a quota of --tables"),
        ("java.lang.OutOfMemoryError: Java heap space", "too little memory"),
        ("java.io.FileNotFoundException: part-1.parquet", "a file of a table is missing"),
    ],
)
def test_known_causes_are_said_in_words(tmp_path: Path, message: str, words: str) -> None:
    assert words in sentence(_raised(RuntimeError(message)), tmp_path)


def test_a_cause_below_the_surface_is_found(tmp_path: Path) -> None:
    error = _raised(RuntimeError("job aborted"), OSError(28, "No space left on device"))
    assert "a disk is full" in sentence(error, tmp_path)


@pytest.mark.parametrize(
    "lost",
    [
        Py4JNetworkError("Answer from Java side is empty"),
        Py4JError("An error occurred while calling o123.collect"),  # what Py4J makes of it within a call
        ConnectionRefusedError(111, "a socket"),
        ConnectionResetError(104, "a socket"),
    ],
)
def test_a_java_that_was_killed_is_said_to_be_so(tmp_path: Path, lost: Exception) -> None:
    for error in (_raised(lost), _raised(RuntimeError("job aborted"), lost)):
        said = sentence(error, tmp_path)
        assert "Java was ended from outside" in said
        assert "spark.driver_memory" in said


class _Unspeakable(Py4JJavaError):
    """An error of a Java that has ended since: its message is Java's to tell."""

    def __init__(self) -> None:
        Exception.__init__(self)

    def __str__(self) -> str:
        raise ConnectionRefusedError(111, "a socket")


def test_an_error_whose_java_has_ended_is_said_to_be_so(tmp_path: Path) -> None:
    assert "Java was ended from outside" in sentence(_raised(_Unspeakable()), tmp_path)


def test_what_fails_after_sigterm_is_its_doing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    came = threading.Event()
    monkeypatch.setattr(stopping, "CAME", came)
    failed = _raised(_Unspeakable())
    assert "SIGTERM" not in sentence(failed, tmp_path)
    came.set()
    assert sentence(failed, tmp_path).startswith("ended by SIGTERM")
    no_java = _raised(RuntimeError("[JAVA_GATEWAY_EXITED] Java gateway process exited"))
    assert sentence(no_java, tmp_path).startswith("ended by SIGTERM")


def test_what_java_itself_answers_is_no_end_of_java(tmp_path: Path) -> None:
    error = Py4JError("An error occurred while calling o1.x. Trace:\npy4j.Py4JException: Method x([])")
    assert "unexpected Py4JError" in sentence(_raised(error), tmp_path)


def test_a_message_is_shown_nowhere(tmp_path: Path) -> None:
    name = "CANARY^DO^NOT^LEAK"
    said = sentence(_raised(KeyError(name)), tmp_path)
    assert "unexpected KeyError" in said
    assert str(tmp_path / PLACES) in said
    assert name not in said + (tmp_path / PLACES).read_text()


def test_a_panic_is_a_failure_and_an_exit_is_none() -> None:
    panic = type("PanicException", (BaseException,), {})  # as pyo3 makes it, in no module
    assert is_failure(panic())
    assert is_failure(ValueError())
    assert not is_failure(SystemExit())
    assert not is_failure(KeyboardInterrupt())


def test_the_places_are_optional(tmp_path: Path) -> None:
    assert "in _raised" in sentence(_raised(ValueError("x")), None)
    assert "unexpected ValueError" in sentence(_raised(ValueError("x")), tmp_path / "missing")


def test_a_damaged_log_of_a_table_is_said_to_be_one(tmp_path: Path) -> None:
    folder = tmp_path / "headers"
    deltalake.DeltaTable.create(str(folder), pa.schema([("SOPInstanceUID", pa.string())]))
    (folder / "_delta_log" / "00000000000000000000.json").write_text("damaged")
    with pytest.raises(deltalake.exceptions.DeltaError) as caught:
        deltalake.DeltaTable(str(folder))
    assert "a table's log is damaged or unreadable" in sentence(caught.value, tmp_path)


BY_SPARK = "An exception was thrown from the Python worker:\n"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (UsageError('a "b"\nc: é'), UsageError),
        (JobError("late"), JobError),
        (DicomaeError("x"), DicomaeError),
        (ConflictError("files"), JobError),
    ],
)
@pytest.mark.parametrize("head", ["", "o1.getResult.\n: SparkException: Lost task 0.0: PythonException: "])
def test_what_a_task_explains_keeps_class_and_sentence(
    raised: DicomaeError, kind: type[DicomaeError], head: str
) -> None:
    text = f"{head}{BY_SPARK}{daemon.in_one_line(raised)}\n\tat java.base/java.lang.Thread.run\n"
    told = of_a_task(_raised(RuntimeError("job aborted"), RuntimeError(text)))
    assert (type(told), str(told)) == (kind, str(raised))


def test_a_traceback_that_quotes_such_a_line_explains_nothing() -> None:
    quoted = f"{BY_SPARK}{daemon.in_one_line(UsageError('CANARY^DO^NOT^LEAK'))}\n"
    text = f"{BY_SPARK}Traceback (most recent call last):\nKeyError: '{quoted}'\n"
    assert of_a_task(_raised(RuntimeError(text))) is None
