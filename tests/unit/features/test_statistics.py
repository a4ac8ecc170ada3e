import functools
import math
import random
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.features.header_batches import Header, elements_batch, header_batch

from dicomae import tables
from dicomae.features import statistics, tag_count

KEYS = ["Rows", "Modality", "BodyPartExamined", "PatientAge", "ImageType", "0019xx10 ACME"]
STANDARD = {"Rows": "US", "Modality": "CS", "BodyPartExamined": "CS", "PatientAge": "AS", "ImageType": "CS"}
# Few values, so that sameness, emptiness and numbers all meet.
TEXTS = st.sampled_from(
    [None, "", " ", "\\", "1", "2", "1\\2", "1\\x", "045Y", "A", "1e400", "1,5", "-7.5", "[4 bytes]"]
)


def header(
    modality: str | None, body_part: str | None, tags: dict[str, tuple[str | None, str | None]] | None
) -> Header:
    """A row whose elements come as key -> (value, VR where it deviates)."""
    elements = None if tags is None else {key: value for key, (value, _) in tags.items()}
    vrs = None if tags is None else {key: vr for key, (_, vr) in tags.items() if vr}
    return Header(modality, body_part, elements, vrs)


VRS = st.sampled_from([None, None, "DS", "LO", "UN"])
HEADERS = st.builds(
    header,
    modality=st.sampled_from(["CT", "MR", None, "no CS!"]),
    body_part=st.sampled_from([None, "HIP", "KNEE"]),
    tags=st.none() | st.dictionaries(st.sampled_from(KEYS), st.tuples(TEXTS, VRS)),
)


def finished(found: statistics.TagStatistics) -> pa.Table:
    return statistics.finish(found, STANDARD.get)


def by_key(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in table.to_pylist(maps_as_pydicts="strict")}


def number(component: str) -> float | None:
    if re.fullmatch(r"\d{3}Y", component):
        return float(component[:3])
    try:
        found = float(component)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def modality_of(text: str | None) -> str | None:
    if text is None or not text.strip(" \\") or text.startswith("["):
        return text
    return next(value.strip().upper() for value in text.split("\\") if value.strip())


def meant(component: str) -> bool:
    return number(component) is not None or component in ("1e400", "1E400", "1,5")


def most_frequent(vrs: list[str], standard: str | None, present: int) -> str | None:
    votes = vrs + [standard] * (present - len(vrs)) if standard else vrs
    best = [vr for vr in votes if votes.count(vr) == max(map(votes.count, votes))]
    return standard if standard in best else min(best, default=None)


def brute_force(headers: list[Header]) -> dict[str, dict[str, Any]]:
    """The table by plain loops, from the words of the schema."""
    modalities = [h.modality if h.modality in ("CT", "MR") else None for h in headers]
    result = {}
    for key in KEYS:
        there: list[tuple[str | None, str | None]] = []
        vrs = []
        for header, modality in zip(headers, modalities, strict=True):
            row = dict(header.elements or {})
            row.pop("BodyPartExamined", None)
            if "Modality" in row:
                row["Modality"] = modality_of(row["Modality"])
            if header.body_part is not None:
                row["BodyPartExamined"] = header.body_part
            if key in row:
                there.append((modality, row[key]))
                own = None if key == "BodyPartExamined" else (header.vrs or {}).get(key)
                vrs += [own] if own else []
        if not there:
            continue
        filled = [(m, v) for m, v in there if v is not None and v.strip(" \\")]
        read = [v for _, v in filled if v not in ("[4 bytes]", "[sequence]")]
        numeric = [[number(c) for c in v.split("\\")] for v in read]
        numbers = [n for ns in numeric for n in ns if n is not None]
        result[key] = {
            "rows": len(headers),
            "present": len(there),
            "filled": len(filled),
            "fill": len(filled) / len(headers),
            "fill_by_modality": {
                m: sum(f == m for f, _ in filled) / modalities.count(m)
                for m in ("CT", "MR")
                if any(f == m for f, _ in filled)
            },
            "varies": len(set(read)) > 1,
            "distinct_hll": len(set(read)),
            "numeric_share": sum(all(map(meant, v.split("\\"))) for v in read) / len(read) if read else None,
            "max_values": max((len(ns) for ns in numeric), default=0),
            "vr": most_frequent(vrs, STANDARD.get(key), len(there)),
            "bounds": (min(numbers), max(numbers)) if numbers else (None, None),
        }
    return result


