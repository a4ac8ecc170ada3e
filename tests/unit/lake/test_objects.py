"""DuckDB over a file system of pyarrow: the same rows, and each object asked about once."""

import io
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from filesystems import Spy

from dicomae.lake.objects import PROTOCOL, Objects


def test_each_object_is_opened_once_whatever_is_asked_of_it(tmp_path):
    for i in range(3):
        rows = [{"path": f"{i}-{j}", "size": j} for j in range(1000)]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{i} [x].parquet", row_group_size=100)
    opened: Counter[str] = Counter()

    def counting(path: str) -> io.BytesIO:
        opened[Path(path).name] += 1
        return io.BytesIO(Path(path).read_bytes())

    objects = Objects(pafs.PyFileSystem(Spy(opener=counting)))
    for _ in range(2):
        connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        connection.register_filesystem(objects)
        files = ", ".join(f"'{PROTOCOL}://{tmp_path}/{i} [x].parquet'" for i in range(3))
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM read_parquet([{files}], filename = true)")
        assert connection.execute("SELECT count(*), sum(size) FROM rows").fetchall() == [(3000, 3 * 499500)]
        asked = "SELECT path, parse_filename(filename) FROM rows WHERE size = 999 ORDER BY 1"
        assert connection.execute(asked).fetchall() == [(f"{i}-999", f"{i} [x].parquet") for i in range(3)]
        connection.close()
    assert opened == {f"{i} [x].parquet": 1 for i in range(3)}


def test_readers_of_the_same_object_have_a_position_each(tmp_path):
    content = bytes(range(256)) * 4
    (tmp_path / "object").write_bytes(content)
    objects = Objects(pafs.LocalFileSystem())
    one, other = (objects.open(f"{PROTOCOL}://{tmp_path}/object") for _ in range(2))
    assert one.read(10) == content[:10]
    assert other.seek(-5, io.SEEK_END) == len(content) - 5
    assert one.read(10) == content[10:20]
    assert other.read() == content[-5:]
    assert one.seek(4, io.SEEK_CUR) == one.tell() == 24
    assert one.read(5000) == content[24:]
    assert one.read(1) == b""


def test_what_is_not_there_is_not_there_until_it_is_written(tmp_path):
    objects = Objects(pafs.LocalFileSystem())
    path = f"{PROTOCOL}://{tmp_path}/object"
    assert not objects.exists(path)
    assert objects.glob(path) == []
    with pytest.raises(FileNotFoundError):
        objects.open(path)
    with objects.open(path, "wb") as stream:
        stream.write(b"new")
    assert objects.glob(path) == [f"{tmp_path}/object"]
    assert objects.open(path).read() == b"new"
