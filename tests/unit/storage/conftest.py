from collections.abc import Iterator
from pathlib import Path

import pytest

from e2ecore.storage.database import Database
from tests.support.databases import create_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = create_database(tmp_path / "alice.db")
    yield database
    database.close()
