"""Tar archives: what other archivers write is read, and no header costs more than its own bytes."""

import gzip
import io
import resource
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from defaults import SETTINGS
from files import write_file

from dicomae.codes import Reason
from dicomae.sources import archives, tar_headers, tar_members
from dicomae.sources.members import Bomb, Budget, Damaged
from dicomae.sources.tar_headers import BLOCK, Extended

LOCAL = pafs.LocalFileSystem()
MEBIBYTE = 1 << 20
END = bytes(2 * BLOCK)


def block(name: bytes, kind: bytes, size: int, mtime: int = 0) -> bytes:
    """A header as POSIX draws it."""
    raw = bytearray(BLOCK)
    raw[: len(name)] = name
    raw[124:136] = b"%011o\0" % size
    raw[136:148] = b"%011o\0" % mtime
    raw[156:157] = kind
    raw[257:265] = b"ustar\x0000"
    return summed(raw)


def summed(raw: bytearray) -> bytes:
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def member(name: bytes, content: bytes, kind: bytes = b"0") -> bytes:
    return block(name, kind, len(content)) + content + bytes(-len(content) % BLOCK)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    return member(b"././@PaxHeader", b"".join(record(*each) for each in records), kind)


def record(keyword: bytes, value: bytes) -> bytes:
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest) + 1
    while length != len(b"%d" % length) + len(rest):
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


@pytest.fixture
def one(tmp_path: Path) -> bytes:
    return write_file(tmp_path / "one.dcm", "1.2.1").read_bytes()


@pytest.fixture
def two(tmp_path: Path) -> bytes:
    return write_file(tmp_path / "two.dcm", "1.2.2").read_bytes()


def outcomes(folder: Path, raw: bytes, kind: str = ".tar") -> dict[str, str]:
    """Member (or `itself`) → SOPInstanceUID or reason."""
    path = folder / f"a{kind}"
    path.write_bytes(raw if kind == ".tar" else gzip.compress(raw))
    found = {}
    for rows, headers in archives.read_archive(LOCAL, str(path), SETTINGS):
        names = [name.partition("!")[2] or "itself" for name in rows["path"].to_pylist()]
        uids = headers.headers["SOPInstanceUID"].to_pylist()
        found |= {names[i]: uid for i, uid in zip(headers.index.tolist(), uids, strict=True)}
        found |= {names[failure.index]: failure.reason for failure in headers.failures}
    return found


both = pytest.mark.parametrize("kind", [".tar", ".tgz"])


@both
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_format_gives_the_names_sizes_and_times_that_tarfile_gives(
    tmp_path: Path, one: bytes, kind: str, form: int
) -> None:
    names = ["a.dcm", "d/" * 20 + "b.dcm", "é/ü.dcm"]
    if form != tarfile.USTAR_FORMAT:
        names += ["e/" * 200 + "c.dcm", "f" * 300]
    path = tmp_path / f"a{kind}"
    with tarfile.open(path, "w" if kind == ".tar" else "w:gz", format=form) as file:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = (
                len(one),
                1_700_000_000 + number * (0.5 if form == tarfile.PAX_FORMAT else 1),
            )
            file.addfile(info, io.BytesIO(one))
    ((rows, headers),) = archives.read_archive(LOCAL, str(path), SETTINGS)
    with tarfile.open(path) as file:
        infos = file.getmembers()
    assert rows["path"].to_pylist() == [f"{path}!{info.name}" for info in infos]
    assert rows["size"].to_pylist() == [info.size for info in infos]
    assert [t.timestamp() for t in rows["mtime"].to_pylist()] == [info.mtime for info in infos]
    assert headers.headers["SOPInstanceUID"].to_pylist() == ["1.2.1"] * len(names)


