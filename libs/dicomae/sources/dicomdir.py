r"""The files that a DICOMDIR, the index of a medium, refers to (PS3.3, F; PS3.10, 8).

The standard has a medium's file IDs in capitals. The file system that shows the medium may write them small,
or with ISO 9660's `.;1`. So each component is looked up as it is, and then without regard to case: the
reference `IMAGES\IM0001` may lead to `images/im0001` or to `IMAGES/IM0001.;1`.
"""

import posixpath
import warnings
from io import BytesIO

import pyarrow.fs as pafs
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicomae.codes import Reason
from dicomae.errors import UsageError
from dicomae.sources.io_errors import READ_ERRORS, explained
from dicomae.sources.listing import Listing, ListingFailure, list_paths
from dicomae.sources.range_file import take
from dicomae.sources.storage import Storage

LARGEST = 1 << 26  # bytes: some 150,000 instances

_OUTSIDE = "the reference does not name a file below the DICOMDIR"


def read_dicomdir(filesystem: pafs.FileSystem, path: str, timeout_seconds: float) -> Listing:
    """The files that a DICOMDIR refers to, each once. A file that is missing is a failure.

    So is a file outside the medium.

    Parameters
    ----------
    timeout_seconds : how long each answer of the file system may take. When a folder does not answer, no
        other folder is asked after: the files in all of them are failures.

    Raises
    ------
    UsageError
        It cannot be read as a DICOMDIR.
    """
    storage = Storage(filesystem, timeout_seconds)
    names = _Names(storage)
    found = [_found(names, path, components) for components in _references(storage, path)]
    listing = list_paths(
        filesystem, sorted({file for file in found if isinstance(file, str)}), timeout_seconds
    )
    failures = [failure for failure in found if not isinstance(failure, str)]
    failures += [(folder, Reason.IO_ERROR, "a folder where a file must be") for folder in listing.folders]
    return Listing(listing.files, (), tuple(sorted([*listing.failures, *failures])))


def _found(names: "_Names", path: str, components: tuple[str, ...]) -> str | ListingFailure:
    """The path of the file that a DICOMDIR at `path` refers to, or why there is none."""
    if not all(_is_name(component) for component in components):
        return f"{path}!" + "\\".join(components), Reason.MISSING, _OUTSIDE
    top = posixpath.dirname(path)
    try:
        file = names.find(top, components)
    except _Refused as refused:
        return posixpath.join(top, *components), refused.reason, refused.detail
    return file or (posixpath.join(top, *components), Reason.MISSING, "no such file")


def _references(storage: Storage, path: str) -> list[tuple[str, ...]]:
    """Components of each ReferencedFileID (0004,1500); each reference once."""
    try:
        with storage.open(path) as file:
            content = take(file, LARGEST + 1)
    except READ_ERRORS as error:
        raise UsageError(f"{path}: cannot be read ({type(error).__name__}); check the path") from error
    if len(content) > LARGEST:
        raise UsageError(f"{path}: more than {LARGEST} bytes; give its folder as the source instead")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = dcmread(BytesIO(content)).DirectoryRecordSequence
            return sorted({_components(record) for record in records if record.get("ReferencedFileID")})
    except Exception as error:
        raise UsageError(f"{path}: no DICOMDIR; give its folder as the source instead") from error


def _components(record: Dataset) -> tuple[str, ...]:
    reference = record.ReferencedFileID
    return (reference,) if isinstance(reference, str) else tuple(map(str, reference))


def _is_name(component: str) -> bool:
    return component not in ("", ".", "..") and not set(component) & set("/\\\0")


class _Refused(Exception):
    """A folder that does not say which names it holds: whether a file is in it is not known."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class _Names:
    """Names of a medium. Each folder is listed once."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.folders: dict[str, dict[str, str]] = {}
        self.refused: dict[str, _Refused] = {}  # by folder
        self.late: _Refused | None = None

    def find(self, folder: str, components: tuple[str, ...]) -> str | None:
        """Path of a file below a folder; None where there is none.

        Raises
        ------
        _Refused
            A folder on the way does not say which names it holds.
        """
        for component in components:
            names = self._names(folder)
            name = names.get(component) or names.get(_folded(component))
            if name is None:
                return None
            folder = posixpath.join(folder, name)
        return folder

    def _names(self, folder: str) -> dict[str, str]:
        """Names in a folder, by themselves and folded. A name as it is takes precedence over a folded one."""
        if folder in self.refused:
            raise self.refused[folder]
        if folder not in self.folders:
            names = self._listed(folder)
            self.folders[folder] = {_folded(name): name for name in names} | {name: name for name in names}
        return self.folders[folder]

    def _listed(self, folder: str) -> list[str]:
        if self.late is not None:
            raise self.late
        filesystem = self.storage.filesystem
        try:
            infos = self.storage.ask(lambda: filesystem.get_file_info(pafs.FileSelector(folder)))
        except TimeoutError as late:
            self.late = _Refused(Reason.TIMEOUT, str(late))
            raise self.late from None
        except READ_ERRORS as error:
            reason, detail = explained(error)
            if reason == Reason.MISSING:
                return []
            self.refused[folder] = _Refused(reason, detail)
            raise self.refused[folder] from None
        return sorted(info.base_name for info in infos)


def _folded(name: str) -> str:
    return name.removesuffix(";1").removesuffix(".").casefold()
