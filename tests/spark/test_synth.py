"""A table of synthetic headers, for benchmarks."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from dicomae import tables
from dicomae.lake import delta
from dicomae.spark.synth import main


def test_an_ingested_archive_is_not_overwritten(root: Path) -> None:
    headers = pa.Table.from_pylist([{"SOPInstanceUID": "1.1"}], schema=tables.HEADERS.schema)
    delta.append(root, tables.HEADERS, headers)
    delta.append(root, tables.FILES, pa.Table.from_pylist([{"path": "/a"}], schema=tables.FILES.schema))
    call = ["-m", "dicomae.spark.synth", "--rows", "10", "--tables", str(root)]
    done = subprocess.run([sys.executable, *call], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--tables {root}: holds an ingested archive; give another folder" in done.stderr
    assert delta.read_small(root, tables.HEADERS, ["SOPInstanceUID"])["SOPInstanceUID"].to_pylist() == ["1.1"]


@pytest.mark.parametrize(
    ("call", "word"), [([], "--rows"), (["--rows", "0", "--tables", "t"], "--rows must be at least 1")]
)
def test_a_bad_call_is_one_sentence_and_code_2(
    call: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(call) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert word in said.err
