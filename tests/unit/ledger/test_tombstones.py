"""Tombstones: which headers have one, and what is known without the salt."""

import pickle
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from dicomae.codes import Identifier, Reason
from dicomae.errors import UsageError
from dicomae.headers.batch import HEADER, Failure, HeaderBatch
from dicomae.lake import delta
from dicomae.ledger import tombstones
from dicomae.ledger.tombstones import SALT, Tombstones, digest, make_salt, sql_digest
from dicomae.tables import TOMBSTONES

UIDS, PATIENTS = Identifier.INSTANCE, Identifier.PATIENT


def read(*rows: dict[str, Any], failures: tuple[Failure, ...] = ()) -> HeaderBatch:
    """A batch whose rows stand at the places 0, 2, 4 …"""
    headers = pa.RecordBatch.from_pylist(list(rows), schema=HEADER)
    return HeaderBatch(headers, np.arange(0, 2 * len(rows), 2), failures, {}, bytes_read=7)


def row(uid: str, patient: str | None, **elements: str) -> dict[str, Any]:
    return {"SOPInstanceUID": uid, "PatientID": patient, "elements": list(elements.items())}


def buried(root: Path, kind: Identifier, *identifiers: str) -> Tombstones:
    delta.append(root, TOMBSTONES, tombstones.rows(make_salt(root), kind, identifiers, "run"))
    return Tombstones.of(root)


def uids(batch: HeaderBatch) -> list[str]:
    return list(batch.headers.column("SOPInstanceUID").to_pylist())


@pytest.mark.parametrize(
    ("kind", "identifiers", "left"),
    [
        (UIDS, ["1.1"], ["1.2", "1.3", "1.4"]),
        (UIDS, ["1.1", "1.4", "9.9"], ["1.2", "1.3"]),
        (PATIENTS, ["P1"], ["1.3", "1.4"]),
        (PATIENTS, [" P2\0"], ["1.1", "1.2", "1.4"]),
        (PATIENTS, ["1.1", "p1", "P"], ["1.1", "1.2", "1.3", "1.4"]),
        (UIDS, ["P1"], ["1.1", "1.2", "1.3", "1.4"]),
    ],
)
def test_what_has_a_tombstone_fails_as_forgotten(
    root: Path, kind: Identifier, identifiers: list[str], left: list[str]
) -> None:
    batch = read(row("1.1", "P1"), row("1.2", "P1"), row("1.3", "P2"), row("1.4", None))
    batch = replace(batch, failures=(Failure(1, Reason.EMPTY, "why"),))
    apart = buried(root, kind, *identifiers).apart(batch)
    assert uids(apart) == left
    places = dict(zip(uids(batch), batch.index.tolist(), strict=True))
    assert apart.index.tolist() == [places[uid] for uid in left]
    forgotten = {failure.index for failure in apart.failures if failure.reason == Reason.FORGOTTEN}
    assert forgotten == set(places.values()) - set(apart.index.tolist())
    assert Failure(1, Reason.EMPTY, "why") in apart.failures
    assert apart.bytes_read == 7


def test_a_failure_holds_nothing_of_whom_was_forgotten(root: Path) -> None:
    known = buried(root, PATIENTS, "CANARY-7")
    apart = known.apart(read(row("1.2.826.7", "CANARY-7", PatientName="CANARY^JANE")))
    assert [failure.reason for failure in apart.failures] == [Reason.FORGOTTEN]
    told = repr(apart.failures) + repr(pickle.dumps(known)) + repr(apart.headers.to_pylist())
    assert "CANARY" not in told
    assert "1.2.826.7" not in told


def test_where_nobody_was_forgotten_nothing_is_hashed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tombstones, "digest", None)
    batch = read(row("1.1", "P1"))
    assert Tombstones.of(root).apart(batch) is batch
    assert not (root / SALT).exists()


def test_later_tombstones_are_seen(root: Path) -> None:
    batch = read(row("1.1", "P1"), row("1.2", "P2"))
    assert uids(buried(root, PATIENTS, "P1").apart(batch)) == ["1.2"]
    assert uids(buried(root, PATIENTS, "P2").apart(batch)) == []


def test_two_archives_have_other_digests_of_one_patient(tmp_path: Path) -> None:
    salts = []
    for name in ("a", "b"):
        delta.prepare(tmp_path / name)
        salts.append(make_salt(tmp_path / name))
    assert len({digest(salt, PATIENTS, "P1") for salt in salts}) == 2
    assert digest(salts[0], PATIENTS, "1") != digest(salts[0], UIDS, "1")


def test_the_salt_is_private_and_stays(root: Path) -> None:
    salt = make_salt(root)
    assert stat.S_IMODE((root / SALT).stat().st_mode) == 0o600
    assert make_salt(root) == salt == (root / SALT).read_text()
    assert len(bytes.fromhex(salt)) == 32


@pytest.mark.parametrize("content", [None, b"", b"0" * 63, b"\xff" * 64, b"0" * 64 + b"\n"])
def test_a_lost_salt_is_told_and_never_made_anew(root: Path, content: bytes | None) -> None:
    buried(root, PATIENTS, "P1")
    (root / SALT).unlink()
    if content is not None:
        (root / SALT).write_bytes(content)
    for ask in (Tombstones.of, make_salt):
        with pytest.raises(UsageError, match="_tombstones_salt is missing or damaged"):
            ask(root)


def test_a_salt_that_was_half_written_is_written_again(root: Path) -> None:
    (root / f"{SALT}.unfinished").write_text("0123")
    assert len(make_salt(root)) == 64


@pytest.mark.parametrize(
    "identifier", ["1.2.3", " 1.2.3 ", "\t1.2.3\0\r\n", "Žuk'^\" 7", "a\0b", "日本", "\u00a0x", "x" * 5000]
)
@pytest.mark.parametrize("kind", list(Identifier))
def test_sql_gives_the_same_digest(kind: Identifier, identifier: str) -> None:
    salt = "0" * 64
    rows = pa.table({kind.value: [identifier, None]})
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        found = connection.execute(f"SELECT {sql_digest(salt, kind)} FROM rows").fetchall()
    assert found == [(digest(salt, kind, identifier).hex(),), (None,)]


def test_a_million_tombstones_are_found_quickly(root: Path) -> None:
    known = buried(root, UIDS, *(f"1.2.{i}" for i in range(1_000_000)))
    batch = read(*(row(f"1.2.{i}", "P") for i in range(999_999, 1_000_001)))
    assert uids(known.apart(batch)) == ["1.2.1000000"]
