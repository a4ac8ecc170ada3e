"""Whom the tables have forgotten: salted hashes of SOPInstanceUIDs and PatientIDs, and nothing else of them.

    digest = sha256(salt, kind, ":", identifier)     kind is `SOPInstanceUID` or `PatientID`

The salt is random, and lies in a private file below the tables. Without it nobody can tell from a digest whom
it stands for, nor try all identifiers until one fits. With it an ingest knows what it must not take in again.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicomae.codes import Identifier, Reason
from dicomae.errors import UsageError
from dicomae.headers.batch import Failure, HeaderBatch
from dicomae.lake import delta, location
from dicomae.lake.location import Location
from dicomae.sources.io_errors import READ_ERRORS
from dicomae.tables import TOMBSTONES

SALT = "_tombstones_salt"  # a file below the tables
PADDING = " \t\n\v\f\r\0"  # around an identifier; it is no part of it

_DETAIL = "it was erased by jobs/forget.py; delete it in the source too"
_BYTES = 32  # of a digest


@dataclass(frozen=True)
class Tombstones:
    """What an ingest needs to know of what has been forgotten; travels to the executors.

    Attributes
    ----------
    salt : "" where nothing has been forgotten.
    parts : of the table `tombstones`.
    """

    salt: str
    parts: tuple[Location, ...]

    @classmethod
    def of(cls, root: Location) -> "Tombstones":
        """The tombstones as they are now.

        Raises
        ------
        UsageError
            There are some, and their salt is missing or damaged.
        """
        parts = tuple(delta.parts(root, TOMBSTONES))
        return cls(read_salt(root) if parts else "", parts)

    def apart(self, read: HeaderBatch) -> HeaderBatch:
        """The batch without what has been forgotten, which has failed as `forgotten` in it."""
        is_forgotten = self.hold(read.headers)
        if not is_forgotten.any():
            return read
        kept = np.flatnonzero(~is_forgotten)
        failures = [Failure(int(i), Reason.FORGOTTEN, _DETAIL) for i in read.index[is_forgotten]]
        headers, index = read.headers.take(pa.array(kept)), read.index[kept]
        return replace(read, headers=headers, index=index, failures=(*read.failures, *failures))

    def hold(self, headers: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        """bool (n_rows,): whether a row's SOPInstanceUID or PatientID has a tombstone."""
        of_instance, of_patient = (self.are(headers.column(kind.value), kind) for kind in Identifier)
        return of_instance | of_patient

    def are(self, identifiers: pa.Array, kind: Identifier) -> npt.NDArray[np.bool_]:
        """bool (n,): whether each of these identifiers has a tombstone; null has none."""
        if not self.parts or not len(identifiers):
            return np.zeros(len(identifiers), np.bool_)
        encoded = identifiers.dictionary_encode()
        found = [digest(self.salt, kind, text) for text in encoded.dictionary.to_pylist()]
        known = np.append(_among(np.array(found, f"S{_BYTES}"), _digests(self.parts)), False)
        return np.asarray(known[encoded.indices.fill_null(-1).to_numpy()])  # null, -1, finds the last


def digest(salt: str, kind: Identifier, identifier: str) -> bytes:
    """The digest of an identifier; `sql_digest` is the same in SQL."""
    return hashlib.sha256(f"{salt}{kind}:{identifier.strip(PADDING)}".encode()).digest()


def sql_digest(salt: str, kind: Identifier) -> str:
    """SQL for the hexadecimal digest of the column with the kind's name."""
    padding = " || ".join(f"chr({ord(character)})" for character in PADDING)
    return f"sha256('{salt}{kind}:' || trim(\"{kind}\", {padding}))"


def read_salt(root: Location) -> str:
    """The salt that `make_salt` made.

    Raises
    ------
    UsageError
        It is missing or damaged, so that nothing would keep out what has been forgotten.
    """
    try:
        text = location.read_text(root / SALT)
    except (*READ_ERRORS, UnicodeDecodeError):
        text = ""
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise UsageError(
            f"--tables {root}: {SALT} is missing or damaged, and what was forgotten could come in again; "
            f"restore this file from its backup"
        )
    return text


def make_salt(root: Path) -> str:
    """The salt; a new one where nothing has been forgotten yet."""
    path = root / SALT
    if path.exists() or not delta.is_empty(root, TOMBSTONES):
        return read_salt(root)
    salt, unfinished = secrets.token_hex(32), path.with_name(f"{SALT}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(salt)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return salt


def rows(salt: str, kind: Identifier, identifiers: Sequence[str], run_id: str) -> pa.Table:
    """Rows of `TOMBSTONES` for identifiers."""
    digests = [digest(salt, kind, identifier).hex() for identifier in identifiers]
    columns = [digests, [kind.value] * len(digests), [run_id] * len(digests)]
    return pa.table(columns, schema=TOMBSTONES.schema)


@lru_cache(maxsize=1)
def _digests(parts: tuple[Location, ...]) -> npt.NDArray[np.bytes_]:
    """The digests of these parts, ascending; read once in each worker."""
    columns = [location.parquet_file(part).read(["digest"])["digest"].to_pylist() for part in parts]
    found = [bytes.fromhex(text) for column in columns for text in column]
    return np.sort(np.array(found, f"S{_BYTES}"))


def _among(some: npt.NDArray[np.bytes_], all_sorted: npt.NDArray[np.bytes_]) -> npt.NDArray[np.bool_]:
    """Whether each is among all."""
    at = np.searchsorted(all_sorted, some).clip(max=len(all_sorted) - 1)
    return np.asarray(all_sorted[at] == some)
