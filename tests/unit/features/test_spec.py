import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.features.header_batches import Header, elements_batch, header_batch

from dicomae import config
from dicomae.errors import UsageError
from dicomae.features import devices, spec
from dicomae.features.spec import FeatureSpec

CLIPPED = dataclasses.replace(
    config.load(Path(__file__).resolve().parents[3] / "conf" / "default.toml").features,
    bounds="clipped",
    lower_quantile=0.001,
    upper_quantile=0.999,
    maximum_values=16,
    minimum_patients=1,
)
MINMAX = dataclasses.replace(CLIPPED, bounds="minmax")
LABELS = ["Modality", "BodyPartExamined"]


def decided(**kinds: str) -> pa.Table:
    return pa.table({"key": list(kinds), "decision": list(kinds.values())})


def fitted(batch: pa.RecordBatch | pa.Table, by: config.FeaturesConfig = MINMAX, **kinds: str) -> FeatureSpec:
    return spec.fit(batch, decided(**kinds), by, "all", LABELS)


def test_a_case_by_hand() -> None:
    batch = header_batch(
        [
            Header("CT", "HIP", {"Modality": "CT", "PixelSpacing": "0.5\\0.5\\9", "Rows": "100", "X": "1"}),
            Header("MR", "KNEE", {"Modality": "MR", "PixelSpacing": "0.7\\0.5", "Rows": "300", "X": "2"}),
            Header("CT", None, {"Modality": "CT", "PixelSpacing": None, "Rows": "150", "X": "3"}),
        ]
    )
    kinds = {"Rows": "numeric", "PixelSpacing": "numeric", "Modality": "categorical"}
    found = fitted(batch, **kinds, BodyPartExamined="categorical", X="dropped")
    assert found.columns == [
        "BodyPartExamined=HIP",
        "BodyPartExamined=KNEE",
        "Modality=CT",
        "Modality=MR",
        "PixelSpacing0",
        "Rows",
    ]
    assert found.left_out == ("PixelSpacing1", "PixelSpacing2")  # constant; a single 9
    assert (found.width, found.feature_set) == (6, "all")
    assert found.encode(batch).X.tolist() == [[1, 0, 1, 0, 0, 0], [0, 1, 0, 1, 1, 1], [0, 0, 1, 0, 0, 0.25]]


def test_without_labels_leaves_the_labels_out() -> None:
    batch = header_batch([Header("CT", "HIP", {"Modality": "CT", "A": "1"})])
    kinds = decided(Modality="categorical", BodyPartExamined="categorical", A="categorical")
    found = spec.fit(batch, kinds, MINMAX, "without_labels", LABELS)
    assert (found.columns, found.left_out) == (["A=1"], ())


def test_whole_values_are_categories_and_blanks_are_none() -> None:
    rows = [{"ImageType": text} for text in ("B\\A", "A\\B", " ", "\\", "", None, "A\\B", "A")]
    found = fitted(elements_batch(*rows), ImageType="categorical")
    assert found.columns == ["ImageType=A", "ImageType=A\\B", "ImageType=B\\A"]


def of_patients(*rows: tuple[str | None, str | None]) -> pa.RecordBatch:
    """(patient, value of A)."""
    return header_batch([Header(patient=patient, elements={"A": value}) for patient, value in rows])


def test_a_category_of_too_few_patients_is_none() -> None:
    batch = of_patients(
        *[("P1", "Anna's")] * 9,  # a whole series, and still one patient
        *[(f"P{i}", "common") for i in (1, 1, 2, 3)],
        *[(f"P{i}", "rare") for i in (4, 4, 5)],
    )
    by = dataclasses.replace(MINMAX, minimum_patients=3)
    found = fitted(batch, by, A="categorical")
    assert (found.columns, found.left_out) == (["A=common"], ())
    encoded = found.encode(batch)
    assert encoded.X.ravel().tolist() == [0] * 9 + [1] * 4 + [0] * 3
    assert encoded.out_of_vocabulary.tolist() == [1] * 9 + [0] * 4 + [1] * 3
    cut = pa.Table.from_batches([batch.slice(i, 2) for i in range(0, len(batch), 2)])
    assert fitted(cut, by, A="categorical") == found


