"""The whole path as a user runs it: CSV files, the commands, real SMTP, real HTTP, real notices, a true report."""

import os
import subprocess
import sys


def test_the_demos_report_is_what_the_played_world_did(database_url, tmp_path):
    env = {**os.environ, "POSTROOM_DATA": str(tmp_path / "demo"), "POSTROOM_DATABASE_URL": database_url}
    played = subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--customers", "400"],
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-4000:]
    assert "Every number above is what the world really did." in played.stdout