@settings(deadline=None, max_examples=40)
@given(st.lists(HEADERS, max_size=12))
def test_equal_to_plain_loops(headers: list[Header]) -> None:
    found = by_key(finished(statistics.from_batch(header_batch(headers))))
    expected = brute_force(headers)
    assert list(found) == sorted(expected)
    for key, row in expected.items():
        bounds = row.pop("bounds")
        assert {name: found[key][name] for name in row} == row
        numeric = found[key]["vr"] in ("DS", "US", "AS")
        assert (found[key]["minimum"], found[key]["maximum"]) == (bounds if numeric else (None, None))


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.lists(HEADERS, max_size=4)] * 3))
def test_merge_is_associative_and_commutative_with_an_identity(parts: tuple[list[Header], ...]) -> None:
    a, b, c = (statistics.from_batch(header_batch(part)) for part in parts)
    whole = finished(statistics.from_batch(header_batch([*parts[0], *parts[1], *parts[2]])))
    merge = statistics.merge
    assert finished(merge(merge(a, b), c)).equals(whole)
    assert finished(merge(a, merge(b, c))).equals(whole)
    assert finished(merge(c, merge(b, a))).equals(whole)
    assert merge(a, statistics.EMPTY) == a == merge(statistics.EMPTY, a)


@pytest.fixture(scope="module")
def many() -> pa.RecordBatch:
    """6,000 rows; keys with 6,000 values, 390 (where the sketch changes its form) and 300."""
    return elements_batch(
        *({"StationName": f"value {i}", "Rows": str(i % 390), "Columns": str(i % 300)} for i in range(6000))
    )


@pytest.mark.parametrize("parts", [2, 7, 60])
def test_large_numbers_of_values_do_not_depend_on_the_cut(many: pa.RecordBatch, parts: int) -> None:
    size = -(-len(many) // parts)
    cut = [statistics.from_batch(many.slice(i, size)) for i in range(0, len(many), size)]
    random.Random(parts).shuffle(cut)
    expected = finished(statistics.from_batch(many))
    assert finished(functools.reduce(statistics.merge, cut)).equals(expected)


def test_the_sketch_is_close(many: pa.RecordBatch) -> None:
    found = by_key(finished(statistics.from_batch(many)))
    # Three standard errors of 4,096 registers: 3 * 1.04 / 64.
    assert found["StationName"]["distinct_hll"] == pytest.approx(6000, rel=0.049)
    assert found["Rows"]["distinct_hll"] == pytest.approx(390, rel=0.049)
    assert found["Columns"]["distinct_hll"] == 300


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(HEADERS, max_size=4), max_size=4), st.integers(1, 5), st.randoms())
def test_partials_survive_arrow_however_it_cuts_and_joins(
    parts: list[list[Header]], size: int, rng: random.Random
) -> None:
    partials = [statistics.from_batch(header_batch(part)) for part in parts]
    rows = pa.Table.from_batches([statistics.to_arrow(p) for p in partials], statistics.PARTIAL)
    order = list(range(len(rows)))
    rng.shuffle(order)
    batches = rows.take(pa.array(order, pa.int64())).combine_chunks().to_batches(max_chunksize=size)
    again = functools.reduce(statistics.merge, map(statistics.from_arrow, batches), statistics.EMPTY)
    expected = functools.reduce(statistics.merge, partials, statistics.EMPTY)
    assert finished(again).equals(finished(expected))
    assert (again.rows, again.rows_by_modality) == (expected.rows, expected.rows_by_modality)


def test_one_partial_comes_back_as_it_was() -> None:
    headers = [Header(elements={"Rows": "1"}, vrs={"Rows": "DS"}), Header("MR", "HIP", {"Rows": None})]
    found = statistics.from_batch(header_batch(headers))
    assert statistics.from_arrow(statistics.to_arrow(found)) == found


def test_nothing_at_all() -> None:
    assert statistics.from_batch(header_batch([])) == statistics.EMPTY
    assert statistics.from_arrow(statistics.to_arrow(statistics.EMPTY)) == statistics.EMPTY
    assert statistics.from_arrow(statistics.to_arrow(statistics.EMPTY).slice(0, 0)) == statistics.EMPTY
    assert len(finished(statistics.EMPTY)) == 0


def test_rows_without_elements_still_count() -> None:
    found = statistics.from_batch(header_batch([Header(elements=None, vrs=None), Header("MR")]))
    assert (found.rows, found.rows_by_modality, found.counts) == (2, {"CT": 1, "MR": 1}, {})


def test_the_columns_are_those_of_the_table() -> None:
    ours = {"scope", "step", "decision", "why", "run_id"}
    expected = [field for field in tables.TAG_STATISTICS.schema if field.name not in ours]
    assert list(finished(statistics.EMPTY).schema) == expected


