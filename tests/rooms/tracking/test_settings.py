"""How contacts are tracked who never chose, and where networks are listed, comes from the environment."""

import pytest

from campaigns.config import from_environment
from campaigns.errors import BadSettings
from campaigns.values import Tracking


def test_unless_told_otherwise_contacts_are_tracked_and_networks_lie_in_the_data_folder(tmp_path) -> None:
    settings = from_environment({"POSTROOM_DATA": str(tmp_path)})
    assert settings.tracking is Tracking.INDIVIDUAL
    assert settings.ranges == tmp_path / "ranges"


@pytest.mark.parametrize("level", Tracking)
def test_the_installation_chooses_a_level_and_a_place(tmp_path, level) -> None:
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_TRACKING": level.value, "POSTROOM_RANGES": str(tmp_path)}
    settings = from_environment(env)
    assert (settings.tracking, settings.ranges) == (level, tmp_path)


def test_what_does_not_hold_is_told_all_together(tmp_path) -> None:
    missing = str(tmp_path / "missing")
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_TRACKING": "some", "POSTROOM_RANGES": missing}
    with pytest.raises(BadSettings) as caught:
        from_environment(env)
    told = {problem.where: str(problem) for problem in caught.value.problems}
    assert set(told) == {"POSTROOM_TRACKING", "POSTROOM_RANGES"}
    assert "not one of individual, aggregate, off" in told["POSTROOM_TRACKING"]
    assert "neither a file nor a folder" in told["POSTROOM_RANGES"]