def test_a_feature_whose_categories_all_have_too_few_patients_is_left_out() -> None:
    batch = of_patients(("P1", "x"), ("P1", "x"), ("P2", "y"))
    found = fitted(batch, dataclasses.replace(MINMAX, minimum_patients=2), A="categorical")
    assert (found.columns, found.left_out) == ([], ("A",))


def test_all_rows_without_a_patient_count_as_one() -> None:
    batch = of_patients((None, "x"), (None, "x"), (None, "x"), ("P1", "x"), (None, "y"), (None, "y"))
    for minimum, columns in ((1, ["A=x", "A=y"]), (2, ["A=x"]), (3, [])):
        by = dataclasses.replace(MINMAX, minimum_patients=minimum)
        assert fitted(batch, by, A="categorical").columns == columns


def test_the_body_parts_patients_are_counted_too() -> None:
    headers = [
        Header(body_part=part, patient=who) for part, who in (("HIP", "1"), ("HIP", "2"), ("TOE", "2"))
    ]
    by = dataclasses.replace(MINMAX, minimum_patients=2)
    found = fitted(header_batch(headers), by, BodyPartExamined="categorical")
    assert found.columns == ["BodyPartExamined=HIP"]


def test_what_was_not_read_is_no_category_and_no_number() -> None:
    batch = elements_batch({"A": "[12 bytes]", "B": "[2 bytes]"}, {"A": "x", "B": "3"}, {"A": "y", "B": "4"})
    found = fitted(batch, A="categorical", B="numeric")
    assert found.columns == ["A=x", "A=y", "B"]
    encoded = found.encode(batch)
    assert encoded.X.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 1]]
    assert (encoded.out_of_vocabulary.sum(), encoded.unparsed.sum()) == (0, 0)


def test_what_the_training_part_does_not_fill_is_left_out() -> None:
    batch = elements_batch({"A": None, "B": " ", "C": "text", "D": "5"}, {"D": "5.0"})
    found = fitted(
        batch, A="categorical", B="numeric", C="numeric", D="numeric", E="numeric", F="categorical"
    )
    assert found.features == ()
    assert found.left_out == ("A", "B", "C", "D", "E", "F")
    assert found.encode(batch).X.shape == (2, 0)


def test_one_absurd_value_moves_the_minimum_but_not_the_clipped_bounds() -> None:
    rows = [{"Rows": str(n)} for n in range(1, 2001)] + [{"Rows": "1e300"}]
    (clipped,) = fitted(elements_batch(*rows), CLIPPED, Rows="numeric").features
    (minmax,) = fitted(elements_batch(*rows), MINMAX, Rows="numeric").features
    # 2,001 numbers: the quantiles are at places 2 and 1,998, the numbers 3 and 1,999.
    assert (clipped.lower, clipped.upper) == (3.0, 1999.0)
    assert (minmax.lower, minmax.upper) == (1.0, 1e300)


@pytest.mark.parametrize("absurd", ["1e308", "-1e308", "99999999999", "9999", "2147483648"])
@pytest.mark.parametrize("percent", [1, 5])
def test_some_absurd_values_do_not_flatten_a_feature(absurd: str, percent: int) -> None:
    honest = [{"KVP": str(80 + i % 61)} for i in range(1000)]
    batch = elements_batch(*honest, *[{"KVP": absurd}] * (10 * percent))
    (feature,) = fitted(batch, CLIPPED, KVP="numeric").features
    assert (feature.lower, feature.upper) == (80.0, 140.0)
    encoded = fitted(batch, CLIPPED, KVP="numeric").encode(batch)
    assert encoded.clipped.sum() == 10 * percent
    assert encoded.X[:61, 0].tolist() == pytest.approx([i / 60 for i in range(61)])


def test_absurd_values_beside_one_that_nearly_all_have() -> None:
    rows = (
        [{"Rows": "512"}] * 900 + [{"Rows": "256"}] * 40 + [{"Rows": "1024"}] * 40 + [{"Rows": "1e308"}] * 10
    )
    (feature,) = fitted(elements_batch(*rows), CLIPPED, Rows="numeric").features
    assert (feature.lower, feature.upper) == (256.0, 1024.0)


