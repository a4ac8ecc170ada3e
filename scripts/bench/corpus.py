#!/usr/bin/env python
"""Many small DICOM files, quickly: a synthetic PACS, stamped out again under new UIDs.

A few thousand files of `dicomae.synth` (regular ones: no spoilt file, no duplicate) are the stamps. Each
study of theirs is written over and over; a copy has its own study, series and instance UIDs, of the old
ones' length, so that they are set in the bytes and nothing is encoded again. All else repeats. The same
call gives the same bytes, another seed shares no UID.

    .venv/bin/python scripts/bench/corpus.py --out /tmp/corpus --files 200000
"""

import argparse
import itertools
import json
import os
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom

from dicomae.synth import archive

STAMPS, MATRIX = 2000, 16  # files that are generated, and the side of their images
FOLDER_FILES = (20, 100)  # least and most files of a series folder
SERIAL_DIGITS = 12  # the last digits of a UID, which become a running number
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@dataclass(frozen=True)
class Stamp:
    """A file, and where in it its UIDs are.

    Attributes
    ----------
    content : the file.
    study, series, instance : offsets of the serial digits of each UID, file meta information included.
    """

    content: bytes
    study: tuple[int, ...]
    series: tuple[int, ...]
    instance: tuple[int, ...]

    def copy(self, study: bytes, series: bytes, instance: bytes) -> bytes:
        """The file with other serial digits."""
        copied = bytearray(self.content)
        for offsets, serial in ((self.study, study), (self.series, series), (self.instance, instance)):
            for at in offsets:
                copied[at : at + SERIAL_DIGITS] = serial
        return bytes(copied)


def make(folder: Path, n_files: int, seed: int) -> None:
    """Write `n_files` files below `folder`, as study-…/series-…/….dcm, 20 to 100 in a folder.

    Raises
    ------
    FileExistsError
        `folder` is there already.
    """
    folder.mkdir(parents=True)
    serials = (b"%0*d" % (SERIAL_DIGITS, number) for number in itertools.count(1))
    studies = _stamps(min(n_files, STAMPS), seed)
    for path, copies in _folders(itertools.cycle(studies), n_files, serials, random.Random(seed)):  # noqa: S311
        os.makedirs(folder / path)
        for number, content in enumerate(copies, 1):
            _write(f"{folder}/{path}/{number:05d}.dcm", content)


def _stamps(n_files: int, seed: int) -> list[list[list[Stamp]]]:
    """Studies of series of stamps, in the order of their paths."""
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        made = archive.Arguments(n_files, seed, matrix=MATRIX)
        rows = (row for study in archive.generate(made, out, workers=1) for row in study)
        paths = sorted(out / row["path"] for row in rows if row["kind"] == "regular")
        series = [
            [_stamp(path) for path in group] for _, group in itertools.groupby(paths, lambda p: p.parent)
        ]
        folders = [folder.parent for folder in sorted({path.parent for path in paths})]
    pairs = itertools.groupby(zip(folders, series, strict=True), lambda pair: pair[0])
    return [[stamps for _, stamps in study] for _, study in pairs]


def _stamp(path: Path) -> Stamp:
    content = path.read_bytes()
    read = pydicom.dcmread(BytesIO(content), specific_tags=list(UIDS), stop_before_pixels=True)
    return Stamp(content, *(_serials(content, str(read[keyword].value).encode()) for keyword in UIDS))


def _serials(content: bytes, uid: bytes) -> tuple[int, ...]:
    offsets, at = [], content.find(uid)
    while at >= 0:
        offsets.append(at + len(uid) - SERIAL_DIGITS)
        at = content.find(uid, at + 1)
    return tuple(offsets)


def _folders(
    studies: Iterable[list[list[Stamp]]], n_files: int, serials: Iterator[bytes], chance: random.Random
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Folders of series, and the files in each, until there are `n_files`."""
    for number, study in enumerate(studies, 1):
        study_serial = next(serials)
        for place, stamps in enumerate(study, 1):
            wanted = min(chance.randint(*FOLDER_FILES), n_files)
            if not wanted:
                return
            yield f"study-{number:06d}/series-{place:02d}", _copies(stamps, wanted, study_serial, serials)
            n_files -= wanted


def _copies(stamps: list[Stamp], wanted: int, study: bytes, serials: Iterator[bytes]) -> Iterator[bytes]:
    series = next(serials)
    for stamp in itertools.islice(itertools.cycle(stamps), wanted):
        yield stamp.copy(study, series, next(serials))


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def main() -> None:
    """Write a corpus, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder that is not there yet")
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    started = time.monotonic()
    make(arguments.out, arguments.files, arguments.seed)
    seconds = round(time.monotonic() - started, 2)
    print(json.dumps({"corpus": str(arguments.out), "files": arguments.files, "seconds": seconds}))


if __name__ == "__main__":
    main()
