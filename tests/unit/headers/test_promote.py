"""Promoted columns against the same, row by row, in plain Python; and the maps of some elements."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomae import tables
from dicomae.headers import keybook, promote

_TEXTS = st.one_of(
    st.none(), st.sampled_from(["1.2.3", "CT", "7", "+7", "-0", "7.5", "7\\8", " 7", "٣", "山"])
)
_NUMBERS = st.integers(-(1 << 35), 1 << 35).map(str)


def by_hand(texts: list[str | None], places: list[int]) -> dict[str, Any]:
    """The columns of one row."""
    of = {name: None if at < 0 else texts[at] for name, at in zip(keybook.PROMOTED, places, strict=True)}
    for name in tables.PROMOTED_INTEGER:
        number = int(of[name]) if re.fullmatch("[+-]?[0-9]{1,10}", of[name] or "") else 1 << 40
        of[name] = number if -(1 << 31) <= number < 1 << 31 else None
    return of | {"has_window": None not in (of.pop("WindowCenter"), of.pop("WindowWidth"))}


@given(st.data(), st.lists(_TEXTS | _NUMBERS, max_size=12), st.integers(0, 4))
@settings(deadline=None)  # the first call loads compiled functions
def test_columns_are_those_made_row_by_row(data: st.DataObject, texts: list[str | None], n_rows: int) -> None:
    row = st.lists(
        st.integers(-1, len(texts) - 1), min_size=len(keybook.PROMOTED), max_size=len(keybook.PROMOTED)
    )
    places = data.draw(st.lists(row, min_size=n_rows, max_size=n_rows))
    table = np.array(places, np.int64).reshape(n_rows, len(keybook.PROMOTED))
    for values in (pa.array(texts, pa.string()), pa.array(["1.9", *texts], pa.string()).slice(1)):
        found = promote.columns(values, table)
        rows = [{name: column[i].as_py() for name, column in found.items()} for i in range(n_rows)]
        assert rows == [by_hand(texts, one) for one in places]
        assert {len(column) for column in found.values()} == {n_rows}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2147483647", 2147483647), ("2147483648", None), ("-2147483648", -2147483648), ("-2147483649", None),
        ("0000000007", 7), ("00000000007", None), ("+", None), ("", None), ("+-7", None), ("7 ", None),
    ],
)  # fmt: skip
def test_an_integer_is_a_sign_and_one_to_ten_digits_of_int32(text: str, number: int | None) -> None:
    assert promote.integers(pa.array(["5", text, None, "6"])).to_pylist() == [5, number, None, 6]


def test_a_map_holds_the_elements_at_the_places() -> None:
    keys = pa.array(["A", "B", "C", "D", "E"])
    found = promote.map_of(
        keys, np.array([0, 2, 2, 5], np.int32), np.array([1, 2, 4]), pa.array(["b", "c", "e"])
    )
    assert found.to_pylist() == [[("B", "b")], [], [("C", "c"), ("E", "e")]]


@pytest.mark.parametrize("texts", [[], [None], ["", None, "é山", "x"]])
def test_the_buffers_of_texts_are_their_utf8(texts: list[str | None]) -> None:
    for array in (pa.array(texts, pa.string()), pa.array(["before", *texts, "after"]).slice(1, len(texts))):
        at, text = promote.text_buffers(array)
        found = [text[start:end].tobytes().decode() for start, end in pairwise(at)]
        assert found == [one or "" for one in texts]