def test_two_honest_clusters_stay() -> None:
    rows = [{"ImagingFrequency": str(63.8 + i / 10_000)} for i in range(850)] + [
        {"ImagingFrequency": "127.9"}
    ] * 150
    (feature,) = fitted(elements_batch(*rows), CLIPPED, ImagingFrequency="numeric").features
    assert (feature.lower, feature.upper) == (63.8001, 127.9)


def test_nothing_but_absurd_values() -> None:
    rows = [{"A": "1e308", "B": "NaN"}, {"A": "-1e308", "B": "inf"}, {"A": "1e308", "B": "1,5"}]
    found = fitted(elements_batch(*rows), CLIPPED, A="numeric", B="numeric")
    assert (found.columns, found.left_out) == (["A"], ("B",))
    encoded = found.encode(elements_batch(*rows))
    assert (encoded.X.ravel().tolist(), encoded.unparsed.tolist()) == ([1, 0, 1], [0, 0, 0])


def test_spoilt_numbers_are_no_words() -> None:
    rows = [{"A": text} for text in ("LEFT", "NaN", "inf", "1,5", "1e999", "2", "NaN\\1")]
    assert fitted(elements_batch(*rows), CLIPPED, A="categorical").columns == ["A=2", "A=LEFT"]


def test_a_category_of_too_few_devices_is_none() -> None:
    made_by = ["CT1", "CT1", "CT2", None, "CT1", None]
    texts = ["two", "one", "two", "none", "one", "none"]
    batch = pa.Table.from_batches([of_patients(*((f"P{i}", text) for i, text in enumerate(texts)))])
    for name in devices.COLUMNS:
        batch = batch.append_column(name, pa.array(made_by if name == "StationName" else ["X"] * 6))
    batch = batch.drop_columns(["DeviceSerialNumber"]).append_column("DeviceSerialNumber", pa.nulls(6))
    by = dataclasses.replace(MINMAX, minimum_devices=2)
    free = spec.fit(batch, decided(A="categorical"), by, "all", LABELS)
    found = spec.fit(batch, decided(A="categorical"), by, "all", LABELS, needing_devices={"A"})
    assert (free.columns, found.columns) == (["A=none", "A=one", "A=two"], ["A=two"])
    cut = pa.Table.from_batches([b for i in range(0, 6, 2) for b in batch.slice(i, 2).to_batches()])
    assert spec.fit(cut, decided(A="categorical"), by, "all", LABELS, needing_devices={"A"}) == found


def test_bounds_that_clipping_makes_equal_fall_back_to_minimum_and_maximum() -> None:
    rows = [{"Rows": "512"}] * 2000 + [{"Rows": "256"}]
    (feature,) = fitted(elements_batch(*rows), CLIPPED, Rows="numeric").features
    assert (feature.lower, feature.upper) == (256.0, 512.0)


def test_the_largest_floats_make_a_finite_span() -> None:
    batch = elements_batch({"Rows": "-1.7e308"}, {"Rows": "1.7e308"}, {"Rows": "0"})
    for by in (CLIPPED, MINMAX):
        found = fitted(batch, by, Rows="numeric")
        assert found.encode(batch).X.ravel().tolist() == [0, 1, 0.5]
        assert FeatureSpec.from_json(found.to_json()) == found


def test_no_more_components_than_configured() -> None:
    batch = elements_batch({"A": "1\\2\\3\\4"}, {"A": "5\\6\\7\\8"})
    by = dataclasses.replace(MINMAX, maximum_values=3)
    assert fitted(batch, by, A="numeric").columns == ["A0", "A1", "A2"]
    by = dataclasses.replace(MINMAX, maximum_values=1)
    assert fitted(batch, by, A="numeric").columns == ["A"]


def test_no_training_rows() -> None:
    found = fitted(elements_batch(), A="numeric", B="categorical")
    assert (found.features, found.left_out) == ((), ("A", "B"))


@pytest.mark.parametrize(
    ("feature_set", "lower", "upper"),
    [("some", 0.0, 1.0), ("all", 0.5, 0.5), ("all", -0.1, 1.0), ("all", 0.0, 1.1)],
)
def test_a_bad_call(feature_set: str, lower: float, upper: float) -> None:
    by = dataclasses.replace(CLIPPED, lower_quantile=lower, upper_quantile=upper)
    with pytest.raises(UsageError, match="feature_set" if feature_set == "some" else "quantile"):
        spec.fit(elements_batch(), decided(), by, feature_set, LABELS)


