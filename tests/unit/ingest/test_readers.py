"""What a task of an ingest reads, as the configuration bounds it; without Spark."""

import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from defaults import SETTINGS, TIMEOUT
from files import write_file
from filesystems import Spy

from dicomae.codes import Reason
from dicomae.header_tables.column_map import load_column_map
from dicomae.ingest import readers
from dicomae.lake.pieces import Piece
from dicomae.ledger.outcome import listing_rows
from dicomae.sources import uris
from dicomae.sources.listing import list_paths
from dicomae.sources.read_settings import ReadSettings


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A file, and an archive of three."""
    paths = [write_file(tmp_path / f"{i}.dcm", f"1.2.{i}") for i in range(3)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for path in paths:
            packed.write(path, path.name)
    return [str(paths[0]), str(tmp_path / "a.zip")]


def outcomes(paths: list[str], settings: ReadSettings) -> dict[str, str]:
    """Name → SOPInstanceUID or reason; `container` of an archive that was read."""
    listing = listing_rows(list_paths(pafs.LocalFileSystem(), paths, TIMEOUT).files)
    written = Path(paths[0]).with_suffix(".parquet")
    pq.write_table(pa.Table.from_batches([listing]), written)
    found = {}
    for read in readers.file_reader("/", settings)(Piece(written, 0, listing.num_rows)):
        names = [path.rpartition("/")[2] for path in read.listing["path"].to_pylist()]
        if read.headers is None:
            found |= dict.fromkeys(names, "container")
            continue
        uids = read.headers.headers["SOPInstanceUID"].to_pylist()
        found |= {names[i]: uid for i, uid in zip(read.headers.index.tolist(), uids, strict=True)}
        found |= {names[failure.index]: failure.reason for failure in read.headers.failures}
    return found


def test_files_and_members_are_read(files: list[str]) -> None:
    members = {f"a.zip!{i}.dcm": f"1.2.{i}" for i in range(3)}
    assert outcomes(files, SETTINGS) == {"0.dcm": "1.2.0", **members, "a.zip": "container"}


def test_an_archive_of_more_members_than_the_limit_is_a_bomb(files: list[str]) -> None:
    found = outcomes(files, replace(SETTINGS, archive_limit_members=2))
    assert (found["a.zip"], len(found)) == (Reason.ARCHIVE_BOMB, 4)


def test_an_archive_that_is_larger_inside_than_the_limit_is_a_bomb(files: list[str]) -> None:
    assert outcomes(files, replace(SETTINGS, archive_limit_bytes=100))["a.zip"] == Reason.ARCHIVE_BOMB


@pytest.mark.parametrize("which", ["0.dcm", "a.zip"])
def test_storage_that_does_not_answer_is_left_behind(
    files: list[str], monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    release = threading.Event()
    hangs = Spy(before_read=lambda name, start: name == which and release.wait(60))
    monkeypatch.setattr(uris, "open_filesystem", lambda uri: pafs.PyFileSystem(hangs))
    found = outcomes(files, replace(SETTINGS, read_timeout_seconds=0.3))
    release.set()
    expected = {"0.dcm": "1.2.0", "a.zip": "container", **{f"a.zip!{i}.dcm": f"1.2.{i}" for i in range(3)}}
    if which == "a.zip":
        expected = {"0.dcm": "1.2.0"}
    assert found == {**expected, which: Reason.TIMEOUT}


def test_a_header_table_that_does_not_answer_at_its_end_is_left_behind_and_its_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "t.parquet"
    pq.write_table(pa.table({"SOPInstanceUID": ["1.2.0", "1.2.1"], "Modality": ["CT", "MR"]}), table)
    (tmp_path / "map.toml").write_text("instance = 'SOPInstanceUID'\n[elements]\nModality = 'Modality'\n")
    columns = load_column_map(tmp_path / "map.toml")
    release = threading.Event()
    silent = Spy(before_asked=lambda name: release.wait(20))
    monkeypatch.setattr(uris, "open_filesystem", lambda uri: pafs.PyFileSystem(silent))
    settings = replace(SETTINGS, read_timeout_seconds=0.3)
    rows, end = readers.table_reader(columns, settings)(Piece(table, 0, 2))
    release.set()
    assert rows.headers is not None
    assert rows.headers.headers.num_rows == 2
    assert end.headers is not None
    assert end.listing.column("path").to_pylist() == [str(table)]
    assert [failure.reason for failure in end.headers.failures] == [Reason.TIMEOUT]
