"""The registry: the same bits come back, a changed byte is noticed, an unknown kind is named."""

import errno
import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from dicomae.codes import ModelKind
from dicomae.errors import JobError, UsageError
from dicomae.models import autoencoder, registry
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder, compress
from dicomae.models.kinds import KINDS, Model
from dicomae.models.reductions import fit_pca

SPEC = '{"features": ["Größe"]}'
MANIFEST = {
    "feature_set": "all",
    "curves": [0.1, 1e-9, 3],
    "provenance": {"packages": {"torch": "2"}, "tables": {"sample": 3}},
}
FILES = ["manifest.json", "spec.json", "weights.safetensors"]


def _model(seed: int = 0) -> TagAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = TagAutoencoder(AutoencoderConfig(30, (20, 10), 3, 0.01))
        model(torch.rand(8, 30))  # moves the running statistics
    return model.eval()


MODEL = _model()
MODELS: dict[ModelKind, Model] = {
    ModelKind.AUTOENCODER: MODEL,
    ModelKind.PCA: fit_pca(np.random.default_rng(0).random((40, 30), dtype=np.float32), 3),
}


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, str]:
    root = tmp_path / "models"
    return root, registry.save(root, MODEL, MANIFEST, SPEC)


def _content(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in root.rglob("*")
        if p.is_file()
    }


def test_comes_back_bit_for_bit(saved: tuple[Path, str]) -> None:
    loaded = registry.load(*saved)
    assert isinstance(loaded.model, TagAutoencoder)
    assert loaded.model.config == MODEL.config
    assert not loaded.model.training
    theirs, ours = loaded.model.state_dict(), MODEL.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(theirs[name].numpy().tobytes() == ours[name].numpy().tobytes() for name in ours)
    X = np.random.default_rng(0).random((50, 30), dtype=np.float32)
    for before, after in zip(compress(MODEL, X, 16), compress(loaded.model, X, 16), strict=True):
        assert before.tobytes() == after.tobytes()
    assert loaded.spec_json == SPEC
    assert {key: loaded.manifest[key] for key in MANIFEST} == MANIFEST
    assert loaded.manifest["autoencoder"]["bottleneck"] == 3
    again = autoencoder.to_bytes(autoencoder.from_bytes(loaded.weights))
    assert again == loaded.weights == autoencoder.to_bytes(MODEL)


@pytest.mark.parametrize("kind", ModelKind)
def test_every_kind_comes_back_bit_for_bit(tmp_path: Path, kind: ModelKind) -> None:
    model = MODELS[kind]
    loaded = registry.load(tmp_path, registry.save(tmp_path, model, MANIFEST, SPEC))
    assert loaded.kind is kind
    assert loaded.manifest["kind"] == kind
    assert loaded.manifest[kind]["width"] == 30
    assert loaded.weights == KINDS[kind].to_bytes(model)
    X = np.random.default_rng(1).random((50, 30), dtype=np.float32)
    for before, after in zip(*(KINDS[kind].compress(m, X, 16) for m in (model, loaded.model)), strict=True):
        assert before.tobytes() == after.tobytes()


