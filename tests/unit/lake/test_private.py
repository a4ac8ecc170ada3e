"""What a process makes is its owner's alone; folders of killed processes go, those of living ones stay."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import HOME

from dicomae import config
from dicomae.lake import private
from dicomae.lake.private import PrivateFolder

HOLDING = """
import sys
from dicomae.lake.private import PrivateFolder
folder = PrivateFolder(sys.argv[1])
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _open_to_all() -> Iterator[None]:
    """The umask that lets all read all."""
    before = os.umask(0)
    yield
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("mode", "file", "folder"), [("owner", 0o600, 0o700), ("group", 0o640, 0o750), ("umask", 0o666, 0o777)]
)
def test_the_configuration_says_who_may_read(tmp_path: Path, mode: str, file: int, folder: int) -> None:
    private.restrict(replace(config.load(HOME / "conf" / "default.toml").storage, mode=mode))
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert (_mode(tmp_path / "file"), _mode(tmp_path / "folder")) == (file, folder)


def test_the_default_is_the_owner_alone() -> None:
    assert config.load(HOME / "conf" / "default.toml").storage.mode == "owner"


def test_reading_the_umask_leaves_it() -> None:
    assert [private.current_umask(), private.current_umask()] == [0, 0]


def test_a_private_folder_is_its_owners_and_goes_with_its_block() -> None:
    with private.private_folder() as folder:
        (folder / "spilt").touch()
        assert _mode(folder) == 0o700
    assert not folder.exists()


def test_only_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDING, str(tmp_path)]
    start = lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: E731
    with start() as killed, start() as living:
        left, held = (Path(process.stdout.readline().strip()) for process in (killed, living))  # type: ignore[union-attr]
        (left / "spilt").write_text("CANARY")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        mine = PrivateFolder(tmp_path)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / private._LOCK).touch()
        (tmp_path / "dicomae-link").symlink_to(elsewhere)
        (tmp_path / "dicomae-of-a-person").mkdir()
        private.remove_abandoned(tmp_path)
        found = {path.name for path in tmp_path.iterdir()}
        living.kill()
    assert found == {held.name, mine.path.name, "elsewhere", "dicomae-link", "dicomae-of-a-person"}
    assert elsewhere.exists()
    mine.remove()
