"""A header table made by others to rows of `headers`: headers once extracted need not be read again.

    columns ──► column_text ──┐
    JSON ──► dicom_json ──────┴──► flat elements ──► rows of HEADER, failures

A table of series, such as a research index, gives one row for each series. SeriesInstanceUID then stands in
for SOPInstanceUID (see `ColumnMap`).

What a table does not tell is null, with one exception: `has_pixel_data` is also true when
PhotometricInterpretation is filled. Tables leave pixels out, and the Image Pixel module requires that element
beside pixel data (PS3.3, C.7.6.3).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dicomae.codes import Reason
from dicomae.dicom import keys
from dicomae.errors import UsageError
from dicomae.header_tables import column_text, column_values, dicom_json, flat
from dicomae.header_tables.column_map import (
    PIXEL_KEYS,
    TRANSFER_SYNTAX,
    ColumnMap,
    column,
    columns_read,
    element_columns,
    load_column_map,
    path_columns,
    path_pieces,
)
from dicomae.header_tables.column_text import Texts
from dicomae.header_tables.flat import Flat
from dicomae.headers.batch import Failure, HeaderBatch

__all__ = ["ColumnMap", "check", "columns_read", "from_table", "load_column_map", "paths"]

MAXIMUM_BYTES = 1 << 28  # that are taken at once: Arrow's texts end at 2 GiB, and numbers grow


def from_table(batch: pa.RecordBatch, columns: ColumnMap) -> HeaderBatch:
    """Rows of `HEADER` from rows of somebody else's table; nothing is incomplete.

    Parameters
    ----------
    batch : rows of the table, with the columns that the map names; others are ignored.

    Returns
    -------
    Each row of the batch becomes a row or a failure: `no_instance_uid` or `too_large`, with JSON also `empty`
    or `unreadable`. `content_hash` is made from the keys and texts of the elements: it is not that of a file.

    Raises
    ------
    UsageError
        A column is missing, is there twice, or has a type that holds no value of the element's VR.
    """
    named = element_columns(batch.schema, columns)
    return _cut(batch.select(columns_read(batch.schema, columns)), named, columns)


def check(schema: pa.Schema, columns: ColumnMap) -> None:
    """Raise UsageError when no row of such a schema can be read; see `from_table`."""
    nothing = pa.RecordBatch.from_pylist([], schema)
    paths(nothing, from_table(nothing, columns), columns, "", 0)


def _cut(batch: pa.RecordBatch, named: dict[str, str], columns: ColumnMap) -> HeaderBatch:
    """Rows of `HEADER`; a batch that is too large to be taken at once is read in halves."""
    if batch.nbytes <= MAXIMUM_BYTES:
        return _read(batch, named, columns)
    if batch.num_rows == 1:
        detail = f"a row of more than {MAXIMUM_BYTES} bytes"
        return HeaderBatch.of_failures(Failure(0, Reason.TOO_LARGE, detail))
    half = batch.num_rows // 2
    a, b = (_cut(part, named, columns) for part in (batch.slice(0, half), batch.slice(half)))
    later = tuple(Failure(f.index + half, f.reason, f.detail) for f in b.failures)
    index = np.concatenate([a.index, b.index + half])
    return HeaderBatch(pa.concat_batches([a.headers, b.headers]), index, a.failures + later, {})


def _read(batch: pa.RecordBatch, named: dict[str, str], columns: ColumnMap) -> HeaderBatch:
    failures: list[Failure] = []
    if columns.json:
        texts = _texts(batch, columns.json, "UT", columns, "json")
        elements, failures = dicom_json.read(texts.values, columns.json)
    else:
        elements = _from_columns(batch, named, columns)
    has_uid = column_values.is_given(elements.uids)
    failed = {failure.index for failure in failures}
    detail = f"none in column '{columns.instance or columns.json}'"
    nameless = (i for i in np.flatnonzero(~has_uid).tolist() if i not in failed)
    failures += [Failure(i, Reason.NO_INSTANCE_UID, detail) for i in nameless]
    headers = flat.headers(elements)
    if failures:
        headers = headers.filter(pa.array(has_uid))
    ordered = sorted(failures, key=lambda failure: failure.index)
    return HeaderBatch(headers, np.flatnonzero(has_uid), tuple(ordered), {})


def _from_columns(batch: pa.RecordBatch, named: dict[str, str], columns: ColumnMap) -> Flat:
    n_rows = batch.num_rows
    texts = {
        key: _texts(batch, name, keys.standard_vr(key) or "", columns, f"elements.{key}")
        for key, name in named.items()
        if key not in PIXEL_KEYS
    }
    texts |= {key: _constant(text, n_rows) for key, text in columns.constants.items()}
    syntax = texts.pop(TRANSFER_SYNTAX, None)
    names = sorted(texts)
    present = np.array([texts[key].present for key in names], np.bool_).reshape(len(names), n_rows)
    rows, codes = np.nonzero(np.ascontiguousarray(present.T))
    places = pa.array(codes * n_rows + rows)
    errors = _errors([texts[key].errors for key in names], n_rows)
    pixels = [column_values.is_given(column(batch, named[key])) for key in PIXEL_KEYS if key in named]
    return Flat(
        names=names,
        rows=rows,
        codes=codes,
        values=_joined([texts[key].values for key in names]).take(places),
        vrs=None,
        errors=None if errors is None else errors.take(places),
        uids=_texts(batch, columns.instance, "UI", columns, "instance").values,
        syntaxes=pa.nulls(n_rows, pa.string()) if syntax is None else syntax.values,
        has_pixels=np.logical_or.reduce([np.zeros(n_rows, np.bool_), *pixels]),
    )


def _texts(batch: pa.RecordBatch, name: str, vr: str, columns: ColumnMap, key: str) -> Texts:
    try:
        return column_text.texts_of(column(batch, name), vr)
    except column_text.UnsuitableType as error:
        instead = f'; name another column, or "", for {key}' if key.startswith("elements.") else ""
        raise UsageError(f"{columns.source}: key '{key}': column '{name}' {error}{instead}") from None


def _constant(text: str, n_rows: int) -> Texts:
    return Texts(np.ones(n_rows, np.bool_), pa.array([text] * n_rows, pa.string()), None)


def _errors(columns: list[pa.StringArray | None], n_rows: int) -> pa.StringArray | None:
    """The reasons of all columns, one column after the other; None when all values are readable."""
    if all(reasons is None for reasons in columns):
        return None
    return _joined([pa.nulls(n_rows, pa.string()) if reasons is None else reasons for reasons in columns])


def _joined(arrays: list[pa.StringArray]) -> pa.StringArray:
    return pa.concat_arrays([pa.nulls(0, pa.string()), *arrays])


def paths(
    batch: pa.RecordBatch, read: HeaderBatch, columns: ColumnMap, table: str, first_row: int
) -> pa.StringArray:
    """Path of each row of the batch: the one that the map gives, else `TABLE#UID`, else `TABLE#row 17`.

    Parameters
    ----------
    batch, read : the batch that was given to `from_table`, and its result.
    table : name of the table, or of its file, that the batch was read from.
    first_row : number of the batch's first row in it, from 0.
    """
    number = pa.array(np.arange(first_row, first_row + batch.num_rows)).cast(pa.string())
    row = np.full(batch.num_rows, -1, np.int64)
    row[read.index] = np.arange(len(read.index))
    uids = read.headers.column("SOPInstanceUID").take(pa.array(row, mask=row < 0))
    nameless = pc.binary_join_element_wise(f"{table}#row ", number, "")
    inside = pc.coalesce(pc.binary_join_element_wise(f"{table}#", uids, ""), nameless)
    return pc.coalesce(_given_paths(batch, columns), inside) if columns.path else inside


def _given_paths(batch: pa.RecordBatch, columns: ColumnMap) -> pa.StringArray:
    """Path of each row by the map's template; null when one of its columns is null or empty."""
    values = [_texts(batch, name, "UT", columns, "path").values for name in path_columns(columns)]
    first, *pieces = path_pieces(columns)
    return pc.binary_join_element_wise(
        first, *[part for pair in zip(values, pieces[1::2], strict=True) for part in pair], ""
    )