def test_folder_is_what_the_docstring_says(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    assert sorted(p.name for p in (root / model_id).iterdir()) == FILES
    assert [p.name for p in root.iterdir()] == [model_id]
    weights, spec = (root / model_id / "weights.safetensors").read_bytes(), SPEC.encode()
    manifest = json.loads((root / model_id / "manifest.json").read_text())
    del manifest["provenance"], manifest["kind"]
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    digests = b"".join(hashlib.sha256(part).digest() for part in (weights, canonical, spec))
    assert model_id == hashlib.sha256(digests).hexdigest()[:16]


def test_weights_are_plain_safetensors(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    with safe_open(root / model_id / "weights.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["autoencoder"])["hidden"] == [20, 10]
        expected = MODEL.encoder[0].weight.detach().numpy()
        np.testing.assert_array_equal(file.get_tensor("encoder.0.weight"), expected)


def test_saved_again_nothing_changes(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    before = _content(root)
    assert (
        registry.save(root, _model(), {**MANIFEST, "provenance": {"tables": {"sample": 9}}}, SPEC) == model_id
    )
    assert _content(root) == before


def test_identity_follows_weights_manifest_and_specification(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    others = {
        registry.save(root, _model(seed=1), MANIFEST, SPEC),
        registry.save(root, MODEL, {**MANIFEST, "feature_set": "without_labels"}, SPEC),
        registry.save(root, MODEL, MANIFEST, SPEC + " "),
    }
    assert len(others | {model_id}) == 4
    assert registry.list_models(root) == sorted(others | {model_id})


def test_keys_that_are_no_text_keep_the_identity(tmp_path: Path) -> None:
    model_id = registry.save(tmp_path, MODEL, {"sizes": {1: "a", 10: "b", 2: "c"}, "shape": (1, 2)}, SPEC)
    assert registry.load(tmp_path, model_id).manifest["sizes"] == {"1": "a", "10": "b", "2": "c"}


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_noticed_and_saving_mends_it(saved: tuple[Path, str], name: str) -> None:
    root, model_id = saved
    path = root / model_id / name
    whole = path.read_bytes()
    digit = whole.rindex(
        {"manifest.json": b"1e-09", "spec.json": b"Gr", "weights.safetensors": whole[-1:]}[name]
    )
    path.write_bytes(whole[:digit] + bytes([whole[digit] ^ 1]) + whole[digit + 1 :])
    with pytest.raises(UsageError, match=rf"{model_id}: its files were changed.*train.py"):
        registry.load(root, model_id)
    assert registry.save(root, MODEL, MANIFEST, SPEC) == model_id
    assert path.read_bytes() == whole
    assert [p.name for p in root.iterdir()] == [model_id]


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(saved: tuple[Path, str], name: str) -> None:
    root, model_id = saved
    (root / model_id / name).unlink()
    with pytest.raises(UsageError, match=rf"{name}: cannot be read.*train.py"):
        registry.load(root, model_id)
    assert registry.save(root, MODEL, MANIFEST, SPEC) == model_id
    assert registry.load(root, model_id).spec_json == SPEC


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 200_000, b'{"a": 1', pickle.dumps({})]
)
def test_a_malformed_manifest_is_named(saved: tuple[Path, str], content: bytes) -> None:
    root, model_id = saved
    (root / model_id / "manifest.json").write_bytes(content)
    with pytest.raises(UsageError, match=r"manifest.json: no JSON object"):
        registry.load(root, model_id)


def test_a_specification_that_is_no_text_is_named(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    (root / model_id / "spec.json").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"spec.json: no UTF-8"):
        registry.load(root, model_id)


def test_a_file_too_large_is_named(saved: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    root, model_id = saved
    monkeypatch.setitem(registry._FILE_LIMITS, "spec.json", len(SPEC.encode()) - 1)
    with pytest.raises(UsageError, match=r"spec.json: larger than"):
        registry.load(root, model_id)


def _place(root: Path, weights: bytes, manifest: dict[str, object]) -> str:
    """A folder whose hash is right, though its content is not."""
    hashed = {key: value for key, value in manifest.items() if key != "kind"}
    canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":")).encode()
    digests = b"".join(hashlib.sha256(part).digest() for part in (weights, canonical, b"{}"))
    model_id = hashlib.sha256(digests).hexdigest()[:16]
    (root / model_id).mkdir()
    for name, content in zip(FILES, (json.dumps(manifest).encode(), b"{}", weights), strict=True):
        (root / model_id / name).write_bytes(content)
    return model_id


def test_another_format_is_named(tmp_path: Path) -> None:
    model_id = _place(tmp_path, autoencoder.to_bytes(MODEL), {"format": 2, "kind": "autoencoder"})
    with pytest.raises(UsageError, match=r"manifest.json: format 2 is not 1"):
        registry.load(tmp_path, model_id)


def test_a_pickle_in_the_weights_place_is_refused(tmp_path: Path) -> None:
    model_id = _place(
        tmp_path, pickle.dumps({"encoder.0.weight": [1.0]}), {"format": 1, "kind": "autoencoder"}
    )
    with pytest.raises(UsageError, match=r"weights.safetensors: no valid safetensors header.*train.py"):
        registry.load(tmp_path, model_id)


@pytest.mark.parametrize(
    ("kind", "named"),
    [({"kind": "tsne"}, "'tsne'"), ({}, "None"), ({"kind": ["pca"]}, r"\['pca'\]"), ({"kind": 1}, "1")],
)
def test_an_unknown_kind_is_named_with_the_known_ones(
    tmp_path: Path, kind: dict[str, object], named: str
) -> None:
    model_id = _place(tmp_path, autoencoder.to_bytes(MODEL), {"format": 1, **kind})
    with pytest.raises(
        UsageError, match=f"manifest.json: kind {named} of a model.*autoencoder, pca; restore"
    ):
        registry.load(tmp_path, model_id)


def test_weights_of_another_kind_than_the_manifests_are_refused(tmp_path: Path) -> None:
    model_id = _place(tmp_path, autoencoder.to_bytes(MODEL), {"format": 1, "kind": "pca"})
    with pytest.raises(UsageError, match=r"weights.safetensors: no shape of a model of kind 'pca'"):
        registry.load(tmp_path, model_id)


@pytest.mark.parametrize("model_id", ["", "abc", "../" + "a" * 13, "A" * 16, "a" * 17, "a" * 16 + "\n"])
def test_an_odd_model_id_is_refused(saved: tuple[Path, str], model_id: str) -> None:
    with pytest.raises(UsageError, match="16 hexadecimal"):
        registry.load(saved[0], model_id)


def test_an_unknown_model_is_refused_with_the_known_ones(saved: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no such model; .* has: {saved[1]}"):
        registry.load(saved[0], "0" * 16)
    with pytest.raises(UsageError, match="has: none"):
        registry.load(tmp_path / "nowhere", "0" * 16)
    assert registry.list_models(tmp_path / "nowhere") == []


def test_only_models_are_listed(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    (root / ".partial-abc").mkdir()
    (root / "notes.txt").write_text("")
    (root / ("b" * 16)).write_text("a file")
    assert registry.list_models(root) == [model_id]


@pytest.mark.parametrize("manifest", [{"error": float("nan")}, {"error": {1, 2}}])
def test_a_manifest_that_is_no_json_is_refused(tmp_path: Path, manifest: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must be JSON"):
        registry.save(tmp_path, MODEL, manifest, SPEC)
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(JobError, match="No space left"):
        registry.save(tmp_path, MODEL, MANIFEST, SPEC)
    assert list(tmp_path.iterdir()) == []


def test_another_process_may_win_the_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def later(source: Path, target: Path) -> None:
        shutil.copytree(source, target)
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    monkeypatch.setattr(os, "replace", later)
    model_id = registry.save(tmp_path, MODEL, MANIFEST, SPEC)
    assert registry.list_models(tmp_path) == [model_id]
    assert [p.name for p in tmp_path.iterdir()] == [model_id]
