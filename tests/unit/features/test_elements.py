import pyarrow as pa
from tests.unit.features.header_batches import TEXTS, Header, elements_batch, header_batch

from dicomae.features import elements


def as_set(found: elements.Elements) -> set[tuple[int, str, str | None]]:
    keys = [found.keys[code] for code in found.codes]
    return set(zip(found.rows.tolist(), keys, found.values.to_pylist(), strict=True))


def test_every_element_becomes_one_entry() -> None:
    batch = elements_batch({"Rows": "512", "Columns": None}, {}, None, {"Rows": "256"})
    found = elements.from_batch(batch)
    assert as_set(found) == {(0, "Rows", "512"), (0, "Columns", None), (3, "Rows", "256")}


def test_a_slice_sees_its_own_rows_alone() -> None:
    batch = elements_batch({"A": "1"}, {"B": "2"}, {"C": "3"}, {"D": "4"}).slice(1, 2)
    assert as_set(elements.from_batch(batch)) == {(0, "B", "2"), (1, "C", "3")}


def test_a_null_map_has_no_elements_even_where_it_owns_entries() -> None:
    column = pa.MapArray.from_arrays(
        pa.array([0, 1, 2], pa.int32()),
        pa.array(["A", "B"]),
        pa.array(["1", "2"]),
        mask=pa.array([True, False]),
    )
    batch = pa.RecordBatch.from_arrays(
        [pa.array([None, None], pa.string()), column], names=["body_part", "elements"]
    )
    assert column.null_count == 1
    assert as_set(elements.from_batch(batch)) == {(1, "B", "2")}


def test_the_body_part_is_the_repaired_one() -> None:
    batch = header_batch(
        [
            Header(body_part="KNEE", elements={"BodyPartExamined": "KNIE"}),
            Header(body_part=None, elements={"BodyPartExamined": "XXX", "Rows": "1"}),
            Header(body_part="HIP", elements=None),
        ]
    )
    expected = {(0, "BodyPartExamined", "KNEE"), (2, "BodyPartExamined", "HIP")}
    assert as_set(elements.from_batch(batch)) == expected | {(1, "Rows", "1")}
    assert as_set(elements.from_batch(batch, ["BodyPartExamined"])) == expected
    assert as_set(elements.from_batch(batch, ["Rows"])) == {(1, "Rows", "1")}


def test_wanted_keys_keep_their_order_and_others_are_left_out() -> None:
    found = elements.from_batch(elements_batch({"A": "1", "B": "2", "C": "3"}), ["C", "Z", "A"])
    assert found.keys == ["C", "Z", "A"]
    assert as_set(found) == {(0, "A", "1"), (0, "C", "3")}


def test_no_rows_no_elements() -> None:
    for wanted in (None, [], ["A"]):
        found = elements.from_batch(elements_batch(), wanted)
        assert (len(found.rows), len(found.codes), len(found.values)) == (0, 0, 0)


def test_the_map_may_come_with_large_or_dictionary_texts() -> None:
    batch = elements_batch({"A": "1", "B": None})
    large = batch.column("elements").cast(pa.map_(pa.large_string(), pa.large_string()))
    assert large.type != TEXTS
    other = pa.RecordBatch.from_arrays([batch.column("body_part"), large], names=["body_part", "elements"])
    assert as_set(elements.from_batch(other)) == {(0, "A", "1"), (0, "B", None)}


def test_a_modality_is_normalised_and_nothing_else() -> None:
    rows: list[dict[str, str | None]] = [
        {"Modality": "ct", "SomeTag": "ct"},
        {"Modality": "CT\\PT", "SomeTag": "CT\\PT"},
        {"Modality": " ", "SomeTag": " "},
        {"Modality": "[4 bytes]"},  # that it was not read
        {"Modality": None},
    ]
    found = elements.from_batch(elements_batch(*rows), ["Modality", "SomeTag"])
    by_key = {
        key: [value for code, value in zip(found.codes, found.values.to_pylist(), strict=True) if code == i]
        for i, key in enumerate(found.keys)
    }
    assert by_key == {"Modality": ["CT", "CT", " ", "[4 bytes]", None], "SomeTag": ["ct", "CT\\PT", " "]}
