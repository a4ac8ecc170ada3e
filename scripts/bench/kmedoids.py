#!/usr/bin/env python
"""K-medoids: FasterPAM against scikit-learn-extra's `alternate`, on one matrix, in one run.

Progress goes to standard error. The last line of standard output is JSON: seconds, costs and, in
`ratios`, alternate's time over ours, its cost over ours, SciPy's time for the matrix over ours, and the
cost from k-medoids++ starts over that from random ones.

    .venv/bin/python scripts/bench/kmedoids.py --rows 4000 --columns 56
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dicomae.clustering import fasterpam, kmedoids
from dicomae.clustering.distances import manhattan

MAXIMUM_ITERATIONS = 300
SCIPY_ROWS = 500  # SciPy's time is measured on so many rows of the matrix, and scaled


def tags(rows: int, columns: int, seed: int) -> NDArray[np.float32]:
    """Rows like those of encoded tags: 40 uneven groups, a quarter of the columns numeric, others 0 or 1."""
    rng = np.random.default_rng(seed)
    group = rng.choice(40, rows, p=rng.dirichlet(np.full(40, 0.5)))
    X = (rng.random((40, columns)) < 0.15)[group] ^ (rng.random((rows, columns)) < 0.05)
    numeric = rng.random((40, columns // 4))[group] + rng.normal(0, 0.1, (rows, columns // 4))
    return np.hstack([np.clip(numeric, 0, 1), X[:, columns // 4 :]]).astype(np.float32)


def plus_plus(distances: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:
    """k-medoids++ starts: each next one drawn in proportion to its distance from those there are."""
    rng = np.random.default_rng(seed)
    medoids = [int(rng.integers(len(distances)))]
    nearest = distances[medoids[0]].astype(np.float64)
    while len(medoids) < k:
        medoids.append(int(rng.choice(len(distances), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, distances[medoids[-1]])
    return np.array(medoids)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that the call took, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def compare_engines(distances: NDArray[np.float32], k: int, seed: int) -> dict[str, float]:
    """Seconds and cost of both engines, and of FasterPAM from k-medoids++ starts."""
    row: dict[str, float] = {"n_clusters": k}
    for engine in ("fasterpam", "alternate"):
        seconds, found = timed(partial(kmedoids.fit, distances, k, engine, MAXIMUM_ITERATIONS, seed))
        row |= {f"{engine}_seconds": seconds, f"{engine}_cost": found.cost}
    row["plus_plus_seconds"], (_, costs, _) = timed(
        lambda: fasterpam.improve(distances, plus_plus(distances, k, seed), MAXIMUM_ITERATIONS)
    )
    row["plus_plus_cost"] = costs[-1]
    print({key: round(value, 3) for key, value in row.items()}, file=sys.stderr)
    return row


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--columns", type=int, default=56)
    parser.add_argument("--clusters", type=int, nargs="+", default=[4, 15, 50, 150])
    parser.add_argument("--threads", type=int, default=1, help="for the matrix")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    X = tags(arguments.rows, arguments.columns, arguments.seed)
    for engine in ("fasterpam", "alternate"):  # compile and import before any clock starts
        kmedoids.fit(manhattan(X[:50]), 3, engine, 1, 0)
    matrix_seconds, distances = timed(lambda: manhattan(X, threads=arguments.threads))
    scipy_seconds, _ = timed(lambda: cdist(X[:SCIPY_ROWS], X, "cityblock"))
    scipy_seconds *= len(X) / min(SCIPY_ROWS, len(X))
    print(f"matrix: {matrix_seconds:.3f} s, SciPy {scipy_seconds:.3f} s", file=sys.stderr)
    rows = [compare_engines(distances, k, arguments.seed) for k in arguments.clusters]
    assign_seconds, _ = timed(lambda: kmedoids.assign(X, X[: max(arguments.clusters)]))
    ours, theirs, seeded = (
        [sum(row[f"{name}_{what}"] for row in rows) for what in ("seconds", "cost")]
        for name in ("fasterpam", "alternate", "plus_plus")
    )
    result = {
        "benchmark": "kmedoids",
        "rows": arguments.rows,
        "columns": arguments.columns,
        "matrix_seconds": matrix_seconds,
        "assigned_rows_per_second": len(X) / assign_seconds,
        "engines": rows,
        "ratios": {
            "scipy_matrix_over_ours": scipy_seconds / matrix_seconds,
            "alternate_seconds_over_fasterpam": theirs[0] / ours[0],
            "alternate_cost_over_fasterpam": theirs[1] / ours[1],
            "plus_plus_cost_over_random": seeded[1] / ours[1],
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
