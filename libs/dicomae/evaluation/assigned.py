"""Instances with their labels and their clusters: what the evaluation compares."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_DECLARED = ("declared", "normalised")  # of `body_part_source`: the device or the operator has said it


@dataclass(frozen=True)
class Assigned:
    """A split of the sample under one model, rows in SOPInstanceUID's order.

    Attributes
    ----------
    labels : Modality and BodyPartExamined (repaired) of each row; None is unknown.
    declared : whether the body part was declared, not filled in.
    patients : PatientID of each row; None is unknown.
    clusters : space -> K -> cluster of each row, int32 (n,).
    devices : number of each row's device (`features.devices`); empty where nobody asked for it.
    """

    labels: dict[str, list[str | None]]
    declared: npt.NDArray[np.bool_]
    patients: list[str | None]
    clusters: dict[str, dict[int, npt.NDArray[np.int32]]]
    devices: tuple[int, ...] = ()

    def where(self, mask: npt.NDArray[np.bool_]) -> "Assigned":
        """The rows for which `mask` is true.

        Examples
        --------
        >>> clusters = {"original": {2: np.array([0, 1], np.int32)}}
        >>> rows = Assigned({"Modality": ["CT", "MR"]}, np.array([True, False]), ["P1", "P2"], clusters)
        >>> rows.where(rows.declared).labels
        {'Modality': ['CT']}
        """
        rows = np.flatnonzero(mask)
        return Assigned(
            {name: [values[i] for i in rows] for name, values in self.labels.items()},
            self.declared[rows],
            [self.patients[i] for i in rows],
            {s: {k: c[rows] for k, c in by_k.items()} for s, by_k in self.clusters.items()},
            tuple(self.devices[i] for i in rows) if self.devices else (),
        )


def from_rows(rows: pa.Table) -> Assigned:
    """The instances of a table that has one row for each instance and space.

    Parameters
    ----------
    rows : columns SOPInstanceUID, Modality, body_part, body_part_source, PatientID, `device`, `space`, and
        `cluster` (a map from K to the cluster); in any order, at least one row.

    Examples
    --------
    >>> rows = pa.table(
    ...     {"SOPInstanceUID": ["1.2.4", "1.2.3"], "Modality": ["MR", "CT"], "body_part": [None, "CHEST"],
    ...      "body_part_source": ["unknown", "declared"], "PatientID": ["P2", "P1"],
    ...      "device": [0, 0], "space": ["original"] * 2,
    ...      "cluster": pa.array([[(2, 1)], [(2, 0)]], pa.map_(pa.int32(), pa.int32()))}
    ... )
    >>> found = from_rows(rows)
    >>> found.labels["Modality"], found.declared.tolist(), found.clusters
    (['CT', 'MR'], [True, False], {'original': {2: array([0, 1], dtype=int32)}})
    """
    ordered = rows.sort_by("SOPInstanceUID")
    names = pc.unique(ordered["space"]).to_pylist()
    spaces = {space: ordered.filter(pc.equal(ordered["space"], space)) for space in names}
    first = spaces[names[0]]
    return Assigned(
        {"Modality": first["Modality"].to_pylist(), "BodyPartExamined": first["body_part"].to_pylist()},
        np.array([source in _DECLARED for source in first["body_part_source"].to_pylist()], dtype=np.bool_),
        first["PatientID"].to_pylist(),
        {space: _by_k(mine["cluster"]) for space, mine in spaces.items()},
        tuple(first["device"].to_pylist()),
    )


def _by_k(clusters: pa.ChunkedArray) -> dict[int, npt.NDArray[np.int32]]:
    rows = [dict(row) for row in clusters.to_pylist()]
    return {k: np.array([row[k] for row in rows], np.int32) for k in sorted(rows[0])}