KINDS = {"Rows": "numeric", "PixelSpacing": "numeric", "Modality": "categorical", "ImageType": "categorical"}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.integers(-9, 9).map(str)
VALUES = (
    st.none() | st.lists(NUMBERS, min_size=1, max_size=3).map("\\".join) | st.sampled_from(["", "A", "B\\x"])
)
ROWS = st.lists(st.none() | st.dictionaries(st.sampled_from(sorted(KINDS)), VALUES), min_size=1, max_size=8)


def naive(found: FeatureSpec, rows: list[dict[str, str | None] | None]) -> npt.NDArray[np.float32]:
    """X by plain loops."""
    X = np.zeros((len(rows), found.width), np.float32)
    for x, row in zip(X, rows, strict=True):
        for column, (feature, category) in enumerate(
            (f, c) for f in found.features for c in f.vocabulary or [None]
        ):
            text = (row or {}).get(feature.key)
            if text is None:
                continue
            if feature.key == "Modality":
                text = next((value.upper() for value in text.split("\\") if value), "")
            if category is not None:
                x[column] = text == category
                continue
            try:
                number = float(text.split("\\")[feature.index or 0])
            except (ValueError, IndexError):
                continue
            inside = min(max(number, feature.lower), feature.upper)
            x[column] = (inside - feature.lower) / (feature.upper - feature.lower)
    return X


@settings(deadline=None, max_examples=60)
@given(ROWS, ROWS, st.sampled_from([CLIPPED, MINMAX]))
def test_equal_to_plain_loops_on_old_and_new_rows(train: Any, new: Any, by: config.FeaturesConfig) -> None:
    found = fitted(elements_batch(*train), by, **KINDS)
    for rows in (train, new):
        X = found.encode(elements_batch(*rows)).X
        np.testing.assert_array_equal(X, naive(found, rows))
        assert X.min(initial=0) >= 0
        assert X.max(initial=0) <= 1


@settings(deadline=None, max_examples=30)
@given(ROWS)
def test_the_training_part_fits_its_own_minimum_and_maximum(train: Any) -> None:
    half = float(np.finfo(np.float64).max) / 2
    batch = elements_batch(*train)
    found = fitted(batch, MINMAX, **KINDS)
    encoded = found.encode(batch)
    assert encoded.out_of_vocabulary.sum() == 0
    if all(abs(f.lower or 0.0) < half and abs(f.upper or 0.0) < half for f in found.features):
        assert encoded.clipped.sum() == 0


