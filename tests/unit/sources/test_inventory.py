"""Inventories: which files they name, and what is wrong with those that are."""

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import floor
from random import Random

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from conftest import HOME
from defaults import TIMEOUT
from filesystems import Spy

from dicomae.errors import UsageError
from dicomae.sources import inventory
from dicomae.sources.folders import list_folders
from dicomae.sources.inventory import Place
from dicomae.sources.listing import LISTED_FILE

LOCAL = pafs.LocalFileSystem()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WHEN = datetime(2024, 5, 1, 12, 30, 5, 123000, tzinfo=UTC)


def read(file, place):
    batches = [batch for _, batch in inventory.read_inventory(LOCAL, str(file), place, TIMEOUT)]
    assert all(batch.schema == LISTED_FILE for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()]


def row(path, size=None, mtime=None, etag=None):
    return {"path": path, "size": size, "mtime": mtime, "etag": etag}


@pytest.mark.parametrize("name", ["files.csv", "files.csv.gz"])
def test_a_csv_names_files_relative_absolute_and_beyond_the_source(tmp_path, name):
    text = (
        "Path,Size,Last_Modified,ETag\n"
        '1.dcm,12,2024-05-01T12:30:05.123Z,"""abc"""\n'
        '"/pacs/with, comma\nand newline",,,\n'
        "/elsewhere/2.dcm,1,,\n"
        "s3://pacs/3.dcm,1,,\n"
        "sub/../../up.dcm,1,,\n"
        "/pacs/../etc/passwd,1,,\n"
        "file:///pacs/caf%C3%A9.dcm,7,2024-05-01 14:30:05.123+02:00,\n"
    )
    write = gzip.open if name.endswith("gz") else open
    with write(tmp_path / name, "wt") as file:
        file.write(text)
    assert read(tmp_path / name, Place("/pacs")) == [
        row("/pacs/1.dcm", 12, WHEN, "abc"),
        row("/pacs/with, comma\nand newline"),
        row("/pacs/café.dcm", 7, WHEN),
    ]


@pytest.mark.parametrize("kind", ["int", "float", "decimal", "text", "naive", "zoned", "iso"])
def test_times_are_timestamps_texts_or_seconds(tmp_path, kind):
    values = {
        "int": pa.array([int(WHEN.timestamp())]),
        "float": pa.array([WHEN.timestamp()]),
        "decimal": pa.array([Decimal(str(WHEN.timestamp()))]),
        "text": pa.array([str(WHEN.timestamp())]),
        "naive": pa.array([WHEN.replace(tzinfo=None)], pa.timestamp("ns")),
        "zoned": pa.array([WHEN], pa.timestamp("ms", "Europe/Berlin")),
        "iso": pa.array(["2024-05-01 12:30:05.123"]),
    }
    pq.write_table(pa.table({"file": ["a"], "modified": values[kind]}), tmp_path / "f.parquet")
    expected = WHEN.replace(microsecond=0) if kind == "int" else WHEN
    assert read(tmp_path / "f.parquet", Place("/pacs")) == [row("/pacs/a", mtime=expected)]


def test_times_that_find_prints_are_those_of_a_listing(tmp_path):
    (tmp_path / "pacs").mkdir()
    random = Random(1)
    for i in range(500):
        (tmp_path / "pacs" / f"{i}").touch()
        os.utime(tmp_path / "pacs" / f"{i}", ns=(0, random.randrange(-(10**9), 4 * 10**18)))
    with open(tmp_path / "f.csv", "w") as file:
        file.write("path,size,mtime\n")
        file.flush()
        command = ["find", tmp_path / "pacs", "-type", "f", "-printf", r"%p,%s,%T@\n"]
        subprocess.run(command, stdout=file, check=True)
    found = sorted(read(tmp_path / "f.csv", Place(f"{tmp_path}/pacs")), key=lambda row: row["path"])
    assert found == list_folders(LOCAL, [f"{tmp_path}/pacs"], TIMEOUT).files.to_pylist()


def test_times_in_floats_are_cut_as_those_of_a_listing_are(tmp_path):
    random = Random(1)
    seconds = [random.uniform(-1e9, 4e9) for _ in range(1_000)] + [0.0, 1e-7, -0.5]
    pq.write_table(pa.table({"path": ["a"] * len(seconds), "mtime": seconds}), tmp_path / "f.parquet")
    expected = [EPOCH + timedelta(microseconds=floor(Decimal(repr(s)) * 10**6)) for s in seconds]
    assert [row["mtime"] for row in read(tmp_path / "f.parquet", Place("/pacs"))] == expected


