"""The kinds of models: of each, how it becomes bytes, is read from them, and compresses rows.

A new kind is one line here, a code in `codes.ModelKind`, and a module that says how it compresses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from dicomae.codes import ModelKind
from dicomae.errors import UsageError
from dicomae.models import autoencoder, reductions
from dicomae.models.autoencoder import TagAutoencoder
from dicomae.models.chunks import Floats
from dicomae.models.reductions import PrincipalComponents

Model = TagAutoencoder | PrincipalComponents
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Kind(Generic[M]):
    """What the registry and the embedding need to know of a kind.

    Attributes
    ----------
    type : class of its models; each has a `config` with `width` and `bottleneck`.
    to_bytes : the model as one safetensors file, always the same bytes for the same model.
    from_bytes : the model again; UsageError for any other bytes.
    compress : (model, X, batch_rows) -> embeddings and reconstruction errors; a row's result depends
        on that row alone.

    Examples
    --------
    >>> KINDS[ModelKind.PCA].type.__name__
    'PrincipalComponents'
    """

    type: type[M]
    to_bytes: Callable[[M], bytes]
    from_bytes: Callable[[bytes], M]
    compress: Callable[[M, Floats, int], tuple[Floats, Floats]]


KINDS: Mapping[ModelKind, Kind[Any]] = MappingProxyType(
    {
        ModelKind.AUTOENCODER: Kind(
            TagAutoencoder, autoencoder.to_bytes, autoencoder.from_bytes, autoencoder.compress
        ),
        ModelKind.PCA: Kind(
            PrincipalComponents, reductions.to_bytes, reductions.from_bytes, reductions.compress
        ),
    }
)


def parse_kind(name: object) -> ModelKind:
    """The kind of this name.

    Raises
    ------
    UsageError
        There is no such kind.

    Examples
    --------
    >>> parse_kind("pca")
    <ModelKind.PCA: 'pca'>
    >>> parse_kind("svd")
    Traceback (most recent call last):
    ...
    dicomae.errors.UsageError: kind 'svd' of a model is not known; known are: autoencoder, pca
    """
    for kind in ModelKind:
        if kind == name:
            return kind
    raise UsageError(f"kind {name!r} of a model is not known; known are: {', '.join(ModelKind)}")


def kind_of(model: Model) -> ModelKind:
    """The kind of a model.

    Examples
    --------
    >>> import numpy as np
    >>> kind_of(reductions.fit_pca(np.eye(3, dtype=np.float32), n_components=2))
    <ModelKind.PCA: 'pca'>
    """
    return next(name for name, kind in KINDS.items() if isinstance(model, kind.type))
