"""A database over empty tables, for tests of the ledger without a JVM."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomae.lake import sql
from dicomae.lake.sql import Database


@pytest.fixture
def database(root: Path) -> Iterator[Database]:
    staging = root / "_staging"
    staging.mkdir()
    with sql.connected(root, staging) as connected:
        yield connected
