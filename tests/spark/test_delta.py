"""The tables: created, checked, replaced, committed by parts, merged."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.errors import JobError, UsageError
from dicomae.lake import delta
from dicomae.spark import frames
from dicomae.spark.frames import write_parts

MODELS = tables.MODELS


def _models(*rows: tuple[str, str]) -> pa.Table:
    blank = {
        "kind": "autoencoder",
        "spec_id": "s",
        "candidate": "c",
        "width": 20,
        "bottleneck": 2,
        "validation_error": 0.5,
    }
    made = [{"feature_set": name, "model_id": "m", **blank, "run_id": run} for name, run in rows]
    return pa.Table.from_pylist(made, schema=MODELS.schema)


def test_every_table_is_created_once(root: Path) -> None:
    before = {table.name: delta.version(root, table) for table in tables.ALL}
    delta.prepare(root)
    assert before == {table.name: 0 for table in tables.ALL}
    assert {table.name: delta.version(root, table) for table in tables.ALL} == before


def test_a_table_of_another_version_is_a_bad_call(tmp_path: Path) -> None:
    DeltaTable.create(str(tmp_path / "files"), pa.schema([("path", pa.string())]))
    with pytest.raises(UsageError, match="'files' was made by another version"):
        delta.prepare(tmp_path)


def test_replace_writes_only_what_differs_beyond_the_run(root: Path) -> None:
    assert delta.replace(root, MODELS, _models(("all", "run-1")))
    assert not delta.replace(root, MODELS, _models(("all", "run-2")))
    assert delta.replace(root, MODELS, _models(("all", "run-2"), ("other", "run-2")))
    assert delta.read_small(root, MODELS)["run_id"].to_pylist() == ["run-2", "run-2"]
    assert delta.version(root, MODELS) == 2


def _metrics(*steps: str, run_id: str) -> pa.Table:
    blank = {"job": "tag_statistics", "name": "funnel", "value": 1.0, "run_id": run_id}
    rows = [blank | {"labels": [("step", step)]} for step in steps]
    return pa.Table.from_pylist(rows, schema=tables.METRICS.schema)


def test_rows_in_another_order_are_no_other_content(root: Path) -> None:
    assert delta.replace(root, MODELS, _models(("all", "run-1"), ("other", "run-1")))
    assert not delta.replace(root, MODELS, _models(("other", "run-2"), ("all", "run-2")))
    # Some keys are maps, which Arrow cannot sort by.
    for steps, changed in (("ab", True), ("ba", False), ("bc", True)):
        found = delta.replace(root, tables.METRICS, _metrics(*steps, run_id=steps), job="tag_statistics")
        assert found is changed


def test_chunks_are_written_in_their_order(tmp_path: Path) -> None:
    blank = {"run_id": "r", "rows": 1}
    chunks = [
        pa.Table.from_pylist(
            [blank | {"scope": scope, "key": f"{i:03d}"} for i in range(300)], tables.TAG_STATISTICS.schema
        )
        for scope in ("archive", "sample")
    ]
    for i in range(25):  # the writer takes chunks as they come: in some folders, not in all
        delta.prepare(tmp_path / str(i))
        delta.replace(tmp_path / str(i), tables.TAG_STATISTICS, pa.concat_tables(chunks))
        found = delta.read_small(tmp_path / str(i), tables.TAG_STATISTICS, ["scope"])["scope"].to_pylist()
        assert found == ["archive"] * 300 + ["sample"] * 300


def test_replace_of_one_job_keeps_the_others(root: Path) -> None:
    def metric(job: str, value: float) -> pa.Table:
        row = {"job": job, "name": "n", "labels": [("k", "v")], "value": value, "run_id": "r"}
        return pa.Table.from_pylist([row], schema=tables.METRICS.schema)

    delta.replace(root, tables.METRICS, metric("train", 1.0), job="train")
    delta.replace(root, tables.METRICS, metric("cluster", 2.0), job="cluster")
    delta.replace(root, tables.METRICS, metric("train", 3.0), job="train")
    rows = delta.read_small(root, tables.METRICS).sort_by("job").to_pylist()
    assert [(row["job"], row["value"]) for row in rows] == [("cluster", 2.0), ("train", 3.0)]


def _embeddings(batch: pa.RecordBatch) -> pa.RecordBatch:
    rows = [
        {"SOPInstanceUID": f"1.{i:05d}", "model_id": "m", "embedding": [float(i)], "run_id": "r"}
        for i in batch.column("id").to_pylist()
    ]
    return pa.RecordBatch.from_pylist(rows, schema=tables.EMBEDDINGS.schema)


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_parts_become_rows_in_one_commit(spark: SparkSession, root: Path, partitions: int) -> None:
    ids = spark.range(0, 1000, 1, numPartitions=partitions)
    parts = write_parts(ids, root, tables.EMBEDDINGS, lambda: _embeddings)
    assert frames.read(spark, root, tables.EMBEDDINGS).count() == 0
    assert delta.commit_parts(root, tables.EMBEDDINGS, parts, 0, overwrite=False) == 1000
    rows = frames.read(spark, root, tables.EMBEDDINGS)
    assert [row["SOPInstanceUID"] for row in rows.orderBy("SOPInstanceUID").collect()] == [
        f"1.{i:05d}" for i in range(1000)
    ]
    # Bounds in the log let Spark skip files; a wrong bound would hide the row.
    assert rows.where("SOPInstanceUID = '1.00999'").count() == 1
    assert delta.version(root, tables.EMBEDDINGS) == 1


def test_a_second_writer_of_the_same_version_loses(spark: SparkSession, root: Path) -> None:
    parts = write_parts(spark.range(10), root, tables.EMBEDDINGS, lambda: _embeddings)
    again = write_parts(spark.range(10), root, tables.EMBEDDINGS, lambda: _embeddings)
    delta.commit_parts(root, tables.EMBEDDINGS, parts, 0, overwrite=False)
    with pytest.raises(JobError, match="another run"):
        delta.commit_parts(root, tables.EMBEDDINGS, again, 0, overwrite=False)
    assert frames.read(spark, root, tables.EMBEDDINGS).count() == 10
