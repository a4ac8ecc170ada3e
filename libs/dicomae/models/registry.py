"""Models in folders: weights as safetensors and JSON beside them, each addressed by its hash.

`root/<model_id>/` holds `weights.safetensors` (whose metadata carry the shape of the autoencoder),
`manifest.json` and `spec.json`. Nothing is unpickled, and no path in a file is followed.
"""

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from dicomae.errors import JobError, UsageError
from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder

WEIGHTS, MANIFEST, SPEC = "weights.safetensors", "manifest.json", "spec.json"
FORMAT = 1
PROVENANCE = "provenance"  # of the manifest: may differ where the model is the same

_REMEDY = "restore the folder from a backup, or remove it and run jobs/train.py again"
_MODEL_ID = re.compile(r"[0-9a-f]{16}")
_SHAPE_KEY = "autoencoder"  # in the metadata of the weights, and in the manifest
_HEADER_LIMIT = 1 << 20  # bytes of the safetensors header, some 100 tensors
_FILE_LIMITS = {WEIGHTS: 1 << 32, MANIFEST: 1 << 26, SPEC: 1 << 26}  # bytes


@dataclass(frozen=True)
class Saved:
    """A model as `load` finds it; `weights` are what `from_bytes` takes."""

    model_id: str
    model: TagAutoencoder
    manifest: dict[str, Any]
    spec_json: str
    weights: bytes


def save(root: Path, model: TagAutoencoder, manifest: Mapping[str, Any], spec_json: str) -> str:
    """The identity of `model`, which is afterwards complete in `root/<model_id>`, or was already.

    A folder is filled beside its place and then renamed, so that nobody sees half a model. The same
    model saved again changes nothing; a damaged one is replaced.

    Parameters
    ----------
    manifest : values for JSON. All of it is part of the identity, except its entry `provenance`
        (package versions, versions of tables, run): put there what may differ between two
        trainings that give the same model. `autoencoder` and `format` are added.
    spec_json : the feature specification, stored as it is.

    Returns
    -------
    model_id : the first 16 hexadecimal digits of SHA-256 over the SHA-256 of the weights, of the
        manifest without `provenance` as canonical JSON, and of the specification.

    Raises
    ------
    UsageError
        The manifest is no JSON (NaN is none).
    JobError
        The folder cannot be written.
    """
    weights = to_bytes(model)
    complete = {**manifest, "format": FORMAT, _SHAPE_KEY: asdict(model.config)}
    try:
        text = json.dumps(complete, indent=2, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise UsageError(f"the manifest of a model must be JSON: {error}") from error
    model_id = _identity(weights, json.loads(text), spec_json)
    files = {WEIGHTS: weights, MANIFEST: text.encode(), SPEC: spec_json.encode()}
    target = root / model_id
    if not is_sound(root, model_id):
        try:
            _write_folder(target, files)
        except OSError as error:
            if not is_sound(root, model_id):  # else another process saved it meanwhile
                raise JobError(f"{target}: cannot write the model: {error.strerror}") from error
    return model_id


def load(root: Path, model_id: str) -> Saved:
    """The model saved under `model_id`, bit for bit, in evaluation mode, after a check of its hash.

    Raises
    ------
    UsageError
        There is no such model; a file is missing, too large or malformed; the hash differs.
    """
    if not _MODEL_ID.fullmatch(model_id):
        raise UsageError(f"a model_id is 16 hexadecimal digits, not {model_id!r}")
    folder = root / model_id
    if not folder.is_dir():
        known = ", ".join(list_models(root)) or "none"
        raise UsageError(f"{folder}: no such model; {root} has: {known}")
    weights, manifest_bytes, spec = (_read(folder / name) for name in (WEIGHTS, MANIFEST, SPEC))
    manifest = _parsed(folder / MANIFEST, manifest_bytes)
    try:
        spec_json = spec.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{folder / SPEC}: no UTF-8 text; {_REMEDY}") from None
    found = _identity(weights, manifest, spec_json)
    if found != model_id:
        raise UsageError(f"{folder}: its files were changed, their hash is {found}; {_REMEDY}")
    if manifest.get("format") != FORMAT:
        raise UsageError(f"{folder / MANIFEST}: format {manifest.get('format')!r} is not {FORMAT}; {_REMEDY}")
    try:
        model = from_bytes(weights)
    except UsageError as error:
        raise UsageError(f"{folder / WEIGHTS}: {error}; {_REMEDY}") from error
    return Saved(model_id, model, manifest, spec_json, weights)


def list_models(root: Path) -> list[str]:
    """Identities of the models in `root`, sorted; none where the folder is missing."""
    if not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if _MODEL_ID.fullmatch(p.name) and p.is_dir())


def to_bytes(model: TagAutoencoder) -> bytes:
    """Weights and shape as one safetensors file, always the same for the same model."""
    shape = json.dumps(asdict(model.config), sort_keys=True)
    return save_tensors(model.state_dict(), metadata={_SHAPE_KEY: shape})


def from_bytes(data: bytes) -> TagAutoencoder:
    """The model that `to_bytes` wrote, in evaluation mode.

    The tensors' names, shapes and types follow from the configuration in the metadata; bytes that
    hold others, or more, are refused before memory is taken for them.

    Raises
    ------
    UsageError
        The bytes are no safetensors file of a `TagAutoencoder`.
    """
    with torch.device("meta"):  # shapes without memory, and the random state stays as it is
        model = TagAutoencoder(_shape(data))
    wanted = model.state_dict()
    size = sum(tensor.nbytes for tensor in wanted.values())
    if len(data) > size + _HEADER_LIMIT:
        raise UsageError(f"{len(data)} bytes of weights, where the model's shape takes {size}")
    try:
        tensors = load_tensors(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise UsageError("no valid safetensors file") from error
    if _signature(tensors) != _signature(wanted):
        raise UsageError("the tensors are not those of the model's shape")
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def _identity(weights: bytes, manifest: Mapping[str, Any], spec_json: str) -> str:
    kept = {key: value for key, value in manifest.items() if key != PROVENANCE}
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    parts = (weights, canonical.encode(), spec_json.encode())
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(digests).hexdigest()[:16]


def is_sound(root: Path, model_id: str) -> bool:
    """Whether the model is there, whole and unchanged."""
    try:
        load(root, model_id)
    except UsageError:
        return False
    return True


def _write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    partial = target.with_name(f".partial-{uuid.uuid4().hex}")
    partial.mkdir(parents=True)
    try:
        for name, content in files.items():
            (partial / name).write_bytes(content)
        if target.exists():
            shutil.rmtree(target)
        os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _read(path: Path) -> bytes:
    limit = _FILE_LIMITS[path.name]
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}; {_REMEDY}") from error
    if len(content) > limit:
        raise UsageError(f"{path}: larger than {limit} bytes; {_REMEDY}")
    return content


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise UsageError(f"{path}: no JSON object; {_REMEDY}")
    return manifest


def _shape(data: bytes) -> AutoencoderConfig:
    """The configuration in the metadata: 8 bytes of length, then a JSON header (safetensors' format)."""
    length = int.from_bytes(data[:8], "little")
    if length > min(len(data) - 8, _HEADER_LIMIT):
        raise UsageError("no valid safetensors header")
    try:
        raw = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_SHAPE_KEY])
        return AutoencoderConfig(**{**raw, "hidden": tuple(raw["hidden"])})
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError("no configuration of an autoencoder in the safetensors header") from error


def _signature(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
