"""What every command says when the installation is not as it should be."""

import os
import subprocess
import sys
from socket import create_server

import pytest

RULE = '{"version": 1, "rule": {"everyone": true}}'


def postroom(folder, *words, **environment):
    (folder / "rule.json").write_text(RULE)
    told = {"PATH": os.environ["PATH"], "POSTROOM_DATA": str(folder / "data"), **environment}
    return subprocess.run(
        [sys.executable, "-m", "campaigns.cli", *words],
        cwd=folder,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        ("count", "rule.json"),
        ("explain", "rule.json", "--contact", "1"),
        ("preview", "letter", "--contact", "17"),
        ("doubts",),
        ("export-person", "17"),
    ],
    ids=lambda words: words[0],
)
def test_an_empty_folder_is_told_in_one_line_with_what_to_do(tmp_path, words):
    ended = postroom(tmp_path, *words)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "postroom: The store has no tables yet, or those of another version. Run: postroom migrate"
    ]


def test_a_database_that_is_away_is_told_without_its_login(tmp_path):
    url = "postgresql://somebody:secret@127.0.0.1:1/shop"
    ended = postroom(tmp_path, "count", "rule.json", POSTROOM_DATABASE_URL=url)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "postroom: The store cannot be read or written just now. To learn why, run: postroom doctor"
    ]


def test_an_installation_does_not_share_its_ports_with_another(tmp_path):
    with create_server(("127.0.0.1", 0), reuse_port=True) as demo:
        port = demo.getsockname()[1]
        ended = postroom(tmp_path, "run", POSTROOM_WEB_PORT=str(port), POSTROOM_HITS_PORT=str(port))
    assert ended.returncode == 1
    assert f"POSTROOM_WEB_PORT: is {port}, where something listens already" in ended.stderr
    assert f"POSTROOM_HITS_PORT: is {port}" in ended.stderr
    assert not (tmp_path / "data" / "postroom.db").exists()
