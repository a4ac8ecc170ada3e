"""Which column of a header table made by others holds which element: a TOML file.

    instance = "SOPInstanceUID"            # the column that identifies a row
    path = "s3://{bucket}/{name}"          # a column, or a template of columns
    columns = "keywords"                   # every column named by a PS3.6 keyword is that element

    [elements]                             # further ones, by key of the `elements` map
    PatientName = "patient.name"           # a dot leads into a column of structs
    StudyDate = ""                         # not taken, though "keywords" would

    [constants]                            # what holds for the whole table
    InstitutionName = "St. Elsewhere"

A table with a column of whole data sets, as text in the DICOM JSON model, needs `json = "meta"` and a path.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydicom.datadict import tag_for_keyword

from dicomae.dicom import keys
from dicomae.errors import UsageError
from dicomae.toml_files import read_toml

TRANSFER_SYNTAX = "TransferSyntaxUID"  # promoted, though it is of the file meta information
PIXEL_KEYS = ("FloatPixelData", "DoubleFloatPixelData", "PixelData")
_TEXT_KEYS, _TABLE_KEYS = ("instance", "path", "columns", "json"), ("elements", "constants")
_TEMPLATE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class ColumnMap:
    """In which columns a table has what `headers` needs. A column is a name, or `struct.field`.

    Attributes
    ----------
    source : the file that the map was read from, for messages.
    instance : column whose value becomes SOPInstanceUID; "" with `json`. In a table of series it is the
        column of SeriesInstanceUID: a series then counts as one instance.
    path : column of the path, or a template such as "s3://{bucket}/{name}"; "" when the table has no path.
    json : column of whole data sets in the DICOM JSON model; "" when elements have columns.
    keywords : whether every column that is named like a PS3.6 keyword is that element.
    elements : key of the `elements` map -> column; it wins over `keywords`. "" leaves the element out.
    constants : key -> text that each row gets.
    """

    source: str
    instance: str = ""
    path: str = ""
    json: str = ""
    keywords: bool = False
    elements: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


def load_column_map(path: Path) -> ColumnMap:
    """The column map that a TOML file holds.

    Raises
    ------
    UsageError
        The file is missing, or it is no TOML. A key is unknown, missing, of another type, or excluded by
        another key. No dictionary knows an element.
    """
    raw = read_toml(path, "no such column map; conf/columns has some")
    _check_keys(raw, str(path))
    _check_elements(raw, str(path))
    named = {key: raw[key] for key in ("instance", "path", "json", *_TABLE_KEYS) if key in raw}
    return ColumnMap(str(path), keywords="columns" in raw, **named)


def _check_keys(raw: Mapping[str, Any], where: str) -> None:
    for key, value in raw.items():
        if key not in (*_TEXT_KEYS, *_TABLE_KEYS):
            known = ", ".join((*_TEXT_KEYS, *_TABLE_KEYS))
            raise UsageError(f"{where}: unknown key '{key}' = {value!r}; known are: {known}")
        if key in _TEXT_KEYS and (not isinstance(value, str) or not value):
            raise UsageError(f"{where}: key '{key}' must be a text, not {value!r}")
        if key in _TABLE_KEYS and not isinstance(value, dict):
            raise UsageError(f"{where}: key '{key}' must be a table of texts, not {value!r}")
    if raw.get("columns", "keywords") != "keywords":
        raise UsageError(f"{where}: key 'columns' must be 'keywords' or left out, not {raw['columns']!r}")
    if "" in _TEMPLATE.findall(raw.get("path", "")):
        raise UsageError(f"{where}: key 'path' = {raw['path']!r}: braces must hold a column")
    excluded = [key for key in raw if key not in ("json", "path")]
    if "json" in raw and excluded:
        raise UsageError(f"{where}: key 'json' stands for whole data sets: '{excluded[0]}' must go")
    if "json" not in raw and "instance" not in raw:
        raise UsageError(f"{where}: key 'instance' is missing: the column that identifies a row")
    if not {"json", "columns", "elements"} & set(raw):
        raise UsageError(f"{where}: one of the keys 'elements', 'columns' and 'json' must be there")


def _check_elements(raw: Mapping[str, Any], where: str) -> None:
    for table in _TABLE_KEYS:
        for key, value in raw.get(table, {}).items():
            if not isinstance(value, str) or (table == "constants" and not value):
                raise UsageError(f"{where}: key '{table}.{key}' must be a text, not {value!r}")
            if not is_element(key):
                allowed = "a keyword of PS3.6 outside the file meta, ggggeeee, or 'ggggxxee CREATOR'"
                raise UsageError(
                    f"{where}: key '{table}.{key}' = {value!r}: allowed is {allowed} that a dictionary knows"
                )


def is_element(key: str) -> bool:
    """Whether a key names an element that a data set may have, or the transfer syntax."""
    if key == TRANSFER_SYNTAX:
        return True
    tag = tag_for_keyword(key)
    is_meta = tag is not None and tag >> 16 <= 2  # commands and file meta information
    return not is_meta and keys.standard_vr(key) is not None


def element_columns(schema: pa.Schema, columns: ColumnMap) -> dict[str, str]:
    """Column of each element that the table has, by key, sorted.

    Raises
    ------
    UsageError
        A column that the map names is missing, or the table has it twice.
    """
    named = {name: name for name in schema.names if is_element(name)} if columns.keywords else {}
    elements = {key: name for key, name in sorted({**named, **columns.elements}.items()) if name}
    wanted = [("instance", columns.instance), ("json", columns.json)]
    wanted += [("path", name) for name in path_columns(columns)]
    wanted += [(f"elements.{key}", name) for key, name in elements.items()]
    for key, name in wanted:
        if name:
            field_type(schema, name, columns, key)
    return elements


def columns_read(schema: pa.Schema, columns: ColumnMap) -> list[str]:
    """The columns that are needed, in the table's order; a reader may leave out all others."""
    named = [
        *element_columns(schema, columns).values(),
        *path_columns(columns),
        columns.instance,
        columns.json,
    ]
    steps = [name.split(".") for name in named]
    starts = {".".join(step[:n]) for step in steps for n in range(1, len(step) + 1)}
    return [name for name in schema.names if name in starts]