@both
def test_what_old_archivers_wrote_is_read(tmp_path: Path, one: bytes, two: bytes, kind: str) -> None:
    v7 = bytearray(block(b"v7.dcm", b"\0", len(one)))
    v7[257:] = bytes(BLOCK - 257)
    folder = block(b"folder/", b"\0", 0)
    base_256 = bytearray(block(b"gnu.dcm", b"0", 0))
    base_256[124:136] = b"\x80" + len(two).to_bytes(11, "big")
    signed = bytearray(block("é.dcm".encode(), b"7", len(two)))
    signed[148:156] = b"%06o\0 " % (sum(signed[:148] + signed[156:]) + 256 - 2 * 256)
    padded = [content + bytes(-len(content) % BLOCK) for content in (one, two, two)]
    headers = [summed(v7), folder + summed(base_256), bytes(signed)]
    raw = b"".join(a + b for a, b in zip(headers, padded, strict=True)) + END
    assert outcomes(tmp_path, raw, kind) == {"v7.dcm": "1.2.1", "gnu.dcm": "1.2.2", "é.dcm": "1.2.2"}


@both
def test_a_record_for_all_holds_until_a_member_says_otherwise(
    tmp_path: Path, one: bytes, two: bytes, kind: str
) -> None:
    raw = pax((b"path", b"all.dcm"), (b"comment", b"x"), kind=b"g") + member(b"a", one)
    raw += pax((b"path", b"own.dcm")) + member(b"b", two) + END
    assert outcomes(tmp_path, raw, kind) == {"all.dcm": "1.2.1", "own.dcm": "1.2.2"}


@both
@pytest.mark.parametrize("link", [b"1", b"2"])
def test_links_have_a_row_and_one_that_holds_a_file_is_read(
    tmp_path: Path, one: bytes, two: bytes, kind: str, link: bytes
) -> None:
    raw = member(b"before", one) + block(b"link", link, 0) + member(b"flagged", two, link)
    raw += (
        block(b"sized", link, 4096) + member(b"text", b"/elsewhere" * 60, link) + member(b"after", one) + END
    )
    assert outcomes(tmp_path, raw, kind) == {
        "before": "1.2.1",
        "link": Reason.NOT_A_FILE,
        "flagged": "1.2.2",
        "sized": Reason.NOT_A_FILE,  # the size of the file that it leads to, as old archivers wrote it
        "text": Reason.NOT_A_FILE,
        "after": "1.2.1",
    }


@both
def test_a_folder_that_holds_a_file_is_read_and_one_with_a_quota_is_none(
    tmp_path: Path, one: bytes, two: bytes, kind: str
) -> None:
    raw = member(b"flagged/", one, b"5") + block(b"quota/", b"5", 4096) + member(b"after", two) + END
    assert outcomes(tmp_path, raw, kind) == {"flagged": "1.2.1", "after": "1.2.2"}


@both
def test_a_sparse_member_is_refused_with_a_reason_and_harms_no_other(
    tmp_path: Path, one: bytes, kind: str
) -> None:
    """GNU's map in the header and in blocks of its own, with 2^40 bytes of zeros; and the maps of PAX."""
    old = bytearray(block(b"old", b"S", BLOCK))
    old[386:398], old[398:410] = b"%011o\0" % 0, b"%011o\0" % BLOCK
    old[482], old[483:495] = 1, b"\x80" + (1 << 40).to_bytes(11, "big")
    more = bytearray(BLOCK)
    more[504] = 1
    raw = summed(old) + bytes(more) + bytes(BLOCK) + one.ljust(BLOCK, b"\0")
    entries = b",".join(b"%d,1" % (n << 30) for n in range(800))
    raw += pax((b"GNU.sparse.map", entries), (b"GNU.sparse.size", b"%d" % (1 << 42))) + member(b"0.1", one)
    told = ((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"1.0"))
    raw += pax(*told) + member(b"GNUSparseFile.1/1.0", one) + member(b"after", one) + END
    sparse = dict.fromkeys(("old", "0.1", "1.0"), Reason.UNREADABLE)
    assert outcomes(tmp_path, raw, kind) == {**sparse, "after": "1.2.1"}


