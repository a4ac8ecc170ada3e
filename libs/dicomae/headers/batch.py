"""What a batch of header bytes becomes: rows of `HEADER`, failures, and buffers that need more bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicomae import tables
from dicomae.codes import Reason
from dicomae.headers.compiled import SLACK

BATCH_BYTES = 64 << 20  # of texts, from which a batch takes no more rows: Arrow's end at 2 GiB

HEADER = pa.schema(
    [
        ("SOPInstanceUID", pa.string()),
        *((name, pa.string()) for name in tables.PROMOTED_TEXT),
        *((name, pa.int32()) for name in tables.PROMOTED_INTEGER),
        ("has_window", pa.bool_()),
        ("has_pixel_data", pa.bool_()),
        ("content_hash", pa.string()),
        ("elements", tables.TEXTS),
        ("vrs", tables.TEXTS),
        ("element_errors", tables.TEXTS),
    ]
)


@dataclass(frozen=True)
class Arena:
    """Buffers that lie one after the other in one array.

    Attributes
    ----------
    memory : uint8, with at least `SLACK` bytes after the last buffer.
    bounds : int64 (n + 1,), where each buffer begins, and where the last ends.
    """

    memory: npt.NDArray[np.uint8]
    bounds: npt.NDArray[np.int64]

    @classmethod
    def joined(cls, buffers: Sequence[bytes]) -> "Arena":
        """An arena with a copy of these buffers."""
        bounds = np.zeros(len(buffers) + 1, np.int64)
        np.cumsum([len(buffer) for buffer in buffers], out=bounds[1:])
        return cls(np.frombuffer(b"".join([*buffers, bytes(SLACK)]), np.uint8), bounds)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """int64 (n,), bytes of each buffer."""
        return np.diff(self.bounds)

    def part(self, start: int, stop: int) -> "Arena":
        """The buffers from position `start` to before `stop`, in the same memory."""
        return Arena(self.memory[self.bounds[start] :], self.bounds[start : stop + 1] - self.bounds[start])

    def buffer(self, i: int) -> bytes:
        """A copy of one buffer."""
        return self.memory[self.bounds[i] : self.bounds[i + 1]].tobytes()


@dataclass(frozen=True)
class Failure:
    """A buffer that gave no row: its position, the reason, and a detail that holds no value."""

    index: int
    reason: Reason
    detail: str


@dataclass(frozen=True)
class HeaderBatch:
    """What became of a batch: every position is in exactly one of the first three.

    Attributes
    ----------
    headers : schema `HEADER`, one row for each parsed buffer.
    index : int64 (n_rows,), position of each row's buffer in the input.
    failures : buffers that are no readable header.
    incomplete : position of each buffer that ends before its header does → how many bytes from the file's
        start are needed at least to go on: beyond the element, or item, that is cut. A length in the file
        says so, and may be hostile. 0 when the batch has no room for the file: parse it again, in another
        batch.
    bytes_read : bytes that a reader has read from the files; 0 when no reader has.
    """

    headers: pa.RecordBatch
    index: npt.NDArray[np.int64]
    failures: tuple[Failure, ...]
    incomplete: dict[int, int]
    bytes_read: int = 0

    @classmethod
    def of_failures(cls, *failures: Failure) -> "HeaderBatch":
        """A batch without rows, with these failures."""
        return cls(pa.RecordBatch.from_pylist([], HEADER), np.zeros(0, np.int64), failures, {})

    def of(self, inputs: pa.RecordBatch) -> tuple[pa.RecordBatch, "HeaderBatch"]:
        """The rows of the input that this batch is of, in order; and the batch with positions among them.

        Parameters
        ----------
        inputs : one row for each position. Nothing is incomplete.
        """
        failed = [failure.index for failure in self.failures]
        positions = np.sort(np.concatenate([self.index, np.array(failed, np.int64)]))
        if len(positions) == inputs.num_rows:
            return inputs, self
        places = np.searchsorted(positions, failed).tolist()
        failures = tuple(replace(f, index=i) for f, i in zip(self.failures, places, strict=True))
        index = np.searchsorted(positions, self.index)
        return inputs.take(pa.array(positions)), replace(self, index=index, failures=failures)