def path_columns(columns: ColumnMap) -> list[str]:
    """The columns that a path is made of."""
    found = _TEMPLATE.findall(columns.path)
    return found or ([columns.path] if columns.path else [])


def path_pieces(columns: ColumnMap) -> list[str]:
    """A path's template cut at its columns: "s3://{bucket}/{name}" is "s3://", "bucket", "/", "name", ""."""
    return _TEMPLATE.split(columns.path) if _TEMPLATE.search(columns.path) else ["", columns.path, ""]


def field_type(schema: pa.Schema, name: str, columns: ColumnMap, key: str) -> pa.DataType:
    """Type of a column, or of a field in a column of structs."""
    found = schema.get_all_field_indices(name)
    if len(found) > 1:
        raise UsageError(f"{columns.source}: key '{key}': the table has {len(found)} columns '{name}'")
    if found:
        return schema.field(found[0]).type
    parent, _, child = name.rpartition(".")
    if parent:
        outer = field_type(schema, parent, columns, key)
        if pa.types.is_struct(outer) and outer.get_field_index(child) >= 0:
            return outer.field(child).type
    known = ", ".join(schema.names)
    raise UsageError(
        f"{columns.source}: key '{key}': no column '{name}' in the table; its columns are: {known}"
    )


def column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Values of a column, or of a field in a column of structs; the field of a null struct is null."""
    at = batch.schema.get_field_index(name)
    if at >= 0:
        return batch.column(at)
    parent, _, child = name.rpartition(".")
    return pc.struct_field(column(batch, parent), child)
