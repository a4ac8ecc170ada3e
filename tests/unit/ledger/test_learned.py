"""Specifications and models that hold what only the erased have."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dicomae.codes import Identifier
from dicomae.features.feature import Feature
from dicomae.features.spec import FeatureSpec
from dicomae.lake import delta
from dicomae.ledger import learned, tombstones
from dicomae.ledger.tombstones import Tombstones, make_salt
from dicomae.tables import FEATURE_SPECS, HEADERS, METRICS, MODELS, TOMBSTONES, Table

KVP = Feature("KVP", "KVP", None, "numeric", 80.0, 120.0, ())
COILS = Feature("ReceiveCoilName", "ReceiveCoilName", None, "categorical", None, None, ("DOE^JANE", "HEAD"))
PART = Feature("BodyPartExamined", "BodyPartExamined", None, "categorical", None, None, ("CHEST",))


def private(creator: str) -> Feature:
    key = f"0099xx01 {creator}"
    return Feature(key, key, None, "numeric", 0.0, 1.0, ())


def put(root: Path, table: Table, *rows: dict[str, Any]) -> None:
    delta.append(root, table, pa.Table.from_pylist(list(rows), schema=table.schema))


def row(patient: str, body_part: str | None = None, **elements: str) -> dict[str, Any]:
    keyed = {name.replace("_", " "): value for name, value in elements.items()}
    uid = f"{patient}.{sorted(elements.items())}"
    return {
        "SOPInstanceUID": uid,
        "PatientID": patient,
        "body_part": body_part,
        "elements": list(keyed.items()),
    }


def goes_with_p1(root: Path, spec: FeatureSpec, *rows: dict[str, Any]) -> bool:
    """Whether the specification goes when P1 is forgotten; each row lies in a part of its own."""
    for each in rows:
        put(root, HEADERS, each)
    put(root, TOMBSTONES, *tombstones.rows(make_salt(root), Identifier.PATIENT, ["P1"], "r").to_pylist())
    parts = [part.name for part in delta.parts(root, HEADERS)]
    put(root, FEATURE_SPECS, spec.as_row("r"))
    learned.forget(root, root / "registry", Tombstones.of(root), parts)
    return delta.count(root, FEATURE_SPECS) == 0


@pytest.mark.parametrize(
    ("rows", "goes"),
    [
        ([row("P1", ReceiveCoilName="DOE^JANE"), row("P2", ReceiveCoilName="HEAD")], True),
        ([row("P1", ReceiveCoilName="DOE^JANE"), row("P2", ReceiveCoilName="DOE^JANE")], False),
        ([row("P1", ReceiveCoilName="HEAD"), row("P2", KVP="80")], True),
        ([row("P1", KVP="80"), row("P2", ReceiveCoilName="HEAD")], False),
        ([row("P1", PatientName="DOE^JANE"), row("P2", ReceiveCoilName="HEAD")], False),
        ([row("P1", ReceiveCoilName="another"), row("P2", KVP="80")], False),
        ([row("P1", "CHEST"), row("P2", "HEAD")], True),
        ([row("P1", "CHEST"), row("P2", "CHEST")], False),
        ([row("P2", ReceiveCoilName="DOE^JANE")], False),
    ],
)
def test_a_word_that_only_the_erased_have(root: Path, rows: list[dict[str, Any]], goes: bool) -> None:
    assert goes_with_p1(root, FeatureSpec((KVP, COILS, PART), "all"), *rows) == goes


@pytest.mark.parametrize(
    ("creator", "others", "goes"),
    [("DOE^JANE", False, True), ("DOE^JANE", True, False), ("GEMS_ACQU_01", False, False)],
)
@pytest.mark.parametrize("left_out", [None, "", "3"])
def test_the_name_of_a_private_creator(
    root: Path, creator: str, others: bool, goes: bool, left_out: str | None
) -> None:
    feature = private(creator)
    spec = FeatureSpec((KVP, feature), "all")
    if left_out is not None:
        spec = FeatureSpec((KVP,), "all", (feature.key + left_out,))
    elements = {feature.key: "0.5"}
    rows = [row("P1", **elements), row("P2", KVP="80", **(elements if others else {}))]
    assert goes_with_p1(root, spec, *rows) == goes


def test_what_was_trained_with_it_goes(root: Path) -> None:
    kept, gone = FeatureSpec((KVP,), "without_labels"), FeatureSpec((KVP, COILS), "all")
    registry = root / "registry"
    for model, spec in (("m1", kept), ("m2", gone), ("old", replace(gone, feature_set="without_labels"))):
        (registry / model).mkdir(parents=True)
        (registry / model / "spec.json").write_text(spec.to_json())
    (registry / "damaged").mkdir()
    (registry / "damaged" / "spec.json").write_text('{"version": 1, "vocabulary": ["DOE^JANE"]}')
    put(root, FEATURE_SPECS, *(spec.as_row("r") for spec in (kept, gone)))
    models = (("m1", kept), ("m2", gone), ("lost", gone))
    put(root, MODELS, *({"model_id": name, "spec_id": spec.spec_id} for name, spec in models))
    put(root, HEADERS, row("P1", ReceiveCoilName="DOE^JANE", KVP="80"), row("P2", KVP="80"))
    put(root, TOMBSTONES, *tombstones.rows(make_salt(root), Identifier.PATIENT, ["P1"], "r").to_pylist())
    telling = {"job": "evaluate", "name": "telling_tag", "value": 0.5}
    labels = [[("feature", "ReceiveCoilName"), ("value", word)] for word in ("HEAD", "DOE^JANE")]
    put(root, METRICS, *(telling | {"labels": each} for each in [*labels, [("feature", "KVP")], None]))
    parts = [part.name for part in delta.parts(root, HEADERS)]
    learned.forget(root, registry, Tombstones.of(root), parts)
    assert delta.read_small(root, METRICS)["labels"].to_pylist() == [labels[0], [("feature", "KVP")], None]
    assert [path.name for path in registry.iterdir()] == ["m1"]
    assert delta.read_small(root, FEATURE_SPECS)["spec_id"].to_pylist() == [kept.spec_id]
    assert delta.read_small(root, MODELS)["model_id"].to_pylist() == ["m1"]
    versions = [delta.version(root, table) for table in (MODELS, FEATURE_SPECS)]
    learned.forget(root, registry, Tombstones.of(root), parts)
    assert [delta.version(root, table) for table in (MODELS, FEATURE_SPECS)] == versions


def test_without_models_there_is_nothing_to_do(root: Path) -> None:
    put(root, HEADERS, row("P1", KVP="80"))
    learned.forget(root, root / "registry", Tombstones.of(root), [])
    assert not (root / "registry").exists()
