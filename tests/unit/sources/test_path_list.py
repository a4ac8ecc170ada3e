"""Paths from standard input."""

import io

import pytest

from dicomae.errors import UsageError
from dicomae.sources import path_list


def read(data: bytes) -> list[str]:
    return [path for batch in path_list.read_paths(io.BytesIO(data)) for path in batch]


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"", []),
        (b"/a\n/b", ["/a", "/b"]),
        (b"/a\r\n\r\n\n/b c \n", ["/a", "/b c "]),
        (b"/a\0/b\nc\0\0/d\r", ["/a", "/b\nc", "/d\r"]),
        (b"/caf\xe9\n/caf\xc3\xa9\n", ["/caf\\xe9", "/café"]),
    ],
)
def test_paths_are_lines_or_end_with_nul(data, paths):
    assert read(data) == paths


@pytest.mark.parametrize("separator", [b"\n", b"\0"])
def test_many_paths_come_in_batches_of_a_bounded_number(separator):
    paths = [f"/pacs/{'x' * (i % 97)}/{i}.dcm" for i in range(70_000)]
    data = separator.join(path.encode() for path in paths)
    batches = list(path_list.read_paths(io.BytesIO(data)))
    assert [path for batch in batches for path in batch] == paths
    assert max(map(len, batches)) == path_list.BATCH_PATHS


def test_a_stream_without_an_end_of_line_is_refused_before_it_fills_the_memory():
    class Endless(io.RawIOBase):
        given = 0

        def read(self, n=-1):
            self.given += n
            return b"x" * n

    stream = Endless()
    with pytest.raises(UsageError, match="one path a line"):
        list(path_list.read_paths(stream))
    assert stream.given < 1 << 20
