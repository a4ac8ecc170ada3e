"""Settings go to Java by a file, as they are."""

import os
from pathlib import Path
from typing import Any

import pytest
from pyspark import SparkContext

from dicomae.runtime import launch


def test_what_java_reads_is_what_was_written(tmp_path: Path) -> None:
    settings = {"spark.a": " k=v:#!\\ \t\n é日😀 ", "spark.b c": "-Dx='y z' local[2]"}
    java = tmp_path / "Read.java"
    java.write_text(
        "class Read { public static void main(String[] a) throws Exception {"
        " var p = new java.util.Properties(); p.load(new java.io.FileInputStream(a[0]));"
        " for (var e : new java.util.TreeMap<>(p).entrySet())"
        ' System.out.print(e.getKey() + "\\u0001" + e.getValue() + "\\u0002"); } }'
    )
    (tmp_path / "p").write_text(launch.as_properties(settings), encoding="ascii")
    import subprocess

    command = ["java", "-Dstdout.encoding=UTF-8", "-Dfile.encoding=UTF-8", str(java), str(tmp_path / "p")]
    out = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    assert dict(pair.split("\x01") for pair in out.split("\x02")[:-1]) == settings


def test_the_file_is_named_to_java_and_then_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def started() -> None:
        seen.append(os.environ["PYSPARK_SUBMIT_ARGS"])
        seen.append((tmp_path / "a b" / "spark.properties").read_text())

    monkeypatch.setattr(SparkContext, "_ensure_initialized", started)
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--name x pyspark-shell")
    (tmp_path / "a b").mkdir()
    launch.launch({"spark.secret": "s"}, tmp_path / "a b")
    named = (
        f"--properties-file '{tmp_path}/a b/spark.properties' --load-spark-defaults --name x pyspark-shell"
    )
    assert seen == [named, "spark.secret=s"]
    assert list((tmp_path / "a b").iterdir()) == []
    assert os.environ["PYSPARK_SUBMIT_ARGS"] == "--name x pyspark-shell"
