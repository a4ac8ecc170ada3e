"""Locations of tables: local ones are plain paths, those on S3 tell no secret, and refuse in one sentence."""

import json
import os
import pickle
import subprocess
import traceback
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
import s3server
from s3server import KEY, SECRET, uri_of

from dicomae.errors import JobError, UsageError
from dicomae.lake import delta, location, sql
from dicomae.lake.parts import PartWriter
from dicomae.runtime import failures
from dicomae.tables import FILES, SAMPLE

boto3 = pytest.importorskip("boto3", reason="moto is not installed: pip install -e .[dev]")
ROWS = pa.table({"path": ["a", "b"]})
NOWHERE = "127.0.0.1:1"
REGION = "us-east-1"


@pytest.fixture
def store(address: str) -> pafs.FileSystem:
    """The server, with one empty bucket."""
    return s3server.empty(address, "tables")


def test_a_local_location_is_a_plain_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert location.parse("a/b") == tmp_path / "a" / "b"
    assert location.delta_options(tmp_path) is None
    assert location.delta_uri(tmp_path / "a b") == f"{tmp_path}/a b"


@pytest.mark.parametrize("name", [*(f"a{character}b" for character in "[]^|#?\\\n\t"), "a%20b", "a%2Fb"])
def test_a_name_that_delta_cannot_open_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"^--tables .*: Delta cannot open a folder whose path has"):
        location.parse(str(tmp_path / name / "t"))
    (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to(tmp_path / name)
    with pytest.raises(UsageError, match="Delta cannot open"):
        location.parse(str(tmp_path / "link"))


def test_every_other_name_is_taken(tmp_path):
    root = location.parse(str(tmp_path / "!\"$%&'()*+,-.:;<=>@_`{x}~ é日%zz" / "it's {x}"))
    delta.prepare(root)
    empty = delta.last_commit(root, FILES)
    writer = PartWriter(root, FILES)
    writer.write(pa.RecordBatch.from_pylist([{"path": "/1.dcm"}], schema=FILES.schema))
    delta.commit_parts(root, FILES, pa.Table.from_batches([writer.finish()]), 0, overwrite=False, run_id="r")
    delta.append(root, SAMPLE, pa.Table.from_pylist([{"SOPInstanceUID": "1"}], schema=SAMPLE.schema))
    assert delta.runs_since(root, FILES, empty) == {"r"}
    assert len(delta.parts_since(root, FILES, empty)) == 1
    (root / "_staging").mkdir()
    with sql.connected(root, root / "_staging") as database, database.session() as session:
        sql.name_table(session, root, FILES)
        assert sql.write(session, "SELECT path FROM files", root / "_staging" / "x.parquet") == 1
    assert pq.read_table(root / "_staging" / "x.parquet")["path"].to_pylist() == ["/1.dcm"]
    assert len(delta.read_small(root, SAMPLE)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone mounts a small disk")
def test_a_full_disk_is_told_before_anything_is_written(tmp_path, capfd):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", tmp_path], check=False)
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        (tmp_path / "filling").write_bytes(bytes(1_200_000))
        with pytest.raises(JobError, match=f"^--tables {tmp_path}/t: its disk is full; free space"):
            delta.prepare(tmp_path / "t")
        assert list((tmp_path / "t").iterdir()) == []
        (tmp_path / "filling").unlink()
        delta.prepare(tmp_path / "t")
        many = pa.Table.from_pylist([{"SOPInstanceUID": "1" * 64}] * 20_000, schema=SAMPLE.schema)
        for write in (delta.append, delta.replace):
            with pytest.raises(JobError, match="its disk is full"):
                write(tmp_path / "t", SAMPLE, many)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
    assert "panicked" not in capfd.readouterr().err


def test_a_location_on_s3_tells_no_secret_and_travels(address):
    root = location.parse(uri_of(address, "tables/a b/c") + "&allow_bucket_creation=true") / "files"
    for text in (str(root), repr(root), f"{root}"):
        assert KEY not in text
        assert "wJalr" not in text
    assert str(root) == "s3://tables/a b/c/files"
    assert root.name == "files"
    assert pickle.loads(pickle.dumps(root)) == root
    assert location.delta_uri(root) == "s3://tables/a%20b/c/files"


def test_deltalake_is_told_what_the_uri_says_and_nothing_else(address):
    assert location.delta_options(location.parse(uri_of(address, "tables/t"))) == {
        "access_key_id": KEY,
        "secret_access_key": SECRET,
        "region": "us-east-1",
        "endpoint_url": f"http://{address}",
        "allow_http": "true",
        "conditional_put": "etag",
    }
    plain = location.parse("s3://tables/t?region=eu-south-1")
    assert location.delta_options(plain) == {"region": "eu-south-1", "conditional_put": "etag"}


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        (f"s3://{KEY}:wJalr/secret@tables/t?region=x", "s3://tables/t: no URI of S3; in keys write / as %2F"),
        (f"s3://{KEY}:wJalr@tables/t?colour=red", "s3://tables/t: no URI of S3"),
        ("s3://", "s3://: names no bucket"),
        (f"gs://{KEY}:wJalr@tables/t", "gs://tables/t: give a local or mounted folder, or s3://bucket/path"),
    ],
)
def test_a_uri_that_cannot_be_used_is_explained_without_its_secrets(uri, told):
    with pytest.raises(UsageError) as raised:
        location.parse(uri)
    assert str(raised.value).startswith(f"--tables {told}")
    assert "wJalr" not in "".join(traceback.format_exception(raised.value))


