"""conf/paper.toml holds the paper's parameters, as its text states them."""

from pathlib import Path

import pytest

from dicomae.config import Config, load
from dicomae.models.autoencoder import bottleneck_size
from dicomae.models.training import architecture

CONF = Path(__file__).resolve().parents[2] / "conf"


@pytest.fixture(scope="module")
def paper() -> Config:
    return load(CONF / "paper.toml")


def test_the_sample_is_the_papers(paper: Config) -> None:
    sample = paper.sample
    assert set(sample.modalities) == {"CT", "CR", "MR", "XA", "NM", "RF"}
    assert set(sample.photometric_interpretations) == {"MONOCHROME1", "MONOCHROME2"}
    assert (sample.train, sample.validation, sample.test) == (0.72, 0.08, 0.20)
    assert 24_000 <= 6 * sample.per_modality <= 26_000
    assert sample.split_by == "instance"


def test_the_funnel_is_the_papers(paper: Config) -> None:
    assert paper.funnel.minimum_unique == 2
    assert paper.funnel.minimum_fill == 0.20
    assert paper.funnel.fill_scope == "global"
    assert paper.funnel.maximum_categories == 50
    assert {"StudyDescription", "ProtocolName", "ImageComments"} <= set(paper.funnel.free_text)
    assert paper.features.bounds == "minmax"
    assert paper.features.minimum_patients == 1


def test_the_network_is_the_papers(paper: Config) -> None:
    training = paper.training
    assert (training.epochs, training.batch_size) == (10, 64)
    for candidate in training.candidates:
        shape = architecture(candidate, 565, training.negative_slope)
        assert (shape.width, *shape.hidden, shape.bottleneck) == (565, 256, 128, 64, 56)
    assert bottleneck_size(565, 0.10) == 56


def test_the_clustering_is_the_papers(paper: Config) -> None:
    assert paper.clustering.engine == "alternate"
    assert paper.clustering.maximum_iterations == 300
    assert paper.clustering.n_clusters == (4, 7, 11, 15, 20, 25, 30, 40, 50, 75, 100, 150)
    assert (paper.evaluation.average_method, paper.evaluation.alpha) == ("arithmetic", 0.05)
