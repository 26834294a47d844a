"""A form's scene on each database."""

from pathlib import Path

import pytest

from campaigns.wiring import Stores
from tests.forms.scene import FormScene, a_form_scene


@pytest.fixture
def scene(stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormScene:
    return a_form_scene(stores, tmp_path, monkeypatch)
