"""What the kernel has written, as Arrow columns: buffers are taken as they are, not copied."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_hexdigest

from dicomae import tables
from dicomae.headers import emit, gather, keybook, layout, mend
from dicomae.headers.batch import HEADER


def assemble(
    source: emit.Source, written: emit.Written, found: layout.Found, rows: npt.NDArray[np.int64]
) -> pa.RecordBatch:
    """Rows of `HEADER`; SOPInstanceUID is null where a file has none.

    Parameters
    ----------
    rows : int64 (n_rows,), the parsed ones among the files.
    """
    files, promoted = found.files[rows], found.promoted[rows]
    keys = text_array(written.key_at, written.keys)
    values = text_array(written.value_at, written.values, written.filled)
    first = source.first.astype(np.int32)
    found_columns = {
        **_promoted_texts(source, values, promoted),
        **_promoted_integers(written, promoted),
        "TransferSyntaxUID": _meta_texts(source, files[:, layout.SYNTAX], files[:, layout.SYNTAX_END]),
        "has_window": _has_window(written, promoted),
        "has_pixel_data": pa.array(files[:, layout.AT_PIXELS] == 1),
        "content_hash": pa.array(_digests(source, files), pa.string()),
        "elements": pa.MapArray.from_arrays(pa.array(first), keys, values),
        "vrs": _vrs(written),
        "element_errors": _errors(written, first, keys),
    }
    uids = found_columns["SOPInstanceUID"]
    if uids.null_count:
        missing = np.asarray(uids.is_null())
        start = np.where(missing, files[:, layout.MEDIA_UID], -1)
        media = _meta_texts(source, start, files[:, layout.MEDIA_UID_END])
        found_columns["SOPInstanceUID"] = pa.compute.coalesce(uids, media)
    return pa.RecordBatch.from_arrays([found_columns[name] for name in HEADER.names], schema=HEADER)


def has_uid(headers: pa.RecordBatch) -> npt.NDArray[np.bool_]:
    """`(n_rows,)`: whether a row has an instance UID."""
    uids = headers.column("SOPInstanceUID")
    return np.array(uids.is_valid().to_numpy(zero_copy_only=False))


def text_array(
    offsets: npt.NDArray[np.int32], text: npt.NDArray[np.uint8], filled: npt.NDArray[np.bool_] | None = None
) -> pa.StringArray:
    """Texts from their UTF-8; what is not filled is null."""
    bits = None if filled is None else pa.py_buffer(np.packbits(filled, bitorder="little"))
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text), bits)


def _promoted_texts(
    source: emit.Source, values: pa.StringArray, promoted: npt.NDArray[np.int64]
) -> dict[str, pa.Array]:
    """Only where the VR is one of text: `[64 bytes]` is no identifier."""
    which = promoted[:, : len(keybook.TEXTS)]
    if len(source.elements):
        rules = source.rules[source.elements[which, layout.VR]]
        is_text = rules & emit.FAMILY == emit.TEXT
        which = np.where(is_text, which, -1)
    columns = which.T.ravel()  # one after the other, so that one call takes them all
    texts = values.take(pa.array(columns, mask=columns < 0))
    n_rows = len(promoted)
    return {name: texts.slice(i * n_rows, n_rows) for i, name in enumerate(keybook.TEXTS)}


def _promoted_integers(written: emit.Written, promoted: npt.NDArray[np.int64]) -> dict[str, pa.Array]:
    first = len(keybook.TEXTS)
    which = promoted[:, first : first + len(tables.PROMOTED_INTEGER)].T.ravel()
    numbers, valid = np.empty(len(which), np.int32), np.empty(len(which), np.bool_)
    gather.integers(written.values, written.value_at, which, numbers, valid)
    shape = (len(tables.PROMOTED_INTEGER), len(promoted))
    columns = zip(numbers.reshape(shape), ~valid.reshape(shape), strict=True)
    return {name: pa.array(n, mask=m) for name, (n, m) in zip(tables.PROMOTED_INTEGER, columns, strict=True)}


def _has_window(written: emit.Written, promoted: npt.NDArray[np.int64]) -> pa.Array:
    which = promoted[:, -len(keybook.WINDOW) :]
    if not len(written.filled):
        return pa.array(np.zeros(len(promoted), np.bool_))
    return pa.array(((which >= 0) & written.filled[which]).all(axis=1))


def _meta_texts(
    source: emit.Source, start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> pa.StringArray:
    """Texts of the file meta information; null without a start."""
    numbers, values = mend.distinct(source.buffer, start, end)
    texts = pa.array([value.decode("latin_1") or None for value in values], pa.string())
    return texts.take(pa.array(numbers, mask=numbers < 0))


def _digests(source: emit.Source, files: npt.NDArray[np.int64]) -> list[str]:
    """128 bits tell the contents of one UID apart; against forgery they are no proof, nor need they be."""
    buffer = source.buffer.data
    ranges = zip(files[:, layout.START].tolist(), files[:, layout.END].tolist(), strict=True)
    return [xxh3_128_hexdigest(buffer[start:end]) for start, end in ranges]


def _vrs(written: emit.Written) -> pa.MapArray:
    keys = text_array(written.vr_key_at, written.vr_keys)
    names = text_array(np.arange(0, len(written.vrs) + 1, 2, dtype=np.int32), written.vrs)
    return pa.MapArray.from_arrays(pa.array(written.row_vrs_at), keys, names)


def _errors(written: emit.Written, first: npt.NDArray[np.int32], keys: pa.StringArray) -> pa.MapArray:
    which = np.flatnonzero(written.errors)
    offsets = np.searchsorted(which, first).astype(np.int32)
    reasons = pa.array([emit.ERRORS[code] for code in written.errors[which]], pa.string())
    return pa.MapArray.from_arrays(pa.array(offsets), keys.take(pa.array(which)), reasons)
