"""What a training has come to, as a row of `models`, as metrics, and for the last line."""

from collections.abc import Sequence
from dataclasses import dataclass

from dicomae.codes import ModelKind
from dicomae.models.training import Trained
from dicomae.tables import Metric, ModelRow


@dataclass(frozen=True)
class Chosen:
    """The model that was chosen for a feature set: columns of `models`."""

    model_id: str
    candidate: str
    width: int
    bottleneck: int
    validation_error: float

    @classmethod
    def of(cls, row: ModelRow) -> "Chosen":
        """The model of a row of `models`; `model_row` has an example."""
        return cls(row.model_id, row.candidate, row.width, row.bottleneck, row.validation_error)


def model_row(chosen: Trained, feature_set: str, spec_id: str, model_id: str, run_id: str) -> ModelRow:
    """The row of `models` for the chosen autoencoder.

    Examples
    --------
    >>> from dicomae.config import Candidate
    >>> from dicomae.models.autoencoder import AutoencoderConfig, TagAutoencoder
    >>> from dicomae.models.training import EpochErrors
    >>> model = TagAutoencoder(AutoencoderConfig(width=30, hidden=(30,), bottleneck=3, negative_slope=0.01))
    >>> narrow = Candidate("narrow", hidden=(), bottleneck=0.1, learning_rate=0.001)
    >>> trained = Trained(narrow, model, (EpochErrors(1, 0.04, 0.05),), diverged_at=None)
    >>> row = model_row(trained, "all", "2e909461", "6c1f375eaee2c7a1", "a-run")
    >>> row.candidate, row.bottleneck, row.validation_error
    ('narrow', 3, 0.05)
    >>> [metric.name for metric in metrics([trained], row)]
    ['reconstruction_error', 'reconstruction_error', 'chosen', 'bottleneck']
    >>> Chosen.of(row).width
    30
    """
    return ModelRow(
        feature_set=feature_set,
        kind=ModelKind.AUTOENCODER,
        model_id=model_id,
        spec_id=spec_id,
        candidate=chosen.candidate.name,
        width=chosen.model.config.width,
        bottleneck=chosen.model.config.bottleneck,
        validation_error=chosen.curves[-1].validation,
        run_id=run_id,
    )


def metrics(trained: Sequence[Trained], model: ModelRow) -> list[Metric]:
    """All candidates' curves, and which candidate was chosen."""
    about = {"feature_set": model.feature_set}
    found: list[Metric] = []
    for one in trained:
        for errors in one.curves:
            labels = {**about, "candidate": one.candidate.name, "epoch": errors.epoch}
            found.append(Metric("reconstruction_error", {**labels, "split": "train"}, errors.train))
            found.append(Metric("reconstruction_error", {**labels, "split": "validation"}, errors.validation))
    chosen = {**about, "kind": model.kind, "model_id": model.model_id}
    found.append(Metric("chosen", {**chosen, "candidate": model.candidate}, 1.0))
    found.append(Metric("bottleneck", chosen, float(model.bottleneck)))
    return found
