"""The tables' contracts: keys, clustering and columns name each other rightly."""

import dataclasses

import pyarrow as pa
import pydicom.datadict
import pytest

from dicomae import tables
from dicomae.tables import ModelRow, Table

every_table = pytest.mark.parametrize("table", tables.ALL, ids=lambda table: table.name)


@every_table
def test_every_row_says_which_run_wrote_it(table: Table) -> None:
    assert "run_id" in table.columns


@every_table
def test_key_and_clustering_are_columns(table: Table) -> None:
    assert table.key
    assert set(table.key) <= set(table.columns)
    assert set(table.cluster_by) <= set(table.columns)


@every_table
def test_no_column_is_there_twice(table: Table) -> None:
    assert len(set(table.columns)) == len(table.columns)


@every_table
def test_clustering_columns_have_bounds(table: Table) -> None:
    # Delta keeps bounds of plain columns alone, and of the first 32.
    for name in table.cluster_by:
        assert table.columns.index(name) < 32
        assert not str(table.schema.field(name).type).startswith(("map", "list"))


def test_no_two_tables_share_a_folder() -> None:
    names = [table.name for table in tables.ALL]
    assert len(set(names)) == len(names)


def test_all_names_every_table_of_the_module() -> None:
    assert {t.name for t in vars(tables).values() if isinstance(t, Table)} == {t.name for t in tables.ALL}


def test_promoted_columns_are_keywords_of_the_standard() -> None:
    for keyword in (*tables.PROMOTED_TEXT, *tables.PROMOTED_INTEGER):
        assert pydicom.datadict.tag_for_keyword(keyword) is not None, keyword
        assert keyword in tables.HEADERS.columns


def test_promoted_integers_are_integers_in_the_standard() -> None:
    for keyword in tables.PROMOTED_INTEGER:
        tag = pydicom.datadict.tag_for_keyword(keyword)
        assert tag is not None
        assert pydicom.datadict.dictionary_VR(tag) in {"US", "IS"}, keyword
        assert str(tables.HEADERS.schema.field(keyword).type) == "int32"


def test_a_row_of_models_has_the_columns_of_the_table_and_comes_back() -> None:
    assert [field.name for field in dataclasses.fields(ModelRow)] == tables.MODELS.columns
    rows = [
        ModelRow("all", kind, f"{kind}-1", "s", "paper", 565, 56, 0.01, "r")
        for kind in ("autoencoder", "pca")
    ]
    written = pa.Table.from_pylist([dataclasses.asdict(row) for row in rows], schema=tables.MODELS.schema)
    assert tables.model_rows(written) == rows
    assert [row.key for row in rows] == [
        tuple(getattr(row, name) for name in tables.MODELS.key) for row in rows
    ]
    assert len({row.key for row in rows}) == len({row.space for row in rows}) == 2