@pytest.mark.parametrize(
    ("deviating", "standard", "vr"),
    [
        ([], "US", "US"),
        ([], None, None),
        (["SS"], "US", "US"),
        (["SS", "SS", "SS"], "US", "SS"),
        (["SS", "SS"], "US", "US"),  # two against two: the dictionary's
        (["LO", "DS", "DS"], None, "DS"),
        (["LO", "DS"], None, "DS"),  # a tie: by name
        (["a patient's name"], "US", "US"),  # no VR at all
    ],
)
def test_the_most_frequent_vr(deviating: list[str], standard: str | None, vr: str | None) -> None:
    headers = [Header(elements={"X": "1"}, vrs={"X": own}) for own in deviating]
    headers += [Header(elements={"X": "1"})] * (4 - len(deviating) if standard else 0)
    headers = headers or [Header(elements={"X": "1"})]
    table = statistics.finish(statistics.from_batch(header_batch(headers)), lambda _: standard)
    assert table["vr"].to_pylist() == [vr]


def test_no_text_and_no_number_of_a_text_tag_is_shown() -> None:
    rows = [{"PatientName": "CANARY^ANNA", "PatientBirthDate": "19320304", "PatientID": "123456789"}] * 3
    headers = [Header("CANARY ANNA 123456789", "CANARY", row) for row in rows]
    found = statistics.from_batch(header_batch(headers))
    assert "CANARY" not in str(statistics.to_arrow(found).to_pylist())
    vrs = {"PatientName": "PN", "PatientBirthDate": "DA", "PatientID": "LO"}
    shown = str(statistics.finish(found, vrs.get).to_pylist())
    for secret in ("CANARY", "ANNA", "19320304", "123456789"):
        assert secret not in shown


def test_what_was_not_read_is_filled_and_no_value() -> None:
    rows = [{"Rows": text} for text in ("[2 bytes]", "[4 bytes]", "7", "7")]
    row = by_key(finished(statistics.from_batch(elements_batch(*rows))))["Rows"]
    assert (row["present"], row["filled"], row["fill"]) == (4, 4, 1.0)
    assert (row["varies"], row["distinct_hll"], row["numeric_share"], row["minimum"]) == (False, 1, 1.0, 7.0)


def test_keys_beyond_the_limit_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "MAXIMUM_KEYS", 3)
    rows = [{"0009xx01 A": "1"}, {"Rows": "1", "00091001": "2"}, {"Rows": "2", "0009xx01 A": "3"}]
    rows += [{"Modality": "CT", "0011xx01 B": "4"}, {"FrameTime": "5", "0009xx01 A": "6"}]
    parts = [statistics.from_batch(elements_batch(row)) for row in rows]
    whole = statistics.from_batch(elements_batch(*rows))
    # Keywords stay; of 00091001 (1), 0009xx01 A (3) and 0011xx01 B (1) nothing does.
    assert sorted(whole.counts) == ["FrameTime", "Modality", "Rows"]
    assert whole.overflow == 5
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        merged = functools.reduce(statistics.merge, [parts[i] for i in order])
        assert (merged.overflow, merged.rows) == (5, 5)
        assert finished(merged).equals(finished(whole))


def test_modalities_beyond_the_limit_are_not_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_count, "MAXIMUM_NAMES", 2)
    headers = [Header(m, elements={"Rows": "1"}) for m in ("CT", "MR", "AA", "BB", "CT")]
    parts = [statistics.from_batch(header_batch([header])) for header in headers]
    whole = statistics.from_batch(header_batch(headers))
    assert whole.rows_by_modality == {"AA": 1, "BB": 1}
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
        merged = functools.reduce(statistics.merge, [parts[i] for i in order])
        assert finished(merged).equals(finished(whole))
    assert by_key(finished(whole))["Rows"]["filled"] == 5


def test_a_vr_without_its_element_makes_no_tag() -> None:
    headers = [Header(vrs={"Rows": "DS", "Columns": "DS"}), Header(elements={"Rows": "1"})]
    parts = [statistics.from_batch(header_batch([one])) for one in headers]
    whole = finished(statistics.from_batch(header_batch(headers)))
    assert whole["key"].to_pylist() == ["Rows"]
    assert finished(statistics.merge(*parts)).equals(whole)


def test_rows_of_the_table_have_null_where_the_funnel_was_not_asked() -> None:
    found = finished(statistics.from_batch(header_batch([Header(elements={"Rows": "1"})])))
    (row,) = statistics.as_rows(found, "archive", "r1").to_pylist()
    assert (row["scope"], row["key"], row["filled"], row["run_id"]) == ("archive", "Rows", 1, "r1")
    assert (row["step"], row["decision"], row["why"]) == (None, None, None)
    decided = found.append_column("decision", pa.array(["numeric"]))
    assert statistics.as_rows(decided, "sample", "r1")["decision"].to_pylist() == ["numeric"]
