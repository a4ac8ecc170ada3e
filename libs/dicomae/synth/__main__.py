"""Write a synthetic PACS of real DICOM files (`dicomae.spark.synth` makes a table of headers alone)."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dicomae.errors import UsageError
from dicomae.synth import archive, command
from dicomae.synth.command import Parser

_EXAMPLES = """examples:
  python -m dicomae.synth --out pacs --files 3000 --seed 1
      3,000 DICOM files below pacs/night-01, their truth in pacs-truth.parquet
  python -m dicomae.synth --out pacs --files 25000 --seed 1 --nights 5
      five folders night-01 to night-05; later ones bring more of earlier patients
The same arguments give the same bytes. The last line of standard output is one JSON object."""


def _parser() -> Parser:
    made = Parser(
        "python -m dicomae.synth",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    add = made.add_argument
    add("--out", type=Path, metavar="DIR", help="folder of the archive: missing, empty, or of the same call")
    add("--files", type=int, metavar="N", help="files in all: regular, spoilt and duplicates together")
    add("--seed", type=int, default=1, metavar="S", help="another seed, another hospital (default 1)")
    add(
        "--nights",
        type=int,
        default=1,
        metavar="M",
        help="folders that arrive one after the other (default 1)",
    )
    add("--matrix", type=int, default=128, metavar="P", help="rows and columns of an image (default 128)")
    add(
        "--truth",
        type=Path,
        metavar="FILE",
        help="Parquet file of true body parts (default DIR-truth.parquet)",
    )
    add(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="W", help="processes (default: all cores)"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0, 1 after a failure, 2 after a bad call."""
    return command.run(_parser(), _write_files, arguments)


def _write_files(options: argparse.Namespace) -> dict[str, object]:
    if options.out is None or options.files is None:
        raise UsageError("--out and --files are needed; see --help")
    if options.workers < 1:
        raise UsageError(f"--workers must be at least 1, not {options.workers}")
    made = archive.Arguments(options.files, options.seed, options.nights, options.matrix)
    truth = options.truth or options.out.with_name(options.out.name + "-truth.parquet")
    archive.check(made, options.out, truth)
    rows = archive.finished(made, options.out, truth) or _generate(made, options.out, truth, options.workers)
    return {
        "job": "synth",
        "files": len(rows),
        "patients": len({row["patient"] for row in rows}),
        "studies": len({row["study"] for row in rows}),
        "spoilt": sum(row["kind"] == "spoilt" for row in rows),
        "duplicates": sum(row["kind"] == "duplicate" for row in rows),
        "out": str(options.out),
        "truth": str(truth),
    }


def _generate(made: archive.Arguments, out: Path, truth: Path, workers: int) -> list[dict[str, Any]]:
    archive.write_truth([], made, truth)  # what a killed run leaves can be taken up again
    rows = []
    with tqdm(total=made.files, unit="file", desc="synthetic PACS", file=sys.stderr, disable=None) as bar:
        for study in archive.generate(made, out, workers):
            rows += study
            bar.update(len(study))
    archive.write_truth(rows, made, truth)
    return rows


if __name__ == "__main__":
    sys.exit(main())
