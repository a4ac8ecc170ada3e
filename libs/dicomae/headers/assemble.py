"""What the kernel has written becomes rows of `HEADER`; Arrow takes its buffers without a copy."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_hexdigest

from dicomae.headers import emit, group_rows, keybook, layout, mend, promote
from dicomae.headers.batch import HEADER


def assemble(
    source: emit.Source,
    written: emit.Written,
    found: layout.Found,
    rows: npt.NDArray[np.int64],
    groups: group_rows.Groups | None = None,
) -> pa.RecordBatch:
    """Rows of `HEADER`; SOPInstanceUID is null when neither data set nor file meta information has one.

    Parameters
    ----------
    rows : int64 (n_rows,), positions of the files that were parsed.
    groups : what was located in functional groups; None when no row has any.
    """
    files, places = found.files[rows], found.promoted[rows, : len(keybook.PROMOTED)]
    keys = _text_array(written.key_at, written.keys)
    values = _text_array(written.value_at, written.values, written.filled)
    first = source.first.astype(np.int32)
    columns = {
        **promote.columns(values, _without_other_vrs(source, places)),
        "TransferSyntaxUID": _meta_texts(source, files[:, layout.SYNTAX], files[:, layout.SYNTAX_END]),
        "has_pixel_data": pa.array(files[:, layout.AT_PIXELS] == 1),
        "content_hash": pa.array(_digests(source, files), pa.string()),
        "elements": pa.MapArray.from_arrays(pa.array(first), keys, values),
        "vrs": _vrs(written),
        "element_errors": _errors(written, first, keys),
    }
    if groups is not None:
        columns = group_rows.with_groups(columns, source.buffer, groups)
    uids = columns["SOPInstanceUID"]
    if uids.null_count:
        missing = np.asarray(uids.is_null())
        start = np.where(missing, files[:, layout.MEDIA_UID], -1)
        media = _meta_texts(source, start, files[:, layout.MEDIA_UID_END])
        columns["SOPInstanceUID"] = pa.compute.coalesce(uids, media)
    return pa.RecordBatch.from_arrays([columns[name] for name in HEADER.names], schema=HEADER)


def has_uid(headers: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """`(n_rows,)`: whether a row has an instance UID."""
    uids = headers.column("SOPInstanceUID")
    return np.array(uids.is_valid().to_numpy(zero_copy_only=False))


def _text_array(
    offsets: npt.NDArray[np.int32], text: npt.NDArray[np.uint8], filled: npt.NDArray[np.bool_] | None = None
) -> pa.StringArray:
    """Texts from their UTF-8; one that is not filled is null."""
    bits = None if filled is None else pa.py_buffer(np.packbits(filled, bitorder="little"))
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text), bits)


def _without_other_vrs(source: emit.Source, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The places, changed to -1 when a column of text would get an element whose VR is none of text."""
    texts = places[:, : len(keybook.TEXTS)]
    if len(source.elements):
        rules = source.rules[source.elements[texts, layout.VR]]
        texts[rules & emit.FAMILY != emit.TEXT] = -1
    return places


def _meta_texts(
    source: emit.Source, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> pa.StringArray:
    """Texts of the file meta information; null when the start is negative."""
    numbers, values = mend.distinct(source.buffer, start, end)
    texts = pa.array([value.decode("latin_1") or None for value in values], pa.string())
    return texts.take(pa.array(numbers, mask=numbers < 0))


def _digests(source: emit.Source, files: npt.NDArray[np.int64]) -> list[str]:
    """Hash of each data set up to the pixel data: 128 bits are enough to tell apart the files of one UID."""
    buffer = source.buffer.data
    ranges = zip(files[:, layout.START].tolist(), files[:, layout.END].tolist(), strict=True)
    return [xxh3_128_hexdigest(buffer[start:end]) for start, end in ranges]


def _vrs(written: emit.Written) -> pa.MapArray:
    keys = _text_array(written.vr_key_at, written.vr_keys)
    names = _text_array(np.arange(0, len(written.vrs) + 1, 2, dtype=np.int32), written.vrs)
    return pa.MapArray.from_arrays(pa.array(written.row_vrs_at), keys, names)


def _errors(written: emit.Written, first: npt.NDArray[np.int32], keys: pa.StringArray) -> pa.MapArray:
    places = np.flatnonzero(written.errors)
    reasons = pa.array([emit.ERRORS[code] for code in written.errors[places]], pa.string())
    return promote.map_of(keys, first, places, reasons)
