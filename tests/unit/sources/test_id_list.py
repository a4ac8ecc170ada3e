"""Files of identifiers, as people write them and as nobody should."""

import os
from pathlib import Path

import pytest

from dicomae.errors import UsageError
from dicomae.sources import id_list
from dicomae.sources.id_list import read_ids


def of(folder: Path, content: bytes) -> tuple[str, ...]:
    file = folder / "ids.txt"
    file.write_bytes(content)
    return read_ids(file, "--uid-file")


def refused(folder: Path, content: bytes) -> str:
    with pytest.raises(UsageError) as raised:
        of(folder, content)
    return str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        b"A\nB",
        b"A\nB\n",
        b"A\r\nB\r\n",
        b"A\rB\r",
        b"\xef\xbb\xbfA\nB\n",
        b"\n A \n\n\tB\x20\n\n",
        b"A\nB\nA\nB\n",
    ],
    ids=["no end", "LF", "CRLF", "CR", "BOM", "blanks", "twice"],
)
def test_each_line_is_an_identifier(tmp_path: Path, content: bytes) -> None:
    assert of(tmp_path, content) == ("A", "B")


def test_an_identifier_may_hold_anything_but_control_characters(tmp_path: Path) -> None:
    assert of(tmp_path, "Žuk 7^#'\"; --\n".encode()) == ("Žuk 7^#'\"; --",)


def test_a_million_lines(tmp_path: Path) -> None:
    lines = "\n".join(f"1.2.{i}" for i in range(1_000_000))
    found = of(tmp_path, lines.encode())
    assert (len(found), found[-1]) == (1_000_000, "1.2.999999")


@pytest.mark.parametrize("content", [b"", b"\n\r\n  \n", b"\xef\xbb\xbf"], ids=["nothing", "blanks", "BOM"])
def test_a_file_without_identifiers(tmp_path: Path, content: bytes) -> None:
    assert refused(tmp_path, content) == (
        f"--uid-file {tmp_path / 'ids.txt'}: holds no identifier; write one in each line"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"QQ\n\xff\xfe\n", "line 2 is no UTF-8"),
        ("QQ\nQ\n".encode("utf-16"), "line 1 is no UTF-8"),
        ("QQ\nQ\n".encode("utf-16-le"), "line 1 holds a control character"),
        (b"QQ\nQ\0Q\n", "line 2 holds a control character"),
        (b"QQ\tQ\n", "line 1 holds a control character"),
        (b"QQ\n" + b"Q" * (id_list.LONGEST + 1), "line 2 has more than 1024 characters"),
    ],
)
def test_a_line_that_is_none_is_told_by_its_number(tmp_path: Path, content: bytes, words: str) -> None:
    told = refused(tmp_path, content)
    assert f"ids.txt: {words}" in told
    assert "Q" not in told.partition("ids.txt")[2]


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "locked").write_text("A")
    (tmp_path / "large").write_text("AB\n")
    monkeypatch.setattr(id_list, "LARGEST_FILE", 2)

    def locked(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    for name, words in (
        ("none", "no such file"),
        ("none/ids.txt", "no such file"),
        (".", "is no file"),
        ("pipe", "is no file"),
        ("large", "is larger than"),
        ("large/ids.txt", "cannot be read: Not a directory"),
    ):
        with pytest.raises(UsageError, match=words):
            read_ids(tmp_path / name, "--uid-file")
    monkeypatch.setattr(Path, "read_bytes", locked)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        read_ids(tmp_path / "locked", "--uid-file")
