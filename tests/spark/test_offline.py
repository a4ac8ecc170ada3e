"""A hospital without a network: a job runs from a folder of staged jars and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

ROOT = Path(__file__).resolve().parents[2]
NO_NETWORK = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def _without_network(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a command where loopback is the only interface."""
    return subprocess.run([*NO_NETWORK, *map(str, command)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", autouse=True)
def _namespaces() -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip, to take the network away")
    if _without_network("true").returncode != 0:
        pytest.skip("this kernel lets nobody make a network namespace")


def _write_instance(path: Path) -> None:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = CTImageStorage, "1.2.3.4", "CT"
    pydicom.dcmwrite(path, ds, enforce_file_format=True)


def test_a_job_runs_from_staged_jars_alone(tmp_path: Path) -> None:
    source, jars, tables = tmp_path / "source", tmp_path / "staged", tmp_path / "tables"
    source.mkdir()
    _write_instance(source / "one.dcm")
    staged = _without_network(ROOT / "scripts" / "stage-jars", jars)
    assert staged.returncode == 0, staged.stderr
    job = (ROOT / "jobs" / "ingest.py", "--source", source, "--tables", tables, "--jars-dir", jars)
    ingested = _without_network(sys.executable, *job)
    assert ingested.returncode == 0, ingested.stderr
    assert json.loads(ingested.stdout.splitlines()[-1])["rows"] == 1
