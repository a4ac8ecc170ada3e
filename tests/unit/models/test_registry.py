"""The registry: the same bits come back, a changed byte is noticed, forged files take no memory."""

import errno
import hashlib
import json
import os
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from dicomae.errors import JobError, UsageError
from dicomae.models import registry
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder, compress

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
    assert (
        registry.to_bytes(registry.from_bytes(loaded.weights)) == loaded.weights == registry.to_bytes(MODEL)
    )


def test_folder_is_what_the_docstring_says(saved: tuple[Path, str]) -> None:
    root, model_id = saved
    assert sorted(p.name for p in (root / model_id).iterdir()) == FILES
    assert [p.name for p in root.iterdir()] == [model_id]
    weights, spec = (root / model_id / "weights.safetensors").read_bytes(), SPEC.encode()
    manifest = json.loads((root / model_id / "manifest.json").read_text())
    del manifest["provenance"]
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
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    digests = b"".join(hashlib.sha256(part).digest() for part in (weights, canonical, b"{}"))
    model_id = hashlib.sha256(digests).hexdigest()[:16]
    (root / model_id).mkdir()
    for name, content in zip(FILES, (canonical, b"{}", weights), strict=True):
        (root / model_id / name).write_bytes(content)
    return model_id


def test_another_format_is_named(tmp_path: Path) -> None:
    model_id = _place(tmp_path, registry.to_bytes(MODEL), {"format": 2})
    with pytest.raises(UsageError, match=r"manifest.json: format 2 is not 1"):
        registry.load(tmp_path, model_id)


def test_a_pickle_in_the_weights_place_is_refused(tmp_path: Path) -> None:
    model_id = _place(tmp_path, pickle.dumps({"encoder.0.weight": [1.0]}), {"format": 1})
    with pytest.raises(UsageError, match=r"weights.safetensors: no valid safetensors header.*train.py"):
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


def test_building_a_model_leaves_the_random_state() -> None:
    state = torch.get_rng_state()
    registry.from_bytes(registry.to_bytes(MODEL))
    assert torch.equal(torch.get_rng_state(), state)


def _forged(shape: object, tensors: dict[str, torch.Tensor] | None = None) -> bytes:
    tensors = dict(MODEL.state_dict()) if tensors is None else tensors
    return safetensors.torch.save(tensors, metadata={"autoencoder": json.dumps(shape)})


SHAPE = {"width": 30, "hidden": [20, 10], "bottleneck": 3, "negative_slope": 0.01}
TENSORS = dict(MODEL.state_dict())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 8,
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 2) + b"{}",
        struct.pack("<Q", 200_000) + b"[" * 200_000,
        registry.to_bytes(MODEL)[:-1],
        registry.to_bytes(MODEL) + b"\x00" * (2 << 20),
        safetensors.torch.save(TENSORS),
        _forged(None),
        _forged([30]),
        _forged({**SHAPE, "extra": 1}),
        _forged({**SHAPE, "width": 31}),
        _forged({**SHAPE, "width": 1 << 40}),
        _forged({**SHAPE, "width": "30"}),
        _forged({**SHAPE, "hidden": 20}),
        _forged({**SHAPE, "hidden": [1 << 16] * 32}),  # 500 GB of weights, were they allocated
        _forged({**SHAPE, "hidden": [1] * 10_000}),
        _forged(SHAPE, {**TENSORS, "more": torch.zeros(1)}),
        _forged(SHAPE, {k: v for k, v in TENSORS.items() if k != "decoder.0.bias"}),
        _forged(SHAPE, {k: v.double() for k, v in TENSORS.items()}),
    ],
)
def test_bytes_of_another_kind_are_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        registry.from_bytes(data)


def test_more_bytes_than_the_shape_takes_are_not_even_read() -> None:
    with pytest.raises(UsageError, match="bytes of weights, where"):
        registry.from_bytes(_forged(SHAPE, {**TENSORS, "more": torch.zeros(1 << 19)}))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_mutated_header_gives_a_model_or_a_usage_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(registry.to_bytes(MODEL))
    for place, change in changes:
        data[place] ^= change
    try:
        model = registry.from_bytes(bytes(data))
    except UsageError:
        return
    assert model.config.width == 30
