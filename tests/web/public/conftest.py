"""A scene on each database."""

from pathlib import Path

import pytest

from campaigns.wiring import Stores
from tests.web.public.scene import Scene, a_scene


@pytest.fixture
def scene(stores: Stores, tmp_path: Path) -> Scene:
    return a_scene(stores, tmp_path)
