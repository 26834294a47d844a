"""The hostile house, built once: its tests only look."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.house import House, a_house


@pytest.fixture(scope="package")
def house(sqlite_pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(sqlite_pattern, tmp_path_factory.mktemp("hostile")) as made:
        yield made
