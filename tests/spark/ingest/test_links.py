"""Links in a source: each file is read once, and what is not read has a row that says why."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import HOME
from files import write_file
from ingesting import Ingesting
from pyspark.sql import SparkSession

from dicomae import tables
from dicomae.config import Config
from dicomae.errors import UsageError
from dicomae.lake import delta


@pytest.fixture
def top(tmp_path: Path) -> Path:
    write_file(tmp_path / "pacs" / "1.dcm", "1.1")
    return tmp_path / "pacs"


def _run(spark: SparkSession, root: Path, conf: Config, top: Path, *, follow: bool) -> Ingesting:
    if not root.exists():
        delta.prepare(root)
    return Ingesting(spark, root, replace(conf, ingest=replace(conf.ingest, follow_links=follow)), top)


def _found(run: Ingesting) -> dict[str, str]:
    """Path below the source → SOPInstanceUID or reason, of what has not vanished."""
    rows = delta.read_small(run.root, tables.FILES).to_pylist()
    return {
        os.path.relpath(row["path"], run.top): row["SOPInstanceUID"] or row["reason"]
        for row in rows
        if not row["vanished"]
    }


@pytest.mark.parametrize("follow", [False, True])
def test_thirteen_folders_with_two_links_each_to_the_next_hold_one_file(
    spark: SparkSession, root: Path, conf: Config, top: Path, follow: bool
) -> None:
    """By paths there are 8,191."""
    for number in range(13):
        (top / f"{number:02d}").mkdir()
    for number in range(12):
        for name in ("a", "b"):
            (top / f"{number:02d}" / name).symlink_to(top / f"{number + 1:02d}")
    write_file(top / "12" / "2.dcm", "1.2")
    run = _run(spark, root, conf, top, follow=follow)
    assert run()["listed"] == 2
    assert _found(run) == {"1.dcm": "1.1", "12/2.dcm": "1.2"}


def test_folders_outside_are_listed_once_whatever_leads_to_them(
    spark: SparkSession, root: Path, conf: Config, top: Path, tmp_path: Path
) -> None:
    """From link to link, up and down, and back into the source."""
    far, store = tmp_path / "far", tmp_path / "far" / "near" / "store"
    write_file(store / "in" / "2.dcm", "1.2")
    write_file(far / "3.dcm", "1.3")
    write_file(tmp_path / "alone" / "4.dcm", "1.4")
    (top / "deep").mkdir()
    for name in ("b", "a", "deep/c"):
        (top / name).symlink_to(store)
    (top / "inner").symlink_to(store / "in")
    (top / "file.dcm").symlink_to(store / "in" / "2.dcm")
    for name in ("y.dcm", "x.dcm"):
        (top / name).symlink_to(tmp_path / "alone" / "4.dcm")
    (store / "up").symlink_to(far)
    (tmp_path / "by").mkdir()
    (tmp_path / "by" / "far").symlink_to(far)  # which holds what is listed by then
    (top / "z").symlink_to(tmp_path / "by")
    (far / "home").symlink_to(top / "deep")
    (store / "in" / "down").symlink_to(store)
    run = _run(spark, root, conf, top, follow=True)
    for _ in range(2):
        run()
        assert _found(run) == {
            "1.dcm": "1.1",
            "a/in/2.dcm": "1.2",
            "a/in/down": "not_a_file",
            "a/up": "not_a_file",
            "z/far/3.dcm": "1.3",
            "x.dcm": "1.4",
        }
    versions = run.versions()
    assert run()["new"] == 0
    assert run.versions() == versions
    quiet = _run(spark, tmp_path / "quiet-tables", conf, top, follow=False)
    quiet()
    out = ("a", "b", "deep/c", "inner", "file.dcm", "x.dcm", "y.dcm", "z")
    assert _found(quiet) == {"1.dcm": "1.1", **dict.fromkeys(out, "not_a_file")}


def test_a_link_may_be_mended_or_lead_nowhere(
    spark: SparkSession, root: Path, conf: Config, top: Path, tmp_path: Path
) -> None:
    write_file(tmp_path / "out" / "2.dcm", "1.2")
    (top / "link").symlink_to(tmp_path / "out")
    (top / "file.dcm").symlink_to(tmp_path / "out" / "2.dcm")
    run = _run(spark, root, conf, top, follow=False)
    run()
    run.conf = replace(conf, ingest=replace(conf.ingest, follow_links=True))
    run()
    assert _found(run) == {"1.dcm": "1.1", "link/2.dcm": "1.2"}
    (tmp_path / "out").rename(tmp_path / "away")
    run()
    assert _found(run) == {"1.dcm": "1.1", "link": "missing", "file.dcm": "missing"}
    (tmp_path / "away").rename(tmp_path / "out")
    run()
    assert _found(run) == {"1.dcm": "1.1", "link/2.dcm": "1.2"}


@pytest.mark.parametrize("follow", [False, True])
@pytest.mark.parametrize("target", ["", "files"])
def test_a_link_to_the_tables_is_refused(
    spark: SparkSession, root: Path, conf: Config, top: Path, follow: bool, target: str
) -> None:
    run = _run(spark, root, conf, top, follow=follow)
    (top / "deep").mkdir()
    (top / "deep" / "link").symlink_to(root / target)
    versions = run.versions()
    with pytest.raises(UsageError, match="deep/link' leads to --tables; a run would ingest its own tables"):
        run()
    assert run.versions() == versions


def test_a_source_inside_the_tables_is_refused(
    spark: SparkSession, root: Path, conf: Config, top: Path
) -> None:
    run = _run(spark, root, conf, top, follow=False)
    inside = write_file(root / "inside" / "1.dcm", "1.1")
    (top.parent / "named").symlink_to(root)
    for source in (inside.parent, inside, top.parent / "named" / "inside"):
        with pytest.raises(UsageError, match=r"--source .* lies inside --tables"):
            run.of(source=str(source))
    with pytest.raises(UsageError, match=r"--table .* lies inside --tables"):
        run.of(table=str(root / "headers"), columns=HOME / "conf" / "columns" / "idc.toml")
