"""Models as bytes: what is no model of the kind is refused, and takes no memory."""

import json
import struct
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomae.codes import ModelKind
from dicomae.errors import UsageError
from dicomae.models import autoencoder, reductions
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder
from dicomae.models.kinds import KINDS, Model, kind_of

MODEL = TagAutoencoder(AutoencoderConfig(30, (20, 10), 3, 0.01)).eval()
PCA = reductions.fit_pca(np.random.default_rng(0).random((40, 30), dtype=np.float32), 3)
MODELS: dict[ModelKind, Model] = {ModelKind.AUTOENCODER: MODEL, ModelKind.PCA: PCA}


def test_the_mapping_of_kinds_is_closed_and_each_kind_has_a_space_of_its_own() -> None:
    assert set(KINDS) == set(ModelKind)
    assert {kind_of(model): kind for kind, model in MODELS.items()} == {kind: kind for kind in ModelKind}
    spaces = [kind.space for kind in ModelKind]
    assert len(set(spaces)) == len(spaces)
    assert "original" not in spaces


def test_building_a_model_leaves_the_random_state() -> None:
    state = torch.get_rng_state()
    autoencoder.from_bytes(autoencoder.to_bytes(MODEL))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ModelKind)
def test_bytes_of_one_kind_are_not_taken_for_another(kind: ModelKind) -> None:
    data = KINDS[kind].to_bytes(MODELS[kind])
    assert KINDS[kind].to_bytes(KINDS[kind].from_bytes(data)) == data
    for other in set(ModelKind) - {kind}:
        with pytest.raises(UsageError, match=f"no shape of a model of kind '{other}'"):
            KINDS[other].from_bytes(data)


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
        autoencoder.to_bytes(MODEL)[:-1],
        autoencoder.to_bytes(MODEL) + b"\x00" * (2 << 20),
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
def test_other_bytes_are_no_autoencoder(data: bytes) -> None:
    with pytest.raises(UsageError):
        autoencoder.from_bytes(data)


def test_more_bytes_than_the_shape_takes_are_not_even_read() -> None:
    with pytest.raises(UsageError, match="bytes of weights, where"):
        autoencoder.from_bytes(_forged(SHAPE, {**TENSORS, "more": torch.zeros(1 << 19)}))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_mutated_header_gives_a_model_or_a_usage_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(autoencoder.to_bytes(MODEL))
    for place, change in changes:
        data[place] ^= change
    try:
        model = autoencoder.from_bytes(bytes(data))
    except UsageError:
        return
    assert model.config.width == 30


def _forged_pca(shape: object, **arrays: np.ndarray[Any, Any]) -> bytes:
    return safetensors.numpy.save(
        {"mean": PCA.mean, "components": PCA.components, **arrays}, metadata={"pca": json.dumps(shape)}
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        reductions.to_bytes(PCA)[:-1],
        reductions.to_bytes(PCA) + b"\x00" * (2 << 20),
        _forged_pca(None),
        _forged_pca({"width": 30}),
        _forged_pca({"width": 30, "bottleneck": 4}),
        _forged_pca({"width": 30, "bottleneck": True}),
        _forged_pca({"width": 30, "bottleneck": 31}),
        _forged_pca({"width": 1 << 40, "bottleneck": 1 << 39}),
        _forged_pca({"width": 30, "bottleneck": 3, "more": 1}),
        _forged_pca({"width": 30, "bottleneck": 3}, more=np.zeros(1, np.float32)),
        _forged_pca({"width": 30, "bottleneck": 3}, mean=PCA.mean.astype(np.float64)),
        _forged_pca({"width": 30, "bottleneck": 3}, mean=PCA.mean[:29]),
    ],
)
def test_other_bytes_are_no_pca(data: bytes) -> None:
    with pytest.raises(UsageError):
        reductions.from_bytes(data)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), min_size=1, max_size=3))
def test_a_mutated_header_gives_a_pca_or_a_usage_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(reductions.to_bytes(PCA))
    for place, change in changes:
        data[place] ^= change
    try:
        model = reductions.from_bytes(bytes(data))
    except UsageError:
        return
    assert model.config.width == 30
