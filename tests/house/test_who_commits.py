"""The type says who commits: a function with a Session joins; only doors, and what sends, hold sessionmakers."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_COMMIT = (
    "campaigns/flows/sending/",
    "campaigns/flows/recovery.py",
    "campaigns/flows/probing.py",
    "campaigns/flows/attending.py",
    "campaigns/pulse.py",
    "campaigns/listening.py",
    "campaigns/doctor/",
    "campaigns/cluster/",
    "campaigns/wiring.py",
    "campaigns/worker.py",
    "campaigns/pulse.py",
    "campaigns/cli/",
    "campaigns/cluster/",
    "campaigns/migrations/",
    "web/",
)
ENDING = {"commit", "rollback", "begin"}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("campaigns", "web")
    for path in (ROOT / folder).rglob("*.py")
)


def ends_transactions(source: str) -> list[int]:
    """Lines that call .commit(), .rollback() or .begin(), or name a sessionmaker."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ENDING:
            found.append(node.lineno)
        if isinstance(node, ast.Name) and node.id == "sessionmaker":
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith(MAY_COMMIT)])
def test_only_doors_and_the_sender_end_a_transaction(file):
    assert ends_transactions((ROOT / file).read_text()) == []


def test_the_check_sees_what_it_should():
    assert ends_transactions("def f(session):\n    session.commit()\n") == [2]
    assert ends_transactions("def f(sessions: sessionmaker):\n    pass\n") == [1]


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.startswith(("campaigns/records/", "campaigns/flows/"))]
)
def test_only_the_clock_reads_the_clock(file):
    source = (ROOT / file).read_text()
    assert "utc_now" not in source, "take `now` as an argument"
