"""What HDFS needs is asked for before libhdfs would crash the process (with a cluster: spark/ingest)."""

from pathlib import Path

import pytest

from dicomae.errors import UsageError
from dicomae.sources import hdfs, uris


@pytest.mark.parametrize("jar", ["hadoop-client-api-3.5.0.jar", "hadoop-common-2.6.0-cdh5.16.2.jar"])
def test_a_class_path_holds_the_client_by_its_jar_or_by_the_folder_of_it(tmp_path: Path, jar: str) -> None:
    (tmp_path / jar).touch()
    (tmp_path / "hadoop-hdfs-client-3.5.0.jar").touch()
    assert hdfs.has_client(f"/etc/hadoop/conf:{tmp_path / jar}")
    assert hdfs.has_client(f"{tmp_path}/*:/etc/hadoop/conf")
    for without in ("", "/etc/hadoop/conf", str(tmp_path), f"{tmp_path / jar}.old", f"{tmp_path}/none/*"):
        assert not hdfs.has_client(without)
    (tmp_path / jar).unlink()
    assert not hdfs.has_client(f"{tmp_path / jar}:{tmp_path}/*")


@pytest.mark.parametrize("classpath", [None, "", "/etc/hadoop/conf:/nonexistent/*"])
def test_without_the_client_a_source_is_a_bad_call_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, classpath: str | None
) -> None:
    monkeypatch.delenv("CLASSPATH", raising=False)
    if classpath is not None:
        monkeypatch.setenv("CLASSPATH", classpath)
    for uri in ("hdfs://someone@namenode:8020/pacs", "viewfs://someone@namenode/pacs"):
        shown = uri.replace("someone@", "")
        with pytest.raises(UsageError, match=f"^{shown}: no jar of CLASSPATH is Hadoop's client; set"):
            uris.open_source(uri)