def test_files_are_written_read_and_removed(address, store):
    root = location.parse(uri_of(address, "tables/a b"))
    location.make(root)
    assert location.is_folder(root)
    file = root / "sub" / "part.parquet"
    with location.parquet_writer(file, ROWS.schema) as writer:
        writer.write_table(ROWS)
        assert store.get_file_info("tables/a b/sub/part.parquet").type == pafs.FileType.NotFound
    assert pq.read_table("tables/a b/sub/part.parquet", filesystem=store) == ROWS
    assert location.size(file) == store.get_file_info("tables/a b/sub/part.parquet").size
    assert location.parquet_file(file).read() == ROWS
    location.copy(file, root / "copy.parquet")
    location.move(root / "copy.parquet", root / "sub" / "moved.parquet")
    assert location.parquet_file(root / "sub" / "moved.parquet").read() == ROWS
    location.write_text(root / "note", "ü\n")
    assert store.open_input_stream("tables/a b/note").read() == "ü\n".encode()
    location.remove(root / "sub")
    left = store.get_file_info(pafs.FileSelector("tables", recursive=True))
    assert [info.path for info in left if info.type == pafs.FileType.File] == ["tables/a b/note"]
    location.remove(root / "sub")


@pytest.mark.usefixtures("store")
def test_a_bucket_that_is_not_there(address):
    root = location.parse(uri_of(address, "tabels/t"))
    assert not location.is_folder(root)
    with pytest.raises(UsageError, match=r"^--tables s3://tabels/t: no such bucket$"):
        location.make(root)


@pytest.mark.usefixtures("store")
def test_credentials_that_do_not_suffice(address):
    root = location.parse(uri_of(address, "tables/t", key="AKIDOTHER"))
    s3server.post(address, "reset-auth", b"0")  # from here on the server knows its users
    try:
        with pytest.raises(UsageError, match=r"^--tables s3://tables/t: access denied; check"):
            location.make(root)
        with pytest.raises(UsageError, match=r"^--tables s3://tables/t: access denied; check"):
            location.is_folder(root)
    finally:
        s3server.post(address, "reset-auth", b"inf")


def test_a_server_that_cannot_be_reached(tmp_path):
    root = location.parse(uri_of(NOWHERE, "tables/t"))
    with pytest.raises(
        UsageError, match=r"^--tables s3://tables/t: network connection; check bucket"
    ) as raised:
        location.is_folder(root)
    assert SECRET not in str(raised.value)
    told = failures.sentence(raised.value, tmp_path)
    assert told.startswith("a store on S3 cannot be reached or refuses; check network, credentials")


def test_credentials_may_come_from_the_environment(address, store, monkeypatch):
    iam = boto3.client("iam", REGION, endpoint_url=f"http://{address}", **_login("any", "any"))
    iam.create_user(UserName="night")
    key = iam.create_access_key(UserName="night")["AccessKey"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="night", PolicyName="all", PolicyDocument=json.dumps(everything))
    uri = f"s3://tables/t?endpoint_override={address}&scheme=http&region={REGION}"
    for name, value in _login(key["AccessKeyId"], key["SecretAccessKey"]).items():
        monkeypatch.setenv(name.upper(), value)
    s3server.post(address, "reset-auth", b"0")
    try:
        root = location.parse(uri)
        delta.prepare(root)
        assert delta.version(root, FILES) == 0
    finally:
        s3server.post(address, "reset-auth", b"inf")


def _login(key: str, secret: str) -> dict[str, str]:
    return {"aws_access_key_id": key, "aws_secret_access_key": secret}


def test_a_job_that_needs_a_local_folder_names_the_remedy(address, tmp_path):
    assert location.local(tmp_path) == Path(tmp_path)
    with pytest.raises(UsageError, match=r"^--tables s3://tables/t: .* copy or mount the folder"):
        location.local(location.parse(uri_of(address, "tables/t")))
