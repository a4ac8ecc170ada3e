"""Phantoms: what is bright where, by physics."""

import numpy as np
import pytest

from dicomae.synth import anatomy, phantom
from dicomae.synth.bodyparts import PARTS

SIZE = 64
CENTER = SIZE // 2


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def at(image: phantom.Image, x: float, y: float) -> float:
    """Mean of the 3 × 3 pixels around (x, y), which run from -1 to 1."""
    column, row = round((x + 1) / 2 * (SIZE - 1)), round((y + 1) / 2 * (SIZE - 1))
    return float(image[row - 1 : row + 2, column - 1 : column + 2].mean())


def test_a_thorax_in_hounsfield_units() -> None:
    image = phantom.ct(anatomy.shapes_of("torso", "CHEST"), SIZE, 0.0, 0.0, rng())
    assert at(image, -0.95, -0.95) == -1000  # air around
    assert at(image, -0.42, 0.0) == -820  # lung
    assert at(image, 0.10, -0.08) == 150  # blood with contrast


def test_fluid_is_bright_in_t2_and_dark_in_flair() -> None:
    shapes = anatomy.shapes_of("head", "BRAIN")
    t2 = phantom.mr(shapes, SIZE, 0.0, (4100, 98, 0), rng())
    flair = phantom.mr(shapes, SIZE, 0.0, (8800, 120, 2450), rng())
    fluid, white = (-0.10, -0.08), (-0.40, 0.1)
    assert at(t2, *fluid) > 2 * at(t2, *white)
    assert at(flair, *fluid) < at(flair, *white)


def test_lungs_let_x_rays_through_and_bones_do_not() -> None:
    image = phantom.projection(anatomy.shapes_of("pelvis", "PELVIS"), SIZE, "AP", 0.0, rng())
    assert at(image, -0.95, -0.95) == 0
    assert at(image, -0.52, 0.25) > at(image, -0.05, 0.05)
    chest = phantom.projection(anatomy.shapes_of("torso", "CHEST"), SIZE, "PA", 0.0, rng())
    assert at(chest, 0.42, 0.0) < at(chest, 0.10, -0.08)


def test_contrast_runs_on_from_frame_to_frame() -> None:
    filled = [phantom.vessels(SIZE, fill, rng()).sum() for fill in (0.2, 0.6, 1.0)]
    assert filled[0] < filled[1] < filled[2]


def test_counts_are_whole_and_have_the_variance_of_their_mean() -> None:
    draws = np.stack([phantom.nm(anatomy.shapes_of("neck", "CSPINE"), SIZE, 50.0, np.random.default_rng(i))
                      for i in range(60)])  # fmt: skip
    assert (draws == np.round(draws)).all()
    assert draws.min() >= 0
    center = draws[:, CENTER, CENTER]
    # Poisson alone gives variance = mean; the moving shapes add a little.
    assert 0.5 * center.mean() < center.var() < 6 * center.mean()


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_shapes_of_known_tissues(name: str) -> None:
    shapes = anatomy.shapes_of(PARTS[name].form, name)
    assert {shape.tissue for shape in shapes} <= set(anatomy.TISSUES)
    assert all(shape.rx > 0 and shape.ry > 0 for shape in shapes)


def test_every_landmark_belongs_to_a_part() -> None:
    assert set(anatomy.LANDMARKS) <= set(PARTS)
