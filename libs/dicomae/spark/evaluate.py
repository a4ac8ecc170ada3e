"""The test part as the evaluation takes it: labels and clusters of each row, side by side."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from dicomae.dicom.keys import shown_key
from dicomae.evaluation.cards import Column
from dicomae.features.spec import FeatureSpec
from dicomae.spark import frames
from dicomae.tables import ASSIGNMENTS, HEADERS, SAMPLE


@dataclass(frozen=True)
class Assigned:
    """A split of the sample, rows in SOPInstanceUID's order.

    Attributes
    ----------
    labels : Modality and BodyPartExamined (repaired) of each row.
    declared : whether the body part was declared, not filled in.
    patients : PatientID of each row; None is unknown.
    clusters : space -> K -> cluster of each row, int32 (n,).
    """

    labels: dict[str, list[str | None]]
    declared: npt.NDArray[np.bool_]
    patients: list[str | None]
    clusters: dict[str, dict[int, npt.NDArray[np.int32]]]

    def where(self, mask: npt.NDArray[np.bool_]) -> "Assigned":
        """The rows where `mask` holds."""
        rows = np.flatnonzero(mask)
        return Assigned(
            {name: [values[i] for i in rows] for name, values in self.labels.items()},
            self.declared[rows],
            [self.patients[i] for i in rows],
            {s: {k: c[rows] for k, c in by_k.items()} for s, by_k in self.clusters.items()},
        )


def assigned(spark: SparkSession, root: Path, model_id: str, split: str) -> Assigned:
    """Labels, patients and clusters of a split under one model."""
    sample = frames.read(spark, root, SAMPLE).where(f"split = '{split}'").drop("run_id", "split")
    clusters = frames.read(spark, root, ASSIGNMENTS).where(f"model_id = '{model_id}'")
    chosen = clusters.select("SOPInstanceUID", "space", "cluster")
    patients = frames.read(spark, root, HEADERS).select("SOPInstanceUID", "PatientID")
    joined = sample.join(chosen, "SOPInstanceUID", how="inner").join(patients, "SOPInstanceUID", how="inner")
    rows = joined.toArrow().sort_by("SOPInstanceUID")
    spaces = {
        space: rows.filter(pc.equal(rows["space"], space)) for space in pc.unique(rows["space"]).to_pylist()
    }
    first = next(iter(spaces.values()))
    source = first["body_part_source"].to_pylist()
    return Assigned(
        {"Modality": first["Modality"].to_pylist(), "BodyPartExamined": first["body_part"].to_pylist()},
        np.array([s in ("declared", "normalised") for s in source], dtype=np.bool_),
        first["PatientID"].to_pylist(),
        {space: _by_k(part["cluster"]) for space, part in spaces.items()},
    )


def spec_columns(spec: FeatureSpec) -> list[Column]:
    """What each column of X stands for, in names that may be shown."""
    columns = []
    for feature in spec.features:
        name = feature.name.replace(feature.key, shown_key(feature.key), 1)
        values = feature.vocabulary if feature.kind == "categorical" else (None,)
        columns += [Column(name, feature.kind, value) for value in values]
    return columns


def _by_k(clusters: pa.ChunkedArray) -> dict[int, npt.NDArray[np.int32]]:
    rows = [dict(row) for row in clusters.to_pylist()]
    return {k: np.array([row[k] for row in rows], np.int32) for k in sorted(rows[0])}
