from collections import deque

import pytest

from dicomae.ingest.discovery import _taken
from dicomae.sources.listing import Folder
from dicomae.sources.local_folders import LINKED


@pytest.mark.parametrize(
    ("folders", "most", "taken"),
    [
        ([Folder("new", 0, None)] * 100, 1000, 64),
        ([Folder("linked", 0, LINKED)] * 100, 1000, 64),
        ([Folder("known", 40_000, "1:2")] * 9, 1000, 2),
        ([Folder("in doubt", 40_000, "")] * 9, 1000, 2),
        ([Folder("large", 10**6, "1:2")] * 9, 1000, 1),
        ([Folder("of folders", 0, "1:2")] * 5000, 1000, 1000),
        ([Folder("of folders", 0, "1:2")] * 5, 1000, 5),
        ([], 1000, 0),
    ],
)
def test_folders_are_listed_together_by_the_files_that_they_may_hold(
    folders: list[Folder], most: int, taken: int
) -> None:
    left = deque(folders)
    assert list(_taken(left, most)) == folders[:taken]
    assert len(left) == len(folders) - taken
