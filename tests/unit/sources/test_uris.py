"""What a path or a URI names, and what stands for it in the tables."""

import os

import pytest

from dicomae.errors import UsageError
from dicomae.sources import uris


def test_a_source_is_a_path_or_a_uri(tmp_path):
    for uri in (str(tmp_path), f"{tmp_path}/", tmp_path.as_uri()):
        filesystem, folder = uris.open_source(uri)
        assert filesystem.type_name == "local"
        assert folder.rstrip("/") == str(tmp_path)


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacs").mkdir()
    assert uris.open_source("pacs")[1] == str(tmp_path / "pacs")


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("missing", "missing: no such folder; give"),
        ("file", "file: not a folder; give"),
        ("pipe", "pipe: neither a folder nor a file$"),
        ("nosuch://user:secret@host/x", r"^nosuch://host/x: cannot be opened \(\w+\); check"),
    ],
)
def test_a_bad_source_is_explained(tmp_path, uri, words):
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=words) as raised:
        uris.open_source(uri if "://" in uri else str(tmp_path / uri))
    assert "secret" not in str(raised.value)


def test_a_file_is_opened_by_path_or_uri(tmp_path):
    (tmp_path / "pacs.zip").write_bytes(b"x")
    for uri in (str(tmp_path / "pacs.zip"), (tmp_path / "pacs.zip").as_uri()):
        assert uris.open_file(uri)[1] == str(tmp_path / "pacs.zip")
    for uri in (str(tmp_path), str(tmp_path / "gone.zip")):
        with pytest.raises(UsageError, match=r"no such file; check the path$"):
            uris.open_file(uri)


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("/data/pacs", ""),
        ("pacs", ""),
        ("file:///data/pacs", ""),
        ("s3://bucket/x", "s3://"),
        ("hdfs://user@name:8020/pacs?replication=1", "hdfs://name:8020"),
        ("s3://key:secret@bucket/x?endpoint_override=127.0.0.1:1&scheme=http&region=eu-west-1", "s3://"),
    ],
)
def test_paths_in_the_tables_say_where_without_user_or_query(uri, prefix):
    assert uris.path_prefix(uri) == prefix


@pytest.mark.parametrize("path", ["/pacs/a", "//pacs//a/", "/pacs/b/../a/."])
def test_a_local_path_has_one_name(path):
    assert uris.absolute(path) == "/pacs/a"