# Each of these cost `tarfile` 0.4 to 3.2 GiB, minutes, or both.
HOSTILE = {
    "keywords to the end": b"5 aa\n" * 30_000 + b"=",
    "lengths to the end": b"".join(b"%d a=" % 10**n + b"1" * 4 for n in range(3, 9)),
    "one keyword": b"99999999 path=" + b"x" * 400,
    "digits": b"9" * 258,
    "many digits": b"1" * 100_000 + b" path=x\n",
    "negative": b"-5 path=x\n",
    "nothing": b"0 path=x\n" * 40,
    "to itself": b"1 path=x\n" * 40,
    "no equals sign": record(b"path", b"x").replace(b"=", b" "),
    "no keyword": b"6 =ab\n",
    "no newline": b"9 path=xy",
    "number": record(b"size", b"1" * 5_000) + record(b"mtime", b"1" * 5_000),
    "time": record(b"mtime", b"1e999999999") + record(b"mtime", b"nan"),
    "encodings": record(b"hdrcharset", b"utf-16") * 1_000,
    "zeros": bytes(9_000),
}


@both
@pytest.mark.parametrize("name", HOSTILE)
def test_an_extended_header_that_breaks_its_format_costs_nothing_and_its_member_is_read(
    tmp_path: Path, one: bytes, two: bytes, kind: str, name: str
) -> None:
    hostile = member(b"././@PaxHeader", HOSTILE[name], b"x") + member(b"a.dcm", one)
    raw = hostile + member(b"b.dcm", two) + END
    tracemalloc.start()
    found = outcomes(tmp_path, raw, kind)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == {"a.dcm": "1.2.1", "b.dcm": "1.2.2"}
    assert most < 16 * MEBIBYTE


def test_no_byte_of_records_is_looked_at_twice() -> None:
    """Nor is a header read that is longer than a length can be."""

    class Counted(bytes):
        seen = 0

        def __getitem__(self, place: slice) -> bytes:  # type: ignore[override]
            part = super().__getitem__(place)
            Counted.seen += len(part)
            return part

    for data in (*HOSTILE.values(), record(b"path", b"x" * 50_000) * 9, record(b"a", b"b") * 9_000):
        Counted.seen = 0
        assert isinstance(tar_headers.extended(b"x"[0], Counted(data)), Extended)
        assert Counted.seen <= 4 * len(data) + 16


@both
def test_extended_headers_without_end_are_a_bomb(tmp_path: Path, one: bytes, kind: str) -> None:
    one_too_many = [member(b"long", b"n", b"L")] * (tar_members.MAXIMUM_EXTENDED + 1)
    for raw in (
        b"".join(one_too_many),
        *(member(b"", b"n" * (MEBIBYTE + 1), each) for each in (b"L", b"x", b"g")),
    ):
        assert outcomes(tmp_path, member(b"before", one) + raw + member(b"a", one) + END, kind) == {
            "before": "1.2.1",
            "itself": Reason.ARCHIVE_BOMB,
        }


@both
def test_a_name_without_end_is_cut_and_costs_its_member(tmp_path: Path, one: bytes, kind: str) -> None:
    long = b"n" * 40_000
    raw = member(b"", long, b"L") + member(b"a", one) + pax((b"path", long)) + member(b"b", one)
    found = outcomes(tmp_path, raw + member(b"after", one) + END, kind)
    name = "n" * tar_headers.LONGEST_NAME
    assert found == dict.fromkeys((name, f"{name}!2"), Reason.ARCHIVE_DAMAGED) | {"after": "1.2.1"}


