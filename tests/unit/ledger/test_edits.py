"""Edits of parts: rows that are dropped or changed, and parts of which nothing is left."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dicomae.lake import parts, sql
from dicomae.lake.parts import PartWriter
from dicomae.ledger import edits
from dicomae.tables import FILES


def write_part(root: Path, *paths: str) -> str:
    rows: list[dict[str, Any]] = [{"path": path, "status": "parsed", "vanished": False} for path in paths]
    writer = PartWriter(root, FILES)
    writer.write(pa.RecordBatch.from_pylist(rows, schema=FILES.schema))
    return str(writer.finish()["path"][0].as_py())


def edited(root: Path, wanted: edits.Edits) -> list[dict[str, Any]]:
    task = edits.editor(root)
    return [row for part in wanted.parts for batch in task(part) for row in batch.to_pylist()]


def test_only_the_rows_that_are_named_change(root: Path, tmp_path: Path) -> None:
    one, other, untouched = write_part(root, "a", "b", "c"), write_part(root, "d"), write_part(root, "e")
    files = [root / FILES.name / part for part in (one, other, untouched)]
    with sql.connected(root, tmp_path) as database, database.session() as session:
        sql.name_files(session, "rows", files, FILES.schema)
        loser = "(SELECT path, part, 'duplicate' AS status, 'z' AS original_path FROM rows WHERE path = 'a')"
        found = [
            edits.dropped(FILES, "rows WHERE path IN ('b', 'd')"),
            edits.restated(FILES, loser),
            edits.marked(FILES, "rows WHERE path = 'c'", vanished=True),
        ]
        wanted = edits.wanted(session, found, tmp_path)
    written = edited(root, wanted)
    become = {row["part"]: row["path"] for row in written}
    assert set(become) == {one, other}
    assert become[other] is None
    rows = pq.ParquetFile(root / FILES.name / become[one]).read().to_pylist()
    told = [(r["path"], r["status"], r["original_path"], r["vanished"]) for r in rows]
    assert told == [("a", "duplicate", "z", False), ("c", "parsed", None, True)]


def test_a_path_may_hold_what_sql_gives_a_meaning(root: Path, tmp_path: Path) -> None:
    hostile = 'it\'s a "path"; DROP TABLE files --\n'
    part = write_part(root, hostile, "b")
    with sql.connected(root, tmp_path) as database, database.session() as session:
        sql.name_files(session, "rows", [root / FILES.name / part], FILES.schema)
        found = [edits.dropped(FILES, f"rows WHERE path = {sql.quoted(hostile)}")]
        wanted = edits.wanted(session, found, tmp_path)
    (row,) = edited(root, wanted)
    assert pq.ParquetFile(root / FILES.name / row["path"]).read()["path"].to_pylist() == ["b"]


def test_row_groups_are_bounded_in_bytes_and_edited_each_by_itself(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROW_GROUP_BYTES", 100_000)
    writer = PartWriter(root, FILES)
    for path in "abcdef":
        row = {"path": path, "status": "parsed", "vanished": False, "etag": "x" * 60_000}
        writer.write(pa.RecordBatch.from_pylist([row], schema=FILES.schema))
    part = writer.finish()["path"][0].as_py()
    groups = pq.read_metadata(root / FILES.name / part)
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [2, 2, 2]
    with sql.connected(root, tmp_path) as database, database.session() as session:
        sql.name_files(session, "rows", [root / FILES.name / part], FILES.schema)
        wanted = edits.wanted(session, [edits.dropped(FILES, "rows WHERE path IN ('b', 'e')")], tmp_path)
    (row,) = edited(root, wanted)
    kept = pq.ParquetFile(root / FILES.name / row["path"]).read(["path"])
    assert kept["path"].to_pylist() == ["a", "c", "d", "f"]
