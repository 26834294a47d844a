"""The whole path as a user runs it: CSV files, the commands, real SMTP, real HTTP, real notices, a true report."""

import os
import subprocess
import sys

import pytest

from tests.ports import free_port


@pytest.mark.timed  # its people and machines are told apart by the seconds between what they do
def test_the_demos_report_is_what_the_played_world_did(database_url, tmp_path):
    env = {**os.environ, "POSTROOM_DATA": str(tmp_path / "demo"), "POSTROOM_DATABASE_URL": database_url}
    env |= {f"POSTROOM_{door}_PORT": str(free_port()) for door in ("WEB", "HITS")}
    played = subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--customers", "400"],
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-4000:]
    assert "Every number above is what the world really did." in played.stdout
