import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomae.features import values

NAN = math.nan


@pytest.mark.parametrize(
    ("text", "numbers", "all_numbers"),
    [
        ("512", [512.0], True),
        ("0.5\\0.25", [0.5, 0.25], True),
        (" 1.5 ", [1.5], True),
        ("12\0", [12.0], True),
        ("+3", [3.0], True),
        ("-0.5", [-0.5], True),
        (".5", [0.5], True),
        ("5.", [5.0], True),
        ("1E3", [1000.0], True),
        ("2.5e-1", [0.25], True),
        ("0,5", [NAN], False),  # 0.5 for one reader, 0 and 5 for another
        ("1,234.5", [NAN], False),
        ("1,2,3", [NAN], False),
        ("045Y", [45.0], True),
        ("006M", [0.5], True),
        ("45Y", [NAN], False),
        ("1e400", [NAN], False),
        ("-1e400", [NAN], False),
        ("nan", [NAN], False),
        ("inf", [NAN], False),
        ("Infinity", [NAN], False),
        ("1_0", [NAN], False),
        ("0x10", [NAN], False),
        ("1 2", [NAN], False),
        ("1.2.840", [NAN], False),
        (".", [NAN], False),
        ("e5", [NAN], False),
        ("CT", [NAN], False),
        ("1\\CT", [1.0, NAN], False),
        ("1\\\\3", [1.0, NAN, 3.0], True),  # the missing component is no fault
        ("", [NAN], False),
        ("\\", [NAN, NAN], False),
        ("\u0661", [NAN], False),  # a digit, but not one of DICOM's
    ],
)
def test_the_numbers_of_a_value(text: str, numbers: list[float], all_numbers: bool) -> None:
    parsed = values.parse_numbers(pa.array([text]))
    assert parsed.numbers.tolist() == pytest.approx(numbers, nan_ok=True)
    assert parsed.all_numbers().tolist() == [all_numbers]


@pytest.mark.parametrize(
    "text",
    [
        *("nan", "NaN", "-NAN", "inf", "+Inf", "-Infinity", "1.#QNAN", "-1.#IND", "1.#INF", "1#INF00"),
        *("0,5", "-1,5", ",5", "1,234.5", "1.234,5", "1,2,3", "1,5e3", "1e400", "-1e400", "1\\NaN", " inf "),
    ],
)
def test_a_spoilt_number_is_neither_a_number_nor_a_word(text: str) -> None:
    parsed = values.parse_numbers(pa.array([text]))
    assert (parsed.all_numbers().tolist(), parsed.meant_as_numbers().tolist()) == ([False], [True])
    assert values.is_category(pa.array([text])).tolist() == [False]


@pytest.mark.parametrize(
    "text", ["INFERIOR", "NANO", "A,B", "CT", "1.2.840", "0x10", "1 2", "e5", ",", "2", "045Y", "NaN\\LEFT"]
)
def test_a_word_is_no_spoilt_number(text: str) -> None:
    assert values.is_category(pa.array([text])).tolist() == [True]


def test_values_lie_one_after_the_other_and_null_has_no_component() -> None:
    parsed = values.parse_numbers(pa.array(["1\\2\\3", None, "", "x\\-4"]))
    assert parsed.starts.tolist() == [0, 3, 3, 4]
    assert parsed.lengths.tolist() == [3, 0, 1, 2]
    assert parsed.missing.tolist() == [False, False, False, True, False, False]
    lowest, highest = parsed.bounds()
    assert lowest.tolist() == [1.0, math.inf, math.inf, -4.0]
    assert highest.tolist() == [3.0, -math.inf, -math.inf, -4.0]


def test_no_values() -> None:
    parsed = values.parse_numbers(pa.array([], pa.string()))
    assert len(parsed.numbers) == 0
    assert parsed.all_numbers().tolist() == []
    assert values.is_filled(pa.array([], pa.string())).tolist() == []


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5))
def test_what_python_writes_is_read_back_exactly(numbers: list[float]) -> None:
    text = "\\".join(map(repr, numbers))
    assert values.parse_numbers(pa.array([text])).numbers.tolist() == numbers


def test_filled_is_more_than_padding() -> None:
    texts = ["a", " a ", "0", "a\\", "", " ", "\\", " \\ ", "\0", None]
    assert values.is_filled(pa.array(texts)).tolist() == [True] * 4 + [False] * 6
    assert values.is_read(pa.array(texts)).tolist() == [True] * 4 + [False] * 6


def test_a_placeholder_is_filled_but_no_value() -> None:
    texts = pa.array(["[12 bytes]", "[sequence]", "[bytes]", "[12 bytes] x", "12", "[0 bytes]"])
    assert values.is_filled(texts).tolist() == [True] * 6
    assert values.is_read(texts).tolist() == [False, False, True, True, True, False]
    parsed = values.parse_numbers(texts)
    assert parsed.missing.tolist() == [True, True, False, False, False, True]
    assert parsed.all_numbers().tolist() == [False] * 4 + [True, False]