@settings(deadline=None, max_examples=30)
@given(ROWS, st.integers(1, 3))
def test_neither_fit_nor_encoding_depends_on_how_batches_are_cut(rows: Any, size: int) -> None:
    batch = elements_batch(*rows)
    cut = pa.Table.from_batches([batch.slice(i, size) for i in range(0, len(batch), size)])
    found = fitted(batch, CLIPPED, **KINDS)
    assert fitted(cut, CLIPPED, **KINDS) == found
    whole = found.encode(batch)
    parts = [found.encode(part) for part in cut.to_batches()]
    for name in ("X", "out_of_vocabulary", "clipped", "unparsed"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


@pytest.fixture
def small() -> FeatureSpec:
    rows = [{"A": "1\\2", "B": "0.1", "Modality": "CT"}, {"A": "3\\4", "B": "0.30000000000000004", "C": "5"}]
    kinds = {"A": "numeric", "B": "numeric", "C": "numeric", "Modality": "categorical"}
    return fitted(elements_batch(*rows), **kinds)


def test_json_there_and_back(small: FeatureSpec) -> None:
    again = FeatureSpec.from_json(small.to_json())
    assert again == small
    assert again.to_json() == small.to_json()
    raw = json.loads(small.to_json())
    assert small.to_json() == json.dumps(raw, sort_keys=True, separators=(",", ":"))  # canonical
    assert again.spec_id == hashlib.sha256(small.to_json().encode()).hexdigest()


def test_the_order_of_keys_and_blanks_in_json_does_not_matter(small: FeatureSpec) -> None:
    raw = json.loads(small.to_json())
    other = json.dumps(dict(reversed(raw.items())), indent=2)
    assert FeatureSpec.from_json(other).spec_id == small.spec_id


def test_any_difference_is_another_specification(small: FeatureSpec) -> None:
    first, *rest = small.features
    others = [
        dataclasses.replace(small, feature_set="without_labels"),
        dataclasses.replace(small, features=tuple(rest)),
        dataclasses.replace(small, features=(*rest, first)),
        dataclasses.replace(small, left_out=()),
    ]
    assert len({small.spec_id, *(other.spec_id for other in others)}) == 5


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"x"', "{}", "[" * 100_000, '{"version": 1}'])
def test_no_specification_at_all(text: str) -> None:
    with pytest.raises(UsageError):
        FeatureSpec.from_json(text)


def test_a_specification_is_what_it_does_alone(small: FeatureSpec) -> None:
    # No version, run or time: the same decisions give the same models, whatever the tables went through.
    assert set(json.loads(small.to_json())) == {"version", "features", "feature_set", "left_out"}


NUMERIC, CATEGORICAL = 0, 3  # places of A0 and Modality in `small`


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        (None, "version", 1),
        (None, "version", True),
        (None, "features", {}),
        (None, "features", [None]),
        (None, "features", [[]]),
        (None, "feature_set", "some"),
        (None, "feature_set", []),
        (None, "left_out", "A"),
        (None, "left_out", [1]),
        (None, "left_out", [[]]),
        (None, "surplus", 1),
        (NUMERIC, "surplus", 1),
        (NUMERIC, "kind", "ordinal"),
        (NUMERIC, "kind", ["numeric"]),
        (NUMERIC, "kind", "categorical"),
        (NUMERIC, "key", 5),
        (NUMERIC, "key", ""),
        (NUMERIC, "name", "Other"),
        (NUMERIC, "index", -1),
        (NUMERIC, "index", "0"),
        (NUMERIC, "index", 10**9),
        (NUMERIC, "lower", None),
        (NUMERIC, "lower", "1"),
        (NUMERIC, "lower", 3.0),
        (NUMERIC, "lower", float("nan")),
        (NUMERIC, "upper", float("inf")),
        (NUMERIC, "upper", 10**400),
        (NUMERIC, "vocabulary", ["A"]),
        (CATEGORICAL, "kind", "numeric"),
        (CATEGORICAL, "lower", 0.0),
        (CATEGORICAL, "index", 0),
        (CATEGORICAL, "vocabulary", []),
        (CATEGORICAL, "vocabulary", "CT"),
        (CATEGORICAL, "vocabulary", [1]),
        (CATEGORICAL, "vocabulary", ["B", "A"]),
        (CATEGORICAL, "vocabulary", ["A", "A"]),
        (CATEGORICAL, "vocabulary", ["\ud800"]),
    ],
)
def test_hostile_json(small: FeatureSpec, place: int | None, name: str, value: object) -> None:
    raw = json.loads(small.to_json())
    (raw if place is None else raw["features"][place])[name] = value
    with pytest.raises(UsageError):
        FeatureSpec.from_json(json.dumps(raw))


def test_json_with_a_feature_twice_or_in_two_ways(small: FeatureSpec) -> None:
    twice = json.loads(small.to_json())
    twice["features"].append(twice["features"][NUMERIC])
    with pytest.raises(UsageError, match="twice"):
        FeatureSpec.from_json(json.dumps(twice))
    both = json.loads(small.to_json())
    both["features"].append(both["features"][NUMERIC] | {"index": None, "name": "A"})
    with pytest.raises(UsageError, match="two ways"):
        FeatureSpec.from_json(json.dumps(both))


def test_errors_show_no_value(small: FeatureSpec) -> None:
    raw = json.loads(small.to_json())
    raw["features"][CATEGORICAL]["vocabulary"] = ["CANARY", "ANNA"]
    with pytest.raises(UsageError) as caught:
        FeatureSpec.from_json(json.dumps(raw))
    assert "CANARY" not in str(caught.value)
