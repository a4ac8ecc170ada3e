"""Which rows leave, on real tables."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.ledger.ledger_tables import Row, edits_of, file, header, hold

from dicomae.codes import FileStatus, Identifier, Reason
from dicomae.lake import delta
from dicomae.lake.sql import Database
from dicomae.ledger import erasure
from dicomae.ledger.erasure import Erased, Named, NotFound
from dicomae.ledger.tombstones import Tombstones, digest, make_salt
from dicomae.tables import ASSIGNMENTS, EMBEDDINGS, MEDOIDS, RUNS, SAMPLE, TOMBSTONES, Table


def of_patient(patient: str, *paths: str) -> list[Row]:
    return [header(path, PatientID=patient) for path in paths]


def put(root: Path, table: Table, *rows: dict[str, Any]) -> None:
    delta.append(root, table, pa.Table.from_pylist(list(rows), schema=table.schema))


def forget(
    database: Database, patients: Iterable[str] = (), instances: Iterable[str] = ()
) -> tuple[NotFound, Erased]:
    salt, named = make_salt(database.root), Named(tuple(patients), tuple(instances))
    not_found = erasure.bury(database, salt, named, "run")
    return not_found, erasure.find(database, salt, database.staging)


def gone(erased: Erased) -> set[tuple[str, str]]:
    edits = edits_of(erased.edits)
    assert all(edit == {"drop": True} for edit in edits.values())
    return set(edits)


def gone_files(erased: Erased) -> set[str]:
    return {path for table, path in gone(erased) if table == "files"}


def test_rows_of_a_patient_leave_every_table_and_no_other_rows(root: Path, database: Database) -> None:
    paths = ["/pacs/1.dcm", "/pacs/2.dcm", "/pacs/3.dcm"]
    hold(root, map(file, paths), [*of_patient("P1", *paths[:2]), *of_patient("P2", paths[2])])
    for table in (SAMPLE, EMBEDDINGS, ASSIGNMENTS):
        put(root, table, *({"SOPInstanceUID": name} for name in "123"))
    not_found, erased = forget(database, ["P1"])
    tables = ("sample", "embeddings", "assignments")
    expected = {(table, path) for table in ("headers", "files") for path in paths[:2]}
    assert gone(erased) == expected | {(table, name) for table in tables for name in "12"}
    assert not_found == NotFound(0, 0)


def test_an_instance_goes_without_the_others_of_its_patient(root: Path, database: Database) -> None:
    paths = ["/pacs/1.dcm", "/pacs/2.dcm"]
    hold(root, map(file, paths), of_patient("P1", *paths))
    _, erased = forget(database, instances=["2"])
    assert gone(erased) == {("headers", "/pacs/2.dcm"), ("files", "/pacs/2.dcm")}


def test_copies_and_conflicts_go_with_their_instance(root: Path, database: Database) -> None:
    copies = [
        file("/pacs/x/copy.dcm", FileStatus.DUPLICATE, SOPInstanceUID="1", original_path="/pacs/1.dcm"),
        file("/pacs/x/other.dcm", FileStatus.DUPLICATE_UID_CONFLICT, SOPInstanceUID="1"),
    ]
    hold(root, [file("/pacs/1.dcm"), *copies], of_patient("P1", "/pacs/1.dcm"))
    _, erased = forget(database, ["P1"])
    assert gone_files(erased) == {"/pacs/1.dcm", "/pacs/x/copy.dcm", "/pacs/x/other.dcm"}


def test_only_digests_are_kept(root: Path, database: Database) -> None:
    hold(root, [file("/pacs/1.dcm")], of_patient("P1", "/pacs/1.dcm"))
    forget(database, ["P1", "P9"], ["7"])
    salt = make_salt(root)
    kinds = {row["digest"]: row["kind"] for row in delta.read_small(root, TOMBSTONES).to_pylist()}
    assert kinds == {
        digest(salt, kind, identifier).hex(): kind.value
        for kind, identifier in (
            (Identifier.PATIENT, "P1"),
            (Identifier.PATIENT, "P9"),
            (Identifier.INSTANCE, "7"),
            (Identifier.INSTANCE, "1"),
        )
    }


def test_who_is_not_there_is_counted(root: Path, database: Database) -> None:
    hold(root, [file("/pacs/1.dcm")], of_patient("P1", "/pacs/1.dcm"))
    not_found, erased = forget(database, ["P1", "P8", "P9"], ["1", "9"])
    assert not_found == NotFound(patients=2, instances=1)
    assert gone(erased) == {("headers", "/pacs/1.dcm"), ("files", "/pacs/1.dcm")}


def test_of_empty_tables_nothing_goes(database: Database) -> None:
    not_found, erased = forget(database, ["P1"], ["1"])
    assert (not_found, erased.edits.parts) == (NotFound(1, 1), ())
    assert len(delta.read_small(database.root, TOMBSTONES)) == 2


def test_again_no_tombstone_is_added(root: Path, database: Database) -> None:
    hold(root, [file("/pacs/1.dcm")], of_patient("P1", "/pacs/1.dcm"))
    forget(database, ["P1"])
    before = delta.version(root, TOMBSTONES)
    forget(database, ["P1"], ["1"])
    assert delta.version(root, TOMBSTONES) == before


def test_another_call_finishes_what_a_killed_run_has_left(root: Path, database: Database) -> None:
    """The killed run had removed the row of `headers` already."""
    put(root, EMBEDDINGS, {"SOPInstanceUID": "1"})
    hold(root, [file("/pacs/1.dcm")], of_patient("P1", "/pacs/1.dcm"))
    erasure.bury(database, make_salt(root), Named(("P1",), ()), "killed")
    delta.replace(root, erasure.HEADERS, erasure.HEADERS.schema.empty_table())
    _, erased = forget(database, ["P9"])
    assert gone(erased) == {("files", "/pacs/1.dcm"), ("embeddings", "1")}


# What lies beside the erased


def quarantined(path: str, **values: Any) -> Row:
    return file(path, FileStatus.QUARANTINED, reason=str(Reason.NOT_DICOM), **values)


@pytest.mark.parametrize(
    ("beside", "goes"),
    [
        ("/pacs/DOE/letter.pdf", True),
        ("/pacs/DOE/study/2/cut.dcm", True),
        ("/pacs/DOE/locked/", True),
        ("/pacs/DOE/", True),
        ("/pacs/DOERING/letter.pdf", False),
        ("/pacs/letter.pdf", False),
        ("/pacs/", False),
        ("/pacs/ROE/letter.pdf", False),
        ("/archive/letter.pdf", False),
    ],
)
def test_a_nameless_file_goes_where_only_the_erased_have_instances(
    root: Path, database: Database, beside: str, goes: bool
) -> None:
    theirs, other = ["/pacs/DOE/study/1/1.dcm", "/pacs/DOE/study/1/2.dcm"], "/pacs/ROE/3.dcm"
    rows = [*of_patient("P1", *theirs), *of_patient("P2", other)]
    hold(root, [*map(file, [*theirs, other]), quarantined(beside)], rows)
    _, erased = forget(database, ["P1"])
    assert gone_files(erased) == {*theirs, *([beside] if goes else [])}


def test_an_archive_goes_with_its_last_member(root: Path, database: Database) -> None:
    members = [f"/pacs/{archive}.zip!DOE/{i}.dcm" for archive, i in (("a", 1), ("a", 2), ("b", 3), ("b", 4))]
    files = [file(path, container=path.partition("!")[0]) for path in members]
    files += [file(f"/pacs/{name}.zip", FileStatus.CONTAINER) for name in "ab"]
    files += [quarantined(f"/pacs/{name}.zip!x", container=f"/pacs/{name}.zip") for name in "ab"]
    files += [quarantined(f"/pacs/{name}.zip!DOE/x", container=f"/pacs/{name}.zip") for name in "ab"]
    hold(root, files, [*of_patient("P1", *members[:3]), *of_patient("P2", members[3])])
    _, erased = forget(database, ["P1"])
    nameless = {"/pacs/a.zip", "/pacs/a.zip!x", "/pacs/a.zip!DOE/x"}
    assert gone_files(erased) == {*members[:3], *nameless}


def test_on_a_store_folders_are_told_likewise(root: Path, database: Database) -> None:
    paths = ["s3://pacs/DOE/1.dcm", "s3://pacs/ROE/2.dcm"]
    nameless = [quarantined(f"s3://pacs/{name}/x") for name in ("DOE", "ROE")]
    hold(root, [*map(file, paths), *nameless], [*of_patient("P1", paths[0]), *of_patient("P2", paths[1])])
    _, erased = forget(database, ["P1"])
    assert gone_files(erased) == {paths[0], "s3://pacs/DOE/x"}


def test_rows_that_an_ingest_has_refused_go(root: Path, database: Database) -> None:
    refused = file("/pacs/DOE/1.dcm", FileStatus.QUARANTINED, reason=str(Reason.FORGOTTEN))
    hold(root, [file("/pacs/2.dcm"), refused], of_patient("P2", "/pacs/2.dcm"))
    _, erased = forget(database, ["P1"])
    assert gone_files(erased) == {"/pacs/DOE/1.dcm"}
    assert not erased.is_in_headers_or_later


# What earlier jobs have made


def test_a_medoid_keeps_its_row_and_loses_its_vector(root: Path, database: Database) -> None:
    medoids = [
        {"model_id": "m", "cluster": i, "SOPInstanceUID": uid, "vector": [0.5], "sum_of_squares": 2.0}
        for i, uid in enumerate(("1", "2"))
    ]
    put(root, MEDOIDS, *medoids)
    forget(database, instances=["2"])
    rows = erasure.without_vectors(delta.read_small(root, MEDOIDS), Tombstones.of(root)).to_pylist()
    told = [(row["cluster"], row["SOPInstanceUID"], row["vector"], row["sum_of_squares"]) for row in rows]
    assert told == [(0, "1", [0.5], 2.0), (1, None, None, 2.0)]
    assert len(erasure.without_vectors(MEDOIDS.schema.empty_table(), Tombstones.of(root))) == 0


def test_summaries_of_runs_lose_paths(root: Path, database: Database) -> None:
    hold(
        root,
        map(file, ("/pacs/DOE/1.dcm", "/pacs/2.dcm")),
        [*of_patient("P1", "/pacs/DOE/1.dcm"), *of_patient("P2", "/pacs/2.dcm")],
    )
    summaries = [
        {"source": "/pacs/DOE/", "examples": {"truncated": ["/pacs/DOE/x"]}, "files": 1},
        {"source": "/pacs", "files": 2},
        {"source": None, "files": 0},
        {"instances": 5},
    ]
    put(root, RUNS, *({"run_id": str(i), "summary": json.dumps(each)} for i, each in enumerate(summaries)))
    put(root, RUNS, {"run_id": "9"})
    _, erased = forget(database, ["P1"])
    rows = erasure.without_paths(database, erased.private).sort_by("run_id")
    assert [json.loads(text) for text in rows["summary"].to_pylist()] == [
        {"source": None, "files": 1},
        *summaries[1:],
        {},
    ]
    assert delta.replace(root, RUNS, rows)
    assert not delta.replace(root, RUNS, erasure.without_paths(database, erased.private))
