"""How well the body-part rules fill what is missing: against the declared parts of public series.

The index is `idc_index.parquet` of the PyPI package idc-index-data (25.0.5). BodyPartExamined is hidden,
the rules see Modality, StudyDescription and SeriesDescription, and the coarse regions that they
give are compared with the declared ones. They agree where they share a region (CHESTABDOMEN and
CHEST do); the whole body is a region of its own. Beside it stand a milder count, where the whole
body agrees with any of its parts, and a stricter one, where all regions must be the same. The
rules were tuned on the even collections only (`--collections even`); the odd ones are the test.
"""

import argparse
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dicomae.dicom.bodypart import SOURCES, repair
from dicomae.dicom.bodypart_rules import BodyPartRules, load_rules

RULES = Path(__file__).resolve().parents[2] / "conf" / "bodypart.toml"
SERIES_PER_COLLECTION = 200
Regions = tuple[str, ...]
READ = ("Modality", "BodyPartExamined", "StudyDescription", "SeriesDescription")


def main() -> int:
    """Print a row per declared region and, last, the figures as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", type=Path, required=True, help="idc_index.parquet")
    parser.add_argument("--rules", type=Path, default=RULES)
    parser.add_argument(
        "--collections", choices=("odd", "even"), default="odd", help="by sha256's first byte"
    )
    arguments = parser.parse_args()
    rules = load_rules(arguments.rules)
    series = read_series(arguments.index, odd=arguments.collections == "odd")
    declared = regions(rules, series, hidden=("StudyDescription", "SeriesDescription", "Modality"))
    filled = regions(rules, series, hidden=("BodyPartExamined",))
    pairs = [(d, f) for d, f in zip(declared, filled, strict=True) if d]
    given = [(d, f) for d, f in pairs if f]
    print_table(pairs)
    covered = [set(d) & set(f) or "whole_body" in d + f for d, f in given]
    result = {
        "filled": round(len(given) / len(pairs), 4),
        "agreement": round(sum(bool(set(d) & set(f)) for d, f in given) / len(given), 4),
        "agreement_if_whole_body_covers_all": round(sum(map(bool, covered)) / len(given), 4),
        "agreement_same_regions": round(sum(d == f for d, f in given) / len(given), 4),
        "series": len(pairs),
        "series_without_declared_region": len(declared) - len(pairs),
    }
    print(json.dumps(result))
    return 0


def read_series(index: Path, *, odd: bool) -> pa.Table:
    """Series with a declared body part: the first 200 of each collection, by SeriesInstanceUID."""
    table = pq.read_table(index, columns=["collection_id", "SeriesInstanceUID", *READ])
    table = table.filter(
        pc.fill_null(pc.not_equal(pc.utf8_trim_whitespace(table["BodyPartExamined"]), ""), False)
    )
    table = table.sort_by("SeriesInstanceUID")
    taken: Counter[str] = Counter()
    rows = []
    for row, collection in enumerate(table["collection_id"].to_pylist()):
        if (
            hashlib.sha256(collection.encode()).digest()[0] % 2 == odd
            and taken[collection] < SERIES_PER_COLLECTION
        ):
            taken[collection] += 1
            rows.append(row)
    return table.take(rows)


def regions(rules: BodyPartRules, series: pa.Table, *, hidden: tuple[str, ...]) -> list[Regions]:
    """Coarse regions of each series by the rules, without the hidden columns; () is unknown."""
    nothing = pa.nulls(len(series), pa.string())
    shown = {name: series[name].combine_chunks() for name in READ if name not in hidden}
    parts, _ = repair(rules, {name: shown.get(name, nothing) for name in ("Modality", *SOURCES)})
    return [() if part is None else rules.regions[part] for part in parts.to_pylist()]


def print_table(pairs: list[tuple[Regions, Regions]]) -> None:
    """Series, filled and agreeing for each declared region, with the commonest other answers."""
    print(f"{'declared':32}{'series':>8}{'filled':>8}{'agree':>8}  else")
    for region, count in Counter(declared for declared, _ in pairs).most_common():
        answers = Counter(filled for declared, filled in pairs if declared == region and filled)
        given = answers.total()
        others = Counter({answer: n for answer, n in answers.items() if not set(answer) & set(region)})
        share = f"{1 - others.total() / given:8.1%}" if given else f"{'-':>8}"
        listed = ", ".join(f"{'+'.join(answer)} {n}" for answer, n in others.most_common(4))
        print(f"{'+'.join(region):32}{count:8}{given / count:8.1%}{share}  {listed}")


if __name__ == "__main__":
    sys.exit(main())
