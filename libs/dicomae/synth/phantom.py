"""Pictures that look a little like medicine: ellipses per body part, seen by each modality."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dicomae.synth.anatomy import TISSUES, Shape, Shapes

Image = npt.NDArray[np.float32]


@lru_cache(maxsize=8)
def _grid(matrix: int) -> tuple[Image, Image]:
    axis = np.linspace(-1, 1, matrix, dtype=np.float32)
    return axis[None, :], axis[:, None]


def _radius(shape: Shape, matrix: int, scale: float) -> Image:
    """Squared distance from the shape's centre, 1 on its edge, float32 (matrix, matrix)."""
    x, y = _grid(matrix)
    turn = np.deg2rad(shape.angle)
    dx, dy = x - shape.x * scale, y - shape.y * scale
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / (shape.rx * scale)
    across = (dy * np.cos(turn) - dx * np.sin(turn)) / (shape.ry * scale)
    squared: Image = (along**2 + across**2).astype(np.float32)
    return squared


def section(shapes: Shapes, matrix: int, level: float, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """Index into `TISSUES` of each pixel of a slice; `level` in [-1, 1] is how far from the middle."""
    tissues = list(TISSUES)
    scale = float(np.sqrt(1 - 0.45 * level**2))
    image = np.zeros((matrix, matrix), dtype=np.int8)
    for shape in shapes:
        moved = _moved(shape, rng, 0.02)
        image[_radius(moved, matrix, scale) < 1] = tissues.index(shape.tissue)
    return image


def _moved(shape: Shape, rng: np.random.Generator, by: float) -> Shape:
    dx, dy, sx, sy = rng.normal(0, by, 4)
    return shape._replace(x=shape.x + dx, y=shape.y + dy, rx=shape.rx * (1 + sx), ry=shape.ry * (1 + sy))


def _table(column: int) -> Image:
    return np.array([row[column] for row in TISSUES.values()], dtype=np.float32)


def ct(shapes: Shapes, matrix: int, level: float, noise: float, rng: np.random.Generator) -> Image:
    """CT numbers in HU."""
    image = _table(0)[section(shapes, matrix, level, rng)]
    return image + noise * rng.standard_normal(image.shape, dtype=np.float32)


def mr(shapes: Shapes, matrix: int, level: float, times: Sequence[float], rng: np.random.Generator) -> Image:
    """MR signal from 0 to about 1, for (TR, TE, TI) in ms; TI 0 is no inversion."""
    tr, te, ti = times
    density, t1, t2 = _table(2), _table(3), _table(4)
    inversion = np.abs(1 - 2 * np.exp(-ti / t1)) if ti else 1.0
    signal = density * (1 - np.exp(-tr / t1)) * np.exp(-te / t2) * inversion
    image = (signal / signal.max())[section(shapes, matrix, level, rng)].astype(np.float32)
    x, y = _grid(matrix)
    shading = 1 - 0.15 * (x - 0.3) ** 2 - 0.1 * y**2
    image = image * shading + 0.02 * rng.standard_normal(image.shape, dtype=np.float32)
    magnitude: Image = np.abs(image)
    return magnitude


def projection(shapes: Shapes, matrix: int, view: str, noise: float, rng: np.random.Generator) -> Image:
    """Attenuation along the beam, from 0 (air) to about 1, of the form seen from `view`."""
    narrow = 0.72 if view in ("LL", "RL", "MLO") else 1.0
    weights = dict(zip(TISSUES, _table(1), strict=True))
    image = np.zeros((matrix, matrix), dtype=np.float32)
    for index, shape in enumerate(shapes):
        moved = _moved(shape, rng, 0.015)
        moved = moved._replace(x=moved.x * narrow, rx=moved.rx * narrow)
        depth = np.sqrt(np.clip(1 - _radius(moved, matrix, 1.0), 0, None))
        # A shape replaces what it lies in: lungs are holes in soft tissue, a brain is one in bone.
        under = next((weights[s.tissue] for s in reversed(shapes[:index]) if _holds(s, shape)), 0.0)
        image += (weights[shape.tissue] - under) * depth * min(1.0, 2 * moved.rx)
    if any(shape.tissue == "lung" and shape.ry > 0.4 for shape in shapes):
        image += _ribs(matrix)
    image = np.clip(image, 0, None)
    image /= max(float(image.max()), 1e-6)
    image += noise * rng.standard_normal(image.shape, dtype=np.float32)
    return image


def _holds(outer: Shape, inner: Shape) -> bool:
    """Whether the centre of `inner` lies in `outer` (angles are left aside)."""
    return ((inner.x - outer.x) / outer.rx) ** 2 + ((inner.y - outer.y) / outer.ry) ** 2 < 1


def _ribs(matrix: int) -> Image:
    x, y = _grid(matrix)
    arcs = 0.5 + 0.5 * np.cos(2 * np.pi * (y * 5.5 - 1.2 * x**2))
    ribs: Image = (0.12 * np.clip(arcs - 0.6, 0, None) * (np.abs(x) < 0.8) * (np.abs(y) < 0.75)).astype(
        np.float32
    )
    return ribs


def vessels(matrix: int, fill: float, rng: np.random.Generator) -> Image:
    """A tree of contrast-filled vessels, 0 to 1; `fill` in [0, 1] is how far the contrast has run."""
    image = np.zeros((matrix, matrix), dtype=np.float32)
    stack = [(float(rng.normal(0, 0.1)), -0.9, float(rng.normal(1.57, 0.15)), 0.05, 0)]
    while stack:
        x, y, angle, width, depth = stack.pop()
        length = 0.55 * 0.8**depth
        for _ in range(max(2, int(14 * fill))):
            x, y = x + np.cos(angle) * length / 14, y + np.sin(angle) * length / 14
            angle += float(rng.normal(0, 0.09))
            _stamp(image, x, y, width)
        if depth < 4:
            stack += [(x, y, angle + turn, width * 0.75, depth + 1) for turn in rng.normal([-0.5, 0.5], 0.15)]
    return image


def _stamp(image: Image, x: float, y: float, width: float) -> None:
    """Fill a disc of radius `width` around (x, y)."""
    matrix = image.shape[0]
    column, row, size = (x + 1) / 2 * matrix, (y + 1) / 2 * matrix, max(1, round(width * matrix / 2))
    top, left = max(0, int(row) - size), max(0, int(column) - size)
    corner = image[top : max(0, int(row) + size + 1), left : max(0, int(column) + size + 1)]
    down, right = np.ogrid[top : top + corner.shape[0], left : left + corner.shape[1]]
    corner[(down - row) ** 2 + (right - column) ** 2 <= size**2] = 1.0


def bowel(matrix: int, rng: np.random.Generator) -> Image:
    """Contrast in a winding tube, 0 to 1."""
    image = np.zeros((matrix, matrix), dtype=np.float32)
    bends, shift, width = rng.uniform(1.5, 3), rng.uniform(-0.3, 0.3), rng.uniform(0.12, 0.22)
    for t in np.linspace(-0.85, 0.85, 60):
        _stamp(image, shift + 0.35 * np.sin(bends * np.pi * t), float(t), width * (1 + 0.3 * np.cos(9 * t)))
    return image


def nm(shapes: Shapes, matrix: int, counts: float, rng: np.random.Generator) -> Image:
    """Counts of a gamma camera: blurred uptake with Poisson noise."""
    uptake = np.zeros((matrix, matrix), dtype=np.float32)
    for shape in shapes:
        depth = np.clip(1 - _radius(_moved(shape, rng, 0.03), matrix, 1.0), 0, None)
        uptake += TISSUES[shape.tissue][5] * np.sqrt(depth)
    for _ in range(2):  # two box filters stand for the collimator
        uptake = _blurred(uptake, max(1, matrix // 32))
    counted: Image = rng.poisson(counts * uptake / max(float(uptake.max()), 1e-6)).astype(np.float32)
    return counted


def _blurred(image: Image, half: int) -> Image:
    for axis in (0, 1):
        width = 2 * half + 1
        padded = np.pad(image, [(half + 1, half) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        sums = np.cumsum(padded, axis=axis)
        size = image.shape[axis]
        image = (sums.take(range(width, width + size), axis) - sums.take(range(size), axis)) / width
    return image
