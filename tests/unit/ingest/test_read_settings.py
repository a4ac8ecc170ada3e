"""What a configuration says of reading reaches every way on which files are listed."""

import threading
import time
from argparse import Namespace
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from conftest import HOME
from files import write_dicomdir, write_file
from filesystems import Spy

from dicomae import config
from dicomae.codes import Reason
from dicomae.errors import UsageError
from dicomae.ingest import origins
from dicomae.ledger.listings import ListingRequest
from dicomae.sources import uris
from dicomae.sources.read_settings import ReadSettings

INGEST = replace(config.load(HOME / "conf" / "default.toml").ingest, read_timeout_seconds=0.3)


@dataclass
class Counted:
    """A counter of one process."""

    value: int = 0

    def add(self, term: int) -> None:
        self.value += term


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A source that says nothing of `IM1`, and gives no byte of `files.csv`."""
    write_file(tmp_path / "IM1", "1.2.1")
    (tmp_path / "files.csv").write_text("path\nIM1\n")
    write_dicomdir(tmp_path / "DICOMDIR", [["IM1"]])
    release = threading.Event()
    spy = Spy(
        before_asked=lambda name: name == "IM1" and release.wait(20),
        before_read=lambda name, start: name == "files.csv" and release.wait(20),
    )
    filesystem = pafs.PyFileSystem(spy)
    monkeypatch.setattr(uris, "open_source", lambda uri: (filesystem, uri))
    monkeypatch.setattr(uris, "open_file", lambda uri: (filesystem, uri))
    monkeypatch.setattr(uris, "open_either", lambda uri: (filesystem, uri, True))
    yield tmp_path
    release.set()


def listed(folder: Path, source: Path, inventory: Path | None = None) -> list[dict[str, str]]:
    """Rows of the listing, which takes no longer than it may."""
    given = {"source": str(source), "inventory": inventory and str(inventory), "table": None, "columns": None}
    origin = origins.of(Namespace(**given), INGEST)
    began = time.monotonic()
    whole = origin.list_files(None, ListingRequest(folder, Counted(), INGEST.read_timeout_seconds))
    assert time.monotonic() - began < 10
    return [row for path in whole.paths for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("name", ["IM1", "DICOMDIR"])
def test_a_listed_file_that_gives_no_answer_is_a_failure(silent: Path, name: str) -> None:
    (row,) = listed(silent, silent / name)
    assert (row["path"], row["reason"]) == (f"{silent}/IM1", Reason.TIMEOUT)


def test_an_inventory_that_gives_no_answer_is_explained(silent: Path) -> None:
    with pytest.raises(UsageError, match=r"files\.csv: no answer within 0\.3 s"):
        listed(silent, silent, silent / "files.csv")


def test_each_setting_is_that_of_its_key() -> None:
    settings = ReadSettings.of(replace(INGEST, header_limit_bytes=2048, flatten_sequences=("OtherSequence",)))
    assert (settings.header_limit_bytes, settings.flatten_sequences) == (2048, ("OtherSequence",))
    assert settings.read_timeout_seconds == 0.3


@pytest.mark.parametrize("field", [field.name for field in fields(ReadSettings)])
def test_no_setting_has_a_default_in_code(field: str) -> None:
    values = {name: getattr(INGEST, name) for name in ReadSettings.__annotations__ if name != field}
    with pytest.raises(TypeError, match=field):
        ReadSettings(**values)