@both
@pytest.mark.parametrize(
    "size", [b"\xff" * 12, b"\x80" + b"\xff" * 11, b"12345678\0\0\0\0", b"0o17\0" + bytes(7)]
)
def test_a_size_that_is_none_ends_the_archive(tmp_path: Path, one: bytes, kind: str, size: bytes) -> None:
    wrong = bytearray(block(b"wrong", b"0", 0))
    wrong[124:136] = size
    raw = member(b"before", one) + summed(wrong) + member(b"after", one) + END
    assert outcomes(tmp_path, raw, kind) == {"before": "1.2.1", "itself": Reason.ARCHIVE_DAMAGED}


@both
def test_a_size_beyond_the_end_is_that_of_a_member_that_is_cut(tmp_path: Path, one: bytes, kind: str) -> None:
    raw = pax((b"size", b"%d" % tar_headers.LARGEST)) + member(b"cut", one)
    assert outcomes(tmp_path, raw, kind) == {"cut": "1.2.1", "itself": Reason.ARCHIVE_DAMAGED}


def test_a_map_without_end_is_a_bomb() -> None:
    header = bytearray(block(b"sparse", b"S", 0))
    header[482] = 1
    more = bytearray(BLOCK)
    more[504] = 1
    budget = Budget(SETTINGS, 1)
    with pytest.raises(Bomb, match="a map of a sparse member"):
        list(tar_members._members(io.BytesIO(summed(header) + bytes(more) * 3_000), budget, None))


def test_what_passes_of_a_compressed_archive_is_charged_once() -> None:
    budget = Budget(replace(SETTINGS, archive_limit_bytes=10**9), 1)
    stream = tar_members._Forward(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(bytes(9_000)))), budget)
    assert stream.read(2 * BLOCK) == bytes(2 * BLOCK)
    assert stream.seek(BLOCK) == BLOCK
    assert stream.read(BLOCK) == bytes(BLOCK)
    assert (budget.spent, stream.seek(8_000), budget.spent) == (2 * BLOCK, 8_000, 8_000)
    with pytest.raises(Damaged):
        stream.seek(BLOCK)


_READS = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import pyarrow.fs as pafs
from defaults import SETTINGS
from dicomae.sources import archives
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(Path(sys.argv[1]).iterdir()):
    for rows, headers in archives.read_archive(pafs.LocalFileSystem(), str(path), SETTINGS):
        print(path.name, rows.num_rows, len(headers.failures))
print("grew by", (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10, "MiB", file=sys.stderr)
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 << 10
"""


def _hostile_archives(one: bytes) -> Iterator[tuple[str, bytes]]:
    """Kilobytes that `tarfile` made gigabytes or minutes of, as they were found."""
    yield "keywords", member(b"", HOSTILE["keywords to the end"], b"x") + member(b"a", one) + END
    yield "digits", member(b"", b"1" * 60_000, b"x") + member(b"a", one) + END
    yield "spread", b"".join(member(b"", b"9" * 500, b"g") for _ in range(60)) + member(b"a", one) + END
    hole = record(b"GNU.sparse.offset", b"0") + record(b"GNU.sparse.numbytes", b"1")
    told = record(b"GNU.sparse.size", b"9" * 15) + record(b"GNU.sparse.numblocks", b"20000")
    yield "sparse", member(b"", told + hole * 20_000, b"x") + member(b"a", one) + END
    yield "names", b"".join(member(b"", b"n" * 30_000, b"L") + member(b"a", one) for _ in range(999)) + END
    yield "folders", block(b"f", b"5", 0) * 60_000 + END


@pytest.mark.parametrize("kind", [".tgz"])
def test_a_few_hostile_kilobytes_cost_a_process_neither_memory_nor_time(
    tmp_path: Path, one: bytes, kind: str
) -> None:
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name, raw in _hostile_archives(one):
        (folder / f"{name}{kind}").write_bytes(gzip.compress(raw))
    command = [sys.executable, "-c", _READS, str(folder), str(Path(__file__).parents[2])]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    assert {line.split()[0] for line in ran.stdout.splitlines()} >= {
        "keywords.tgz",
        "sparse.tgz",
        "names.tgz",
    }
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0
