"""Rows of the table `headers` without files: templates repeat, identities and some numbers vary."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicomae.synth.patients import CANARY_ID_PREFIX
from dicomae.synth.templates import Templates, make_templates
from dicomae.tables import HEADERS, TEXTS

SCHEMA = pa.schema([field for field in HEADERS.schema if field.name != "run_id"])
SERIES_LENGTH = 5  # rows in a row that share a series, and its template
# Numbers that differ between the patients and slices of the same protocol.
_VARIED = (
    "Exposure", "ExposureTime", "XRayTubeCurrent", "SliceLocation", "TableHeight", "CTDIvol",
    "RepetitionTime", "EchoTime", "PatientWeight", "CountsAccumulated", "DistanceSourceToDetector",
)  # fmt: skip
_IDENTITIES = (
    "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "AccessionNumber",
    "InstanceNumber",
)  # fmt: skip
_INTEGERS = ("Exposure", "ExposureTime", "XRayTubeCurrent", "CountsAccumulated")

Int = npt.NDArray[np.int64]


def header_rows(seed: int, start: int, count: int) -> pa.RecordBatch:
    """Rows `start` to `start + count` of the endless table of that seed: `SCHEMA`.

    Row i is the same however the table is cut. UIDs are unique within a seed.
    """
    templates = make_templates(seed)
    row = np.arange(start, start + count, dtype=np.int64)
    series = row // SERIES_LENGTH
    template = (_mixed(series, seed) % np.uint64(len(templates.offsets) - 1)).astype(np.int64)
    texts = _identities(seed, row, series)
    columns: dict[str, pa.Array] = {
        name: column.take(pa.array(template)) for name, column in templates.promoted.items()
    }
    columns |= {name: pa.array(texts[name], pa.string()) for name in _IDENTITIES if name in columns}
    columns |= {
        "SOPInstanceUID": pa.array(texts["SOPInstanceUID"], pa.string()),
        "path": pa.array([f"synthetic:/{seed}/{i}.dcm" for i in row.tolist()], pa.string()),
        "content_hash": pa.array([f"{n:016x}" for n in _mixed(row, seed + 1).tolist()], pa.string()),
        "elements": _elements(templates, template, row, seed, texts),
        "vrs": templates.vrs.take(pa.array(template)),
        "element_errors": pa.array([[]] * count, TEXTS),
    }
    arrays = [columns[name].cast(SCHEMA.field(name).type) for name in SCHEMA.names]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _mixed(number: Int, salt: int) -> npt.NDArray[np.uint64]:
    """Uniform uint64 from each number: the finaliser of SplitMix64 (doi 10.1145/2714064.2660195)."""
    salted = number.astype(np.uint64) + np.uint64((salt * 0x9E3779B97F4A7C15 + 1) % 2**64)
    salted = (salted ^ (salted >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    salted = (salted ^ (salted >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = salted ^ (salted >> np.uint64(31))
    return mixed


def _identities(seed: int, row: Int, series: Int) -> dict[str, list[str]]:
    root = int.from_bytes(blake2b(f"rows/{seed}".encode(), digest_size=8).digest(), "big")
    kinds = {
        "SOPInstanceUID": (1, row),
        "SeriesInstanceUID": (2, series),
        "StudyInstanceUID": (3, series // 2),
    }
    uids = {
        name: [f"2.25.{root}{kind}{i:012d}" for i in numbers.tolist()]
        for name, (kind, numbers) in kinds.items()
    }
    people = (series // 3).tolist()
    return {
        **uids,
        "PatientID": [f"{CANARY_ID_PREFIX if i % 25 == 0 else 'P'}{i:08d}" for i in people],
        "AccessionNumber": [f"A{i:010d}" for i in (series // 2).tolist()],
        "InstanceNumber": [str(i) for i in (row % SERIES_LENGTH + 1).tolist()],
    }


def _elements(
    templates: Templates, template: Int, row: Int, seed: int, texts: dict[str, list[str]]
) -> pa.MapArray:
    """The maps: entries of the templates by position, with fresh texts in place of the varied ones."""
    begin, end = templates.offsets[template], templates.offsets[template + 1]
    size = end - begin
    offsets = np.concatenate([[0], np.cumsum(size)])
    entry = np.repeat(begin - offsets[:-1], size) + np.arange(offsets[-1])
    value = entry.copy()
    where = np.repeat(np.arange(len(row)), size)  # row of each entry
    names = templates.keys.dictionary_encode()
    code = names.indices.to_numpy()[entry]
    codes = {name: i for i, name in enumerate(names.dictionary.to_pylist())}
    fresh: list[str] = []
    for salt, name in enumerate((*_IDENTITIES, *_VARIED)):
        at = np.flatnonzero(code == codes.get(name, -1))
        if name in texts:
            made = [texts[name][i] for i in where[at].tolist()]
        else:
            at = at[templates.values.is_valid().to_numpy(zero_copy_only=False)[entry[at]]]
            made = _varied(
                templates.values.take(pa.array(entry[at])), _mixed(row[where[at]], seed + 7 * salt), name
            )
        value[at] = len(templates.values) + len(fresh) + np.arange(len(at))
        fresh += made
    pool = pa.concat_arrays([templates.values, pa.array(fresh, pa.string())])
    keys = templates.keys.take(pa.array(entry))
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, pool.take(pa.array(value)))


def _varied(texts: pa.StringArray, random: npt.NDArray[np.uint64], name: str) -> list[str]:
    """Each number within 10 % of the template's, in the type that its VR asks for."""
    factor = 0.9 + 0.2 * (random >> np.uint64(11)).astype(np.float64) / 2**53
    numbers = texts.cast(pa.float64()).to_numpy() * factor
    form = "{:.0f}" if name in _INTEGERS else "{:.6g}"
    return [form.format(number) for number in numbers.tolist()]
