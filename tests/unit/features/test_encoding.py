import numpy as np
import pytest
from tests.unit.features.header_batches import Header, elements_batch, header_batch

from dicomae.features import encoding
from dicomae.features.feature import Feature

FEATURES = (
    Feature("BodyPartExamined", "BodyPartExamined", None, "categorical", None, None, ("HIP", "KNEE")),
    Feature("ImageType", "ImageType", None, "categorical", None, None, ("DERIVED", "ORIGINAL\\PRIMARY")),
    Feature("PixelSpacing0", "PixelSpacing", 0, "numeric", 0.0, 2.0, ()),
    Feature("PixelSpacing2", "PixelSpacing", 2, "numeric", -1.0, 1.0, ()),
    Feature("Rows", "Rows", None, "numeric", 100.0, 300.0, ()),
)
PLAN = encoding.plan(FEATURES)
# Columns: HIP, KNEE, DERIVED, ORIGINAL\PRIMARY, PixelSpacing0, PixelSpacing2, Rows.


@pytest.mark.parametrize(
    ("elements", "x", "counts"),
    [
        ({}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 0)),
        (None, [0, 0, 0, 0, 0, 0, 0], (0, 0, 0)),
        ({"Other": "1", "Rows0": "200"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 0)),
        ({"ImageType": "DERIVED"}, [0, 0, 1, 0, 0, 0, 0], (0, 0, 0)),
        ({"ImageType": "ORIGINAL\\PRIMARY"}, [0, 0, 0, 1, 0, 0, 0], (0, 0, 0)),
        ({"ImageType": "ORIGINAL"}, [0, 0, 0, 0, 0, 0, 0], (1, 0, 0)),
        ({"ImageType": "HIP"}, [0, 0, 0, 0, 0, 0, 0], (1, 0, 0)),  # another feature's category
        ({"ImageType": " "}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 0)),
        ({"ImageType": None, "Rows": None}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 0)),
        ({"Rows": "100"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 0)),
        ({"Rows": "150"}, [0, 0, 0, 0, 0, 0, 0.25], (0, 0, 0)),
        ({"Rows": "300"}, [0, 0, 0, 0, 0, 0, 1], (0, 0, 0)),
        ({"Rows": "99"}, [0, 0, 0, 0, 0, 0, 0], (0, 1, 0)),
        ({"Rows": "1e400"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 1)),
        ({"Rows": "nan"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 1)),
        ({"Rows": "large"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 1)),
        ({"Rows": "200\\9999\\x"}, [0, 0, 0, 0, 0, 0, 0.5], (0, 0, 0)),  # the first component alone
        ({"PixelSpacing": "0,5"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 1)),
        ({"PixelSpacing": "NaN\\1\\inf"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 2)),
        ({"Rows": "1e308"}, [0, 0, 0, 0, 0, 0, 1], (0, 1, 0)),
        ({"Rows": "99999999999"}, [0, 0, 0, 0, 0, 0, 1], (0, 1, 0)),  # beyond int32, which an IS must not be
        ({"PixelSpacing": "1\\x\\0"}, [0, 0, 0, 0, 0.5, 0.5, 0], (0, 0, 0)),  # component 1 is no feature
        ({"PixelSpacing": "\\\\1"}, [0, 0, 0, 0, 0, 1, 0], (0, 0, 0)),
        ({"PixelSpacing": "a\\b\\c"}, [0, 0, 0, 0, 0, 0, 0], (0, 0, 2)),
        ({"PixelSpacing": "3\\0\\-3\\x"}, [0, 0, 0, 0, 1, 0, 0], (0, 2, 0)),
    ],
)
def test_each_outcome(elements: dict[str, str | None], x: list[float], counts: tuple[int, ...]) -> None:
    encoded = encoding.encode(PLAN, elements_batch(elements))
    assert encoded.X.tolist() == [x]
    found = (encoded.out_of_vocabulary[0], encoded.clipped[0], encoded.unparsed[0])
    assert found == counts


def test_the_body_part_is_the_repaired_one() -> None:
    headers = [Header(body_part=part, elements={"BodyPartExamined": "HIP"}) for part in ("KNEE", None, "TOE")]
    encoded = encoding.encode(PLAN, header_batch(headers))
    assert encoded.X[:, :2].tolist() == [[0, 1], [0, 0], [0, 0]]
    assert encoded.out_of_vocabulary.tolist() == [0, 0, 1]


def test_shapes_and_types_of_nothing() -> None:
    for plan, rows, shape in ((PLAN, [], (0, 7)), (encoding.plan(()), [{"Rows": "1"}], (1, 0))):
        encoded = encoding.encode(plan, elements_batch(*rows))
        assert encoded.X.shape == shape
        assert encoded.X.dtype == np.float32
        for counts in (encoded.out_of_vocabulary, encoded.clipped, encoded.unparsed):
            assert counts.shape == shape[:1]
            assert counts.dtype == np.int32


def test_categories_alone_and_numbers_alone() -> None:
    batch = elements_batch({"ImageType": "DERIVED", "Rows": "200"})
    assert encoding.encode(encoding.plan(FEATURES[1:2]), batch).X.tolist() == [[1, 0]]
    assert encoding.encode(encoding.plan(FEATURES[4:]), batch).X.tolist() == [[0.5]]


def test_a_span_as_wide_as_floats_go() -> None:
    widest = float(np.finfo(np.float64).max) / 2
    plan = encoding.plan((Feature("Rows", "Rows", None, "numeric", -widest, widest, ()),))
    batch = elements_batch({"Rows": "-1.7e308"}, {"Rows": "0"}, {"Rows": "1.7e308"})
    encoded = encoding.encode(plan, batch)
    assert encoded.X.ravel().tolist() == [0, 0.5, 1]
    assert encoded.clipped.tolist() == [1, 0, 1]


def test_a_span_as_small_as_floats_go() -> None:
    plan = encoding.plan((Feature("Rows", "Rows", None, "numeric", 0.0, 5e-324, ()),))
    batch = elements_batch({"Rows": "0"}, {"Rows": "5e-324"}, {"Rows": "1"})
    assert encoding.encode(plan, batch).X.ravel().tolist() == [0, 1, 1]
