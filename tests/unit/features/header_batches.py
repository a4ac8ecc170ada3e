"""Header batches from plain Python, for the tests of features."""

from dataclasses import dataclass, field

import pyarrow as pa

TEXTS = pa.map_(pa.string(), pa.string())


@dataclass
class Header:
    """One row; `elements=None` is a null map."""

    modality: str | None = "CT"
    body_part: str | None = None
    elements: dict[str, str | None] | None = field(default_factory=dict)
    vrs: dict[str, str] | None = field(default_factory=dict)
    patient: str | None = None


def header_batch(headers: list[Header]) -> pa.RecordBatch:
    """The columns that features read, and the patient."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array([f"1.2.{i}" for i in range(len(headers))], pa.string()),
            pa.array([h.modality for h in headers], pa.string()),
            pa.array([h.body_part for h in headers], pa.string()),
            pa.array([h.elements and list(h.elements.items()) for h in headers], TEXTS),
            pa.array([h.vrs and list(h.vrs.items()) for h in headers], TEXTS),
            pa.array([h.patient for h in headers], pa.string()),
        ],
        names=["SOPInstanceUID", "Modality", "body_part", "elements", "vrs", "PatientID"],
    )


def elements_batch(*rows: dict[str, str | None] | None) -> pa.RecordBatch:
    """A header batch where only the elements matter."""
    return header_batch([Header(elements=row) for row in rows])
