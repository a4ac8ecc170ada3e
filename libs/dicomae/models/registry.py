"""Models in folders: weights as safetensors and JSON beside them, each addressed by its hash.

A folder is named by the model's id, and holds three files:

    registry/6c1f375eaee2c7a1/weights.safetensors   the weights; the metadata hold the model's shape
    registry/6c1f375eaee2c7a1/manifest.json         its kind and shape, and how it was trained
    registry/6c1f375eaee2c7a1/spec.json             the feature specification whose X it takes

Nothing is unpickled, and no path in a file is followed.
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

from dicomae.codes import ModelKind
from dicomae.errors import JobError, UsageError
from dicomae.models.kinds import KINDS, Model, kind_of, parse_kind

WEIGHTS, MANIFEST, SPEC = "weights.safetensors", "manifest.json", "spec.json"
FORMAT = 1
KIND = "kind"  # of the manifest: a `ModelKind`
PROVENANCE = "provenance"  # of the manifest: it may differ when the model is the same

_REMEDY = "restore the folder from a backup, or remove it and run jobs/train.py again"
_MODEL_ID = re.compile(r"[0-9a-f]{16}")
_NOT_IN_IDENTITY = (PROVENANCE, KIND)  # the kind is: by the metadata of the weights
_FILE_LIMITS = {WEIGHTS: 1 << 32, MANIFEST: 1 << 26, SPEC: 1 << 26}  # bytes


@dataclass(frozen=True)
class Saved:
    """A model as `load` finds it; `weights` are what `from_bytes` of its kind takes.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from dicomae.models.reductions import fit_pca
    >>> model = fit_pca(np.eye(3, dtype=np.float32), n_components=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = load(Path(folder), save(Path(folder), model, {}, spec_json="{}"))
    >>> isinstance(saved, Saved), saved.kind
    (True, <ModelKind.PCA: 'pca'>)
    """

    model_id: str
    kind: ModelKind
    model: Model
    manifest: dict[str, Any]
    spec_json: str
    weights: bytes


def save(root: Path, model: Model, manifest: Mapping[str, Any], spec_json: str) -> str:
    """The identity of `model`, which now lies complete in `root/<model_id>`.

    A folder is filled beside its place and then renamed, so that nobody sees half a model. Saving the
    same model again changes nothing. A damaged folder is replaced.

    Parameters
    ----------
    manifest : values for JSON. All of it is part of the identity, except its entry `provenance`. What
        may differ between two trainings that give the same model belongs there: the run, and the
        versions of the tables. `format`, `kind`, and the shape under the kind's name are added.
    spec_json : the feature specification, stored as it is.

    Returns
    -------
    model_id : the first 16 hexadecimal digits of SHA-256 over the SHA-256 of the weights, of the
        manifest without `provenance` and `kind` as canonical JSON, and of the specification. The
        weights tell the kind, so it is part of the identity all the same.

    Raises
    ------
    UsageError
        The manifest is no JSON (NaN is none).
    JobError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from dicomae.models.reductions import fit_pca
    >>> model = fit_pca(np.eye(3, dtype=np.float32), n_components=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model_id = save(Path(folder), model, {"feature_set": "all"}, spec_json="{}")
    ...     manifest = load(Path(folder), model_id).manifest
    >>> manifest
    {'feature_set': 'all', 'format': 1, 'kind': 'pca', 'pca': {'width': 3, 'bottleneck': 1}}
    """
    kind = kind_of(model)
    weights = KINDS[kind].to_bytes(model)
    complete = {**manifest, "format": FORMAT, KIND: kind, kind: asdict(model.config)}
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
        There is no such model; a file is missing, too large or malformed; the hash differs; the
        kind is not known.

    Examples
    --------
    >>> load(Path("/nowhere"), "6c1f375eaee2c7a1")
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: /nowhere/6c1f375eaee2c7a1: no such model; /nowhere has: none
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
    kind = _kind(folder / MANIFEST, manifest)
    try:
        model = KINDS[kind].from_bytes(weights)
    except UsageError as error:
        raise UsageError(f"{folder / WEIGHTS}: {error}; {_REMEDY}") from error
    return Saved(model_id, kind, model, manifest, spec_json, weights)


def list_models(root: Path) -> list[str]:
    """Identities of the models in `root`, sorted; none when there is no such folder.

    Examples
    --------
    >>> list_models(Path("/nowhere"))
    []
    """
    if not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if _MODEL_ID.fullmatch(p.name) and p.is_dir())


def _identity(weights: bytes, manifest: Mapping[str, Any], spec_json: str) -> str:
    kept = {key: value for key, value in manifest.items() if key not in _NOT_IN_IDENTITY}
    canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    parts = (weights, canonical.encode(), spec_json.encode())
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(digests).hexdigest()[:16]


def is_sound(root: Path, model_id: str) -> bool:
    """Whether the model is there, whole and unchanged.

    Examples
    --------
    >>> is_sound(Path("/nowhere"), "6c1f375eaee2c7a1")
    False
    """
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


def _kind(path: Path, manifest: Mapping[str, Any]) -> ModelKind:
    try:
        return parse_kind(manifest.get(KIND))
    except UsageError as error:
        raise UsageError(f"{path}: {error}; {_REMEDY}") from error