def test_objects_are_named_by_bucket_and_key_or_uri(tmp_path):
    table = {"bucket": ["pacs", "pacs", "other"], "key": ["a/1", "b/2", "a/3"], "size": [1, 2, 3]}
    pq.write_table(pa.table(table), tmp_path / "f.parquet")
    place = Place("pacs/a", "s3://")
    assert read(tmp_path / "f.parquet", place) == [row("pacs/a/1", 1)]
    (tmp_path / "f.csv").write_text("uri,size\ns3://pacs/a/1,1\ns3://pacs/ab/1,1\n/pacs/a/9,1\nx,2\n")
    assert read(tmp_path / "f.csv", place) == [row("pacs/a/1", 1), row("pacs/a/x", 2)]


def manifest(kind="CSV", schema="Bucket, Key, Size, LastModifiedDate, ETag", key="x/data/1.csv.gz"):
    return {
        "sourceBucket": "pacs",
        "destinationBucket": "arn:aws:s3:::reports",
        "fileFormat": kind,
        "fileSchema": schema,
        "files": [{"key": key, "size": 1, "MD5checksum": "0"}],
    }


def test_an_s3_inventory_in_csv_has_encoded_keys_and_no_header(tmp_path):
    (tmp_path / "2024-05-01T00-00Z").mkdir()
    (tmp_path / "data").mkdir()
    path = tmp_path / "2024-05-01T00-00Z" / "manifest.json"
    schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag"
    path.write_text(json.dumps(manifest(schema=schema)))
    with gzip.open(tmp_path / "data" / "1.csv.gz", "wt") as file:
        file.write('"pacs","a+b/%C3%A9%2B.dcm","v2","true","false","12","2024-05-01T12:30:05.123Z","abc-2"\n')
        file.write('"pacs","a+b/old.dcm","v1","false","false","12","2024-05-01T12:30:05.123Z","d"\n')
        file.write('"pacs","a+b/gone.dcm","v1","true","true","","2024-05-01T12:30:05.123Z",""\n')
    assert read(path, Place("pacs", "s3://")) == [row("pacs/a b/é+.dcm", 12, WHEN, "abc-2")]


def test_an_s3_inventory_in_parquet(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest("Parquet", "message s3.inventory {}", "x/data/1.parquet")))
    columns = {
        "bucket": ["pacs"],
        "key": ["a+b%20.dcm"],
        "size": [12],
        "last_modified_date": [WHEN],
        "e_tag": ["a"],
    }
    pq.write_table(pa.table(columns), tmp_path / "1.parquet")
    assert read(path, Place("pacs", "s3://")) == [row("pacs/a+b%20.dcm", 12, WHEN, "a")]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("f.txt", "", r"f\.txt: no inventory by its name; give"),
        ("f.csv", "size\n1\n", r"f\.csv: no column path, .*it has size; rename one to path"),
        ("f.csv", "path,size\na,12 kB\n", r"f\.csv: row 2: size is not in whole bytes; mend"),
        ("f.csv", "path,size\na,1\nb,-1\n", r"f\.csv: row 3: size is not in whole bytes; mend"),
        ("f.csv", "path,mtime\na,\na,1.5\na,yesterday\n", r"f\.csv: row 4: mtime is not in ISO 8601"),
        ("f.csv", "path,mtime\na,1.2.3\n", r"f\.csv: row 2: mtime is not in ISO 8601 or seconds"),
        ("f.csv", "path,mtime\na,99999999999999999\n", r"f\.csv: row 2: mtime is not in ISO 8601 or sec"),
        ("f.csv", "path,mtime\na,1700000000\na,1700000000000\n", r"row 3: mtime .*perhaps in milliseconds"),
        ("f.csv", "path,size\na,1\n,1\n", r"f\.csv: row 3: no path"),
        ("f.csv", "bucket,key\npacs,\n", r"f\.csv: row 2: no path"),
        ("f.csv", "key,bucket,is_latest,size\na,b,false,1\na,b,true,12 kB", r"f\.csv: row 3: size is not"),
        ("f.csv", "path,size\n" + "a,1\n" * 400_000 + "a,12 kB\n", r"f\.csv: row 400002: size is not in"),
        ("f.csv", "path\n/other/a\n", r"f\.csv: names no file below /pacs; give"),
        ("f.csv", "path,size\na,1\na,1,2\n", r"f\.csv: row 3: cannot be read as CSV"),
        ("f.csv", "path,size\n" + "a,1\n" * 400_000 + "a\n", r"f\.csv: row 400002: cannot be read as CSV"),
        ("f.csv", "path,x\n" + "y" * (3 << 20), r"f\.csv: cannot be read as CSV"),
        ("f.csv.gz", "path\na\n", r"f\.csv\.gz: cannot be read as CSV"),
        ("f.parquet", "path", r"f\.parquet: cannot be read as Parquet"),
        ("m.json", "{}", r"m\.json: no manifest"),
        ("m.json", "[", r"m\.json: cannot be read"),
        ("m.json", json.dumps(manifest("ORC")), r"m\.json: no manifest of an S3 Inventory in CSV or Parquet"),
        ("m.json", json.dumps(manifest()), r"m\.json: its data file 1\.csv\.gz is not there; copy"),
    ],
)
def test_a_bad_inventory_is_explained_without_its_values(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=words) as raised:
        read(tmp_path / name, Place("/pacs"))
    assert "12 kB" not in str(raised.value)
    assert "yesterday" not in str(raised.value)


