"""The SQL of docs/tables.md, as Spark reads the tables."""

from collections.abc import Iterator
from pathlib import Path

import documented
import pytest
from pyspark.sql import SparkSession

SQL = {
    block.heading: block.text
    for block in documented.blocks(documented.TABLES_PAGE)
    if block.language == "sql"
}


@pytest.fixture(scope="module")
def session(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session that knows the tables, by the page's own lines."""
    root = tmp_path_factory.mktemp("documented") / "tables"
    documented.write_tables(root)
    (text,) = (b.text for b in documented.blocks(documented.TABLES_PAGE) if b.language == "python spark")
    before = {table.name for table in spark.catalog.listTables()}
    documented.run(_of(root, text), {"spark": spark})
    yield spark
    for table in spark.catalog.listTables():
        if table.name not in before:
            spark.catalog.dropTempView(table.name)


def _of(root: Path, text: str) -> str:
    return text.replace(documented.EXAMPLE_ROOT, str(root))


def test_each_query_has_a_known_answer() -> None:
    assert list(SQL) == list(documented.ANSWERS)


@pytest.mark.parametrize("question", list(documented.ANSWERS))
def test_spark_gives_the_answer(question: str, session: SparkSession) -> None:
    answer = [tuple(row) for row in session.sql(SQL[question]).collect()]
    assert documented.as_rows(answer) == documented.as_rows(documented.ANSWERS[question])
