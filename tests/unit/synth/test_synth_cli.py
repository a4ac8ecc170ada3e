"""`python -m dicomae.synth`: its last line, its refusals, its second run."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dicomae.synth.__main__ import main

SMALL = ["--files", "24", "--seed", "2", "--matrix", "32", "--workers", "1"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(list(arguments))
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_last_line_is_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--out", str(tmp_path / "pacs"), *SMALL)
    summary = json.loads(out.splitlines()[-1])
    assert code == 0
    assert summary["files"] == 24 == len(content_of(tmp_path / "pacs"))
    assert {"patients", "studies", "spoilt", "duplicates", "seconds", "truth"} <= set(summary)
    assert pq.read_table(summary["truth"]).num_rows == 24
    assert Path(summary["truth"]).parent == tmp_path


def test_the_same_call_again_leaves_the_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--out", str(tmp_path / "pacs"), *SMALL]
    _, first, _ = run(capsys, *call)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "pacs").rglob("*")}
    _, again, _ = run(capsys, *call)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "pacs").rglob("*")} == times
    assert first.split('"seconds"')[0] == again.split('"seconds"')[0]


def test_the_same_call_makes_what_is_missing_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--out", str(tmp_path / "pacs"), *SMALL]
    run(capsys, *call)
    first, truth = content_of(tmp_path / "pacs"), (tmp_path / "pacs-truth.parquet").read_bytes()
    next(path for path in (tmp_path / "pacs").rglob("*") if path.is_file()).unlink()
    code, _, _ = run(capsys, *call)
    assert code == 0
    assert content_of(tmp_path / "pacs") == first
    assert (tmp_path / "pacs-truth.parquet").read_bytes() == truth


@pytest.mark.parametrize(
    ("extra", "word"),
    [
        (["--files", "0"], "--files"),
        (["--files", "24", "--nights", "0"], "--nights"),
        (["--files", "24", "--matrix", "4"], "--matrix"),
        (["--files", "24", "--workers", "0"], "--workers"),
        (["--files", "24", "--seed", "-1"], "--seed"),
        ([], "--files"),
        (["--files", "many"], "many"),
        (["--files", "24", "--colour", "red"], "--colour"),
    ],
)
def test_bad_calls_are_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], word: str
) -> None:
    code, out, err = run(capsys, "--out", str(tmp_path / "pacs"), *extra)
    assert (code, out) == (2, "")
    assert word in err
    assert err.count("\n") == 1
    assert not (tmp_path / "pacs").exists()


def test_a_folder_with_something_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pacs").mkdir()
    (tmp_path / "pacs" / "thesis.txt").write_text("years of work")
    code, _, err = run(capsys, "--out", str(tmp_path / "pacs"), *SMALL)
    assert code == 2
    assert "not empty" in err
    assert content_of(tmp_path / "pacs") == {"thesis.txt": b"years of work"}


def test_another_seed_does_not_mix_into_an_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "--out", str(tmp_path / "pacs"), *SMALL)
    before = content_of(tmp_path / "pacs")
    code, _, err = run(capsys, "--out", str(tmp_path / "pacs"), *SMALL, "--seed", "3")
    assert code == 2
    assert "not empty" in err
    assert content_of(tmp_path / "pacs") == before


def test_the_truth_must_lie_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pacs = tmp_path / "pacs"
    code, _, err = run(capsys, "--out", str(pacs), *SMALL, "--truth", str(pacs / "truth.parquet"))
    assert code == 2
    assert "outside" in err


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "examples:" in out
    assert "--nights" in out
