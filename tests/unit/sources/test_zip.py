"""Zip archives: an entry that breaks the format harms no other, and costs no more than its own bytes."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from defaults import SETTINGS
from files import write_file

from dicomae.codes import Reason
from dicomae.sources import archives, members, zip_members
from dicomae.sources.range_file import RangeFile, take
from dicomae.sources.read_settings import ReadSettings

LOCAL = pafs.LocalFileSystem()
Content = list[tuple[bytes, bytes]]


@pytest.fixture
def one(tmp_path: Path) -> bytes:
    return write_file(tmp_path / "one.dcm", "1.2.1").read_bytes()


def outcomes(path: Path, settings: ReadSettings = SETTINGS) -> dict[str, str]:
    """Member (or `itself`) → SOPInstanceUID or reason."""
    found = {}
    for rows, headers in archives.read_archive(LOCAL, str(path), settings):
        names = [name[len(str(path)) + 1 :] if "!" in name else "itself" for name in rows["path"].to_pylist()]
        uids = headers.headers["SOPInstanceUID"].to_pylist()
        found |= {names[i]: uid for i, uid in zip(headers.index.tolist(), uids, strict=True)}
        found |= {names[failure.index]: failure.reason for failure in headers.failures}
    return found


class Zip:
    """A zip that is written field by field, as APPNOTE.TXT draws it; no library writes such entries."""

    def __init__(self) -> None:
        self.body, self.directory, self.n = b"", b"", 0

    def add(
        self,
        name: bytes,
        content: bytes,
        *,
        flags: int = 0,
        version: int = 20,
        extra: bytes = b"",
        local: bytes | None = None,
        attributes: int = 0,
        sizes: tuple[int, int, int] | None = None,
        method: int = 8,
    ) -> "Zip":
        packed = content
        if method == 8:
            deflate = zlib.compressobj(wbits=-15)
            packed = deflate.compress(content) + deflate.flush()
        crc, at = zlib.crc32(content), len(self.body)
        stored, size, offset = sizes or (len(packed), len(content), at)
        local = name if local is None else local
        about = struct.pack("<4H3L", flags, method, 0, 33, crc, len(packed), len(content))
        self.body += (
            b"PK\3\4" + bytes((version, 0)) + about + struct.pack("<2H", len(local), 0) + local + packed
        )
        about = struct.pack("<4H3L", flags, method, 0, 33, crc, stored, size)
        self.directory += b"PK\1\2" + bytes((version, 3, version, 0)) + about
        self.directory += struct.pack("<5H2L", len(name), len(extra), 0, 0, 0, attributes << 16, offset)
        self.directory += name + extra
        self.n += 1
        return self

    def write(self, path: Path, before: bytes = b"", comment: bytes = b"") -> Path:
        end = struct.pack(
            "<4s4H2LH", b"PK\5\6", 0, 0, self.n, self.n, len(self.directory), len(self.body), len(comment)
        )
        path.write_bytes(before + self.body + self.directory + end + comment)
        return path


def _between(one: bytes, odd: Callable[[Zip], object], path: Path) -> dict[str, str]:
    """What becomes of an archive with an odd member between two good ones."""
    made = Zip().add(b"a", one)
    odd(made)
    return outcomes(made.add(b"z", one).write(path))


IN_EXTRA = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("odd", "outcome"),
    [
        (lambda z, one: z.add(b"", one), {"": "1.2.1"}),
        (lambda z, one: z.add(b"\0name", one), {"": "1.2.1"}),
        (lambda z, one: z.add(b"folder/", one), {"folder": "1.2.1"}),
        (lambda z, one: z.add(b"/", one), {"": "1.2.1"}),
        (lambda z, one: z.add(b"folder/", b""), {}),
        (lambda z, one: z.add(b"caf\xe9", one, flags=0x800), {"caf\\xe9": "1.2.1"}),
        (lambda z, one: z.add(b"caf\x82", one), {"café": "1.2.1"}),
        (lambda z, one: z.add("café".encode(), one, flags=0x800), {"café": "1.2.1"}),
        (lambda z, one: z.add(b"b", one, local=b"\xff\xff another"), {"b": "1.2.1"}),
        (lambda z, one: z.add(b"b", one, version=99), {"b": "1.2.1"}),
        (lambda z, one: z.add(b"b", one, extra=b"\1\0\xff\xff"), {"b": "1.2.1"}),
        (lambda z, one: z.add(b"b", one, extra=b"\x75\x70\x05"), {"b": "1.2.1"}),
        (lambda z, one: z.add(b"b", one, sizes=(IN_EXTRA, 9, 0)), {"b": Reason.ARCHIVE_DAMAGED}),
        (lambda z, one: z.add(b"b", one, sizes=(9, 9, 1 << 30)), {"b": Reason.ARCHIVE_DAMAGED}),
        (lambda z, one: z.add(b"b", one, sizes=(9, len(one), 0)), {"b": Reason.ARCHIVE_DAMAGED}),
        (lambda z, one: z.add(b"b", one, flags=0x20), {"b": Reason.UNREADABLE}),
        (lambda z, one: z.add(b"b", one, method=99), {"b": Reason.UNREADABLE}),
        (lambda z, one: z.add(b"b", one, method=0), {"b": "1.2.1"}),
        (lambda z, one: z.add(b"b", b""), {"b": Reason.EMPTY}),
        (lambda z, one: z.add(b"b", one, attributes=stat.S_IFLNK | 0o777), {"b": "1.2.1"}),
        (lambda z, one: z.add(b"b", b"../c", attributes=stat.S_IFLNK | 0o777), {"b": Reason.NOT_A_FILE}),
        (lambda z, one: z.add(b"b", b"", attributes=stat.S_IFLNK | 0o777), {"b": Reason.NOT_A_FILE}),
    ],
)
def test_an_odd_member_harms_no_other(
    tmp_path: Path, one: bytes, odd: Callable[[Zip, bytes], Zip], outcome: dict[str, str]
) -> None:
    found = _between(one, lambda made: odd(made, one), tmp_path / "a.zip")
    assert found == {"a": "1.2.1", **outcome, "z": "1.2.1"}


def test_members_before_a_broken_directory_are_read(tmp_path: Path, one: bytes) -> None:
    made = Zip().add(b"a", one).add(b"b", one)
    made.directory = made.directory[:-47] + bytes(47)
    assert outcomes(made.write(tmp_path / "a.zip")) == {"a": "1.2.1", "itself": Reason.ARCHIVE_DAMAGED}


def test_a_zip_behind_something_else_and_before_a_comment_is_found(tmp_path: Path, one: bytes) -> None:
    made = Zip().add(b"a", one)
    for before, comment in ((b"#!/bin/sh\n" * 99, b""), (b"", b"made by hand"), (b"x", b"\0" * 60_000)):
        assert outcomes(made.write(tmp_path / "a.zip", before, comment)) == {"a": "1.2.1"}


def test_sizes_and_places_beyond_32_bits_stand_in_an_extra_field(
    tmp_path: Path, one: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `zipfile` writes them."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for name in "abc":
            file.writestr(name, one)
    assert b"PK\6\6" in (tmp_path / "a.zip").read_bytes()
    assert outcomes(tmp_path / "a.zip") == dict.fromkeys("abc", "1.2.1")


def test_members_that_lie_over_each_other_are_charged_for_what_is_read_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty deflated blocks become nothing, and each member reads them all."""
    monkeypatch.setattr(members, "FREE_BYTES", 1 << 20)
    blocks = b"\0\0\0\xff\xff" * 40_000
    made = Zip().add(b"0", b"")
    made.body = made.body[: 30 + 1] + blocks
    for number in range(1, 50):
        made.add(b"%d" % number, b"", sizes=(len(blocks), 9, 0))
    found = outcomes(made.write(tmp_path / "a.zip"), replace(SETTINGS, archive_limit_ratio=1))
    assert list(found.values()).count(Reason.ARCHIVE_BOMB) >= 40


def test_no_directory_is_read_that_is_longer_than_its_file(tmp_path: Path, one: bytes) -> None:
    raw = bytearray(Zip().add(b"a", one).write(tmp_path / "a.zip").read_bytes())
    struct.pack_into("<L", raw, len(raw) - 10, 1 << 20)
    (tmp_path / "a.zip").write_bytes(raw)
    assert outcomes(tmp_path / "a.zip") == {"itself": Reason.ARCHIVE_DAMAGED}


def test_content_is_given_as_zipfile_gives_it(tmp_path: Path) -> None:
    content = bytes(range(256)) * 4_000
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("deflated", content, zipfile.ZIP_DEFLATED)
        file.writestr("stored", content, zipfile.ZIP_STORED)
    opened = RangeFile(LOCAL, str(tmp_path / "a.zip"), lambda call: call())
    found = list(zip_members.members(opened, members.Budget(SETTINGS, 1)))
    streams = [member.open() for member in found if member.open]
    halves = [[take(stream, 300_000) for stream in streams] for _ in range(5)]
    assert [b"".join(parts) for parts in zip(*halves, strict=True)] == [content, content]
