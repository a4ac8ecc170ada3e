"""Column maps: those that come along, and what is wrong with others."""

import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import HOME

from dicomae.errors import UsageError
from dicomae.header_tables.column_map import ColumnMap, columns_read, element_columns, load_column_map

MAPS = sorted((HOME / "conf" / "columns").glob("*.toml"))


def write(folder: Path, text: str) -> Path:
    path = folder / "map.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_the_maps_that_come_along_are_sound_and_travel_to_executors(path: Path) -> None:
    columns = load_column_map(path)
    assert columns.source == str(path)
    assert pickle.loads(pickle.dumps(columns)) == columns


def test_there_is_a_map_for_each_of_the_three_known_tables() -> None:
    assert [path.stem for path in MAPS] == ["bigquery", "idc", "pixels"]


def test_a_map_is_what_its_file_says(tmp_path: Path) -> None:
    text = """
        instance = "uid"
        path = "s3://{b}/{c}"
        columns = "keywords"
        [elements]
        PatientID = "pid"
        "0019xx0C SIEMENS MR HEADER" = "b_value"
        TransferSyntaxUID = "syntax"
        [constants]
        Modality = "CT"
    """
    columns = load_column_map(write(tmp_path, text))
    assert (columns.instance, columns.path, columns.json, columns.keywords) == (
        "uid",
        "s3://{b}/{c}",
        "",
        True,
    )
    assert columns.elements["0019xx0C SIEMENS MR HEADER"] == "b_value"
    assert dict(columns.constants) == {"Modality": "CT"}


def test_explicit_columns_win_over_keywords(tmp_path: Path) -> None:
    columns = load_column_map(
        write(tmp_path, 'instance = "uid"\ncolumns = "keywords"\n[elements]\nPatientID = "pid"')
    )
    schema = pa.schema([(n, pa.string()) for n in ("uid", "PatientID", "pid", "Rows", "Type")])
    assert element_columns(schema, columns) == {"PatientID": "pid", "Rows": "Rows"}


def test_a_column_may_be_left_out(tmp_path: Path) -> None:
    columns = load_column_map(write(tmp_path, UID + 'columns = "keywords"\n[elements]\nStudyDate = ""'))
    schema = pa.schema([("uid", pa.string()), ("StudyDate", pa.bool_()), ("Rows", pa.int64())])
    assert element_columns(schema, columns) == {"Rows": "Rows"}
    assert columns_read(schema, columns) == ["uid", "Rows"]


def test_only_the_columns_that_are_needed_are_read() -> None:
    columns = ColumnMap("t", instance="uid", path="{b}/{c.d}", elements={"PatientID": "e.f", "Rows": "g.h"})
    inner = pa.struct([("d", pa.string()), ("f", pa.string())])
    kinds = {"thumbnail": pa.binary(), "uid": pa.string(), "b": pa.string(), "c": inner, "e": inner}
    schema = pa.schema([*kinds.items(), ("g.h", pa.int64()), ("Columns", pa.int64())])
    assert columns_read(schema, columns) == ["uid", "b", "c", "e", "g.h"]


UID = 'instance = "uid"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = [", "not a readable TOML file"),
        ('instanse = "uid"', "unknown key 'instanse' = 'uid'; known are: instance, path, columns, json"),
        ('columns = "keywords"', "key 'instance' is missing"),
        (UID, "one of the keys 'elements', 'columns' and 'json'"),
        (UID + 'columns = "all"', "key 'columns' must be 'keywords' or left out, not 'all'"),
        ("instance = 1", "key 'instance' must be a text, not 1"),
        ('instance = ""', "key 'instance' must be a text, not ''"),
        (UID + 'elements = "x"', "key 'elements' must be a table of texts, not 'x'"),
        (UID + "[elements]\nRows = 1", "key 'elements.Rows' must be a text, not 1"),
        (UID + 'columns = "keywords"\n[constants]\nRows = ""', "key 'constants.Rows' must be a text, not ''"),
        (
            UID + '[elements]\nPatientIdent = "p"',
            "key 'elements.PatientIdent' = 'p': allowed is a",
        ),
        (UID + '[elements]\n"0019xx0C NOBODY" = "p"', "that a dictionary knows"),
        (UID + '[elements]\nMediaStorageSOPInstanceUID = "p"', "outside the file meta"),
        (UID + '[constants]\nModalitty = "CT"\n[elements]\n', "key 'constants.Modalitty' = 'CT'"),
        (UID + 'json = "meta"', "key 'json' stands for whole data sets: 'instance' must go"),
        (UID + '[elements]\nRows = "a"\nRows = "b"', "not a readable TOML file"),
        (UID + 'path = "{}"\ncolumns = "keywords"', "key 'path' = '{}': braces must hold a column"),
    ],
)
def test_what_is_wrong_is_said_with_file_key_and_value(tmp_path: Path, text: str, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load_column_map(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_missing_map_says_where_some_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such column map; conf/columns has some"):
        load_column_map(tmp_path / "none.toml")
