"""Sources on S3, against a real HTTP server that speaks it."""

import gzip
import importlib.util
import json
import struct
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from defaults import SETTINGS, TIMEOUT
from files import write_file
from filesystems import Spy
from s3server import serving

from dicomae.codes import Reason
from dicomae.errors import UsageError
from dicomae.sources import archives, inventory, uris
from dicomae.sources.folders import list_folders
from dicomae.sources.reading import read_headers

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("moto") is None, reason="moto is not installed: pip install -e .[dev]"
)
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def query() -> Iterator[str]:
    """What a URI needs to reach the server."""
    with serving() as address:
        yield f"endpoint_override={address}&scheme=http&region=us-east-1&allow_bucket_creation=true"


@pytest.fixture
def uri(query: str) -> str:
    """An empty bucket."""
    address = query.partition("=")[2].partition("&")[0]
    urllib.request.urlopen(urllib.request.Request(f"http://{address}/moto-api/reset", method="POST")).close()
    uri = f"s3://key:secret@pacs?{query}"
    pafs.FileSystem.from_uri(uri)[0].create_dir("pacs")
    return uri


def put(uri: str, contents: dict[str, bytes]) -> pafs.FileSystem:
    filesystem, _ = pafs.FileSystem.from_uri(uri)
    for key, content in contents.items():
        with filesystem.open_output_stream(f"pacs/{key}", compression=None) as file:
            file.write(content)
    return filesystem


def instance(folder: Path, uid: str, pixels: int = 0, **elements: object) -> bytes:
    content = write_file(folder / "one.dcm", uid, **elements).read_bytes()
    image = content.rindex(b"\xe0\x7f\x10\0")
    return content[:image] + struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, pixels) + bytes(pixels)


def test_a_bucket_is_listed_folder_by_folder_and_read(uri, tmp_path):
    contents = {
        f"{name}.dcm": instance(tmp_path, f"1.2.{i}") for i, name in enumerate(("a", "sub/b", "ü +%"))
    }
    put(uri, contents)
    filesystem, top = uris.open_source(uri)
    found = list_folders(filesystem, [top], TIMEOUT)
    assert found.folders == ("pacs/sub",)
    assert found.files["path"].to_pylist() == ["pacs/a.dcm", "pacs/ü +%.dcm"]
    assert found.files["size"].to_pylist() == [len(contents["a.dcm"]), len(contents["ü +%.dcm"])]
    assert found.files["mtime"].null_count == 0
    assert uris.path_prefix(uri) + found.files["path"][0].as_py() == "s3://pacs/a.dcm"
    paths = ["pacs/a.dcm", "pacs/gone.dcm", "pacs/sub/b.dcm"]
    (read,) = read_headers(filesystem, paths, [None] * 3, SETTINGS)
    uids = dict(zip(read.index.tolist(), read.headers["SOPInstanceUID"].to_pylist(), strict=True))
    assert uids == {0: "1.2.0", 2: "1.2.1"}
    assert [(f.index, f.reason) for f in read.failures] == [(1, Reason.MISSING)]


def test_a_bucket_that_is_not_there_is_explained_without_the_secret(uri):
    with pytest.raises(UsageError, match=r"^s3://gone: no such folder") as raised:
        uris.open_source(uri.replace("pacs?", "gone?"))
    assert "secret" not in str(raised.value)


def test_of_an_object_the_header_is_read_and_not_the_pixels(uri, tmp_path):
    contents = {
        "short": instance(tmp_path, "1.2.0", 4 * MEBIBYTE),
        "long": instance(tmp_path, "1.2.1", 4 * MEBIBYTE, TextValue="x" * 60_000, ImageComments="y" * 9_000),
    }
    spy = Spy(opener=put(uri, contents).open_input_file)
    paths = ["pacs/short", "pacs/long"]
    (read,) = read_headers(pafs.PyFileSystem(spy), paths, [None, None], SETTINGS)
    assert sorted(read.index.tolist()) == [0, 1]
    for name, content in contents.items():
        assert spy.bytes_of(name) <= content.rindex(b"\xe0\x7f\x10\0OW") + (64 << 10)
    assert sorted(name for name, _, _ in spy.reads) == ["long", "long", "short"]


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_an_archive_in_a_bucket_is_read_inside(uri, tmp_path, kind):
    import tarfile
    import zipfile

    path = tmp_path / f"a.{kind}"
    (tmp_path / "1.dcm").write_bytes(instance(tmp_path, "1.2.1", 3 * MEBIBYTE))
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(tmp_path / "1.dcm", "1.dcm")
    else:
        with tarfile.open(path, "w:gz" if kind == "tgz" else "w") as file:
            file.add(tmp_path / "1.dcm", "1.dcm")
    filesystem = put(uri, {path.name: path.read_bytes()})
    ((rows, headers),) = archives.read_archive(filesystem, f"pacs/{path.name}", SETTINGS)
    assert rows["path"].to_pylist() == [f"pacs/a.{kind}!1.dcm"]
    assert headers.headers["SOPInstanceUID"].to_pylist() == ["1.2.1"]
    (gone,) = archives.read_archive(filesystem, f"pacs/gone.{kind}", SETTINGS)
    assert [failure.reason for failure in gone[1].failures] == [Reason.MISSING]


def test_an_s3_inventory_is_read_from_its_bucket(uri, tmp_path):
    manifest = {
        "destinationBucket": "arn:aws:s3:::pacs",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, ETag",
        "files": [{"key": "report/data/1.csv.gz"}],
    }
    rows = b'"pacs","a/1.dcm","12","e"\n"pacs","report/x","1","e"\n'
    contents = {
        "report/now/manifest.json": json.dumps(manifest).encode(),
        "report/data/1.csv.gz": gzip.compress(rows),
    }
    filesystem = put(uri, contents)
    place = inventory.Place("pacs/a", uris.path_prefix(uri))
    ((rows, batch),) = inventory.read_inventory(filesystem, "pacs/report/now/manifest.json", place, TIMEOUT)
    assert rows == 2
    assert batch.to_pylist() == [{"path": "pacs/a/1.dcm", "size": 12, "mtime": None, "etag": "e"}]