def test_a_bad_value_is_named_by_its_row_where_there_is_no_header(tmp_path):
    pq.write_table(
        pa.table({"path": ["a"] * 100_000, "size": ["1"] * 99_999 + ["-"]}), tmp_path / "f.parquet"
    )
    with pytest.raises(UsageError, match=r"f\.parquet: row 100000: size is not in whole bytes"):
        read(tmp_path / "f.parquet", Place("/pacs"))
    (tmp_path / "m.json").write_text(json.dumps(manifest(schema="Bucket, Key, Size", key="1.csv")))
    (tmp_path / "1.csv").write_text("pacs,a,1\npacs,b,large\n")
    with pytest.raises(UsageError, match=r"1\.csv: row 2: size is not in whole bytes"):
        read(tmp_path / "m.json", Place("pacs", "s3://"))


def test_a_long_inventory_comes_in_batches(tmp_path):
    paths = [f"{i}.dcm" for i in range(150_000)]
    pq.write_table(pa.table({"path": paths}), tmp_path / "f.parquet")
    (tmp_path / "f.csv").write_text("path\n" + "".join(f'"new\nline{path}"\n' for path in paths))
    for name in ("f.parquet", "f.csv"):
        batches = [
            batch
            for _, batch in inventory.read_inventory(LOCAL, f"{tmp_path}/{name}", Place("/pacs"), TIMEOUT)
        ]
        assert max(batch.num_rows for batch in batches) < 150_000
        assert sum(batch.num_rows for batch in batches) == 150_000


@pytest.mark.parametrize(
    ("name", "silent", "words"),
    [
        (
            "f.csv",
            lambda name, start: start >= 1 << 20,
            r"f\.csv: no answer within 0\.3 s; check its storage",
        ),
        ("f.csv.gz", lambda name, start: True, r"f\.csv\.gz: no answer within 0\.3 s"),
        ("f.parquet", lambda name, start: True, r"f\.parquet: no answer within 0\.3 s"),
        ("m.json", lambda name, start: name == "m.json", r"m\.json: cannot be read \(TimeoutError\)"),
        ("m.json", lambda name, start: name == "1.csv.gz", r"1\.csv\.gz: no answer within 0\.3 s"),
    ],
)
def test_an_inventory_that_gives_no_answer_is_explained(tmp_path, name, silent, words):
    (tmp_path / "f.csv").write_text("path\n" + "a.dcm\n" * 600_000)
    pq.write_table(pa.table({"path": ["a.dcm"]}), tmp_path / "f.parquet")
    (tmp_path / "m.json").write_text(json.dumps(manifest()))
    for packed in ("f.csv.gz", "1.csv.gz"):
        (tmp_path / packed).write_bytes(gzip.compress(b"path\na.dcm\n"))
    release = threading.Event()
    spy = pafs.PyFileSystem(Spy(before_read=lambda name, start: silent(name, start) and release.wait(20)))
    began = time.monotonic()
    with pytest.raises(UsageError, match=words):
        list(inventory.read_inventory(spy, f"{tmp_path}/{name}", Place("/pacs"), 0.3))
    release.set()
    assert time.monotonic() - began < 10


def test_a_data_file_that_nobody_tells_of_is_explained(tmp_path):
    (tmp_path / "m.json").write_text(json.dumps(manifest()))
    release = threading.Event()
    spy = pafs.PyFileSystem(Spy(before_asked=lambda name: release.wait(20)))
    with pytest.raises(UsageError, match=r"1\.csv\.gz: no answer within 0\.3 s"):
        list(inventory.read_inventory(spy, f"{tmp_path}/m.json", Place("/pacs"), 0.3))
    release.set()


def test_an_inventory_that_gives_no_answer_does_not_keep_the_process_alive(tmp_path):
    (tmp_path / "f.csv").write_text("path\na.dcm\n")
    code = (
        "import sys, time; from filesystems import Spy; import pyarrow.fs as pafs;"
        "from dicomae.sources.inventory import Place, read_inventory;"
        "spy = pafs.PyFileSystem(Spy(before_read=lambda name, start: time.sleep(60)));"
        "list(read_inventory(spy, sys.argv[1], Place('/pacs'), 0.3))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, f"{tmp_path}/f.csv"],
        cwd=HOME / "tests",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, "no answer within 0.3 s" in done.stderr) == (1, True)
