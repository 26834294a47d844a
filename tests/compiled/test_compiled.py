"""The compiled program does what the one does that is read (docs/decisions/0033-compiled-sender.md)."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Of what is compiled: mails made, shown, sent, and not sent twice by who was killed.
TESTS = (
    "tests/mailing",
    "tests/delivery/test_compose.py",
    "tests/delivery/test_journal.py",
    "tests/delivery/test_smtp_dialogue.py",
    "tests/delivery/test_smtp_on_the_wire.py",
    "tests/delivery/test_smtp_tls_and_auth.py",
    "tests/flows/test_sending.py",
    "tests/flows/test_sending_in_trouble.py",
    "tests/flows/test_signing.py",
    "tests/rooms/tracking/test_instrument.py",
    "tests/rooms/tracking/test_signed_tokens.py",
    "tests/web/sales/test_desks.py",
    "tests/crash/test_senders_on_sqlite.py",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NAMED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
MODULES = [name.removesuffix(".py").replace("/", ".") for name in NAMED]
CAN_COMPILE = shutil.which("cc") and Path(sysconfig.get_path("include"), "Python.h").exists()

pytestmark = pytest.mark.skipif(not CAN_COMPILE, reason="no C compiler, or no headers of this Python")


def run(*words: str, tree: Path = ROOT, **env: str) -> str:
    """Run this Python; what it said, if all went well."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *words], cwd=tree, env=clean | env, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A folder with the compiled program, and the tests."""
    wheels, tree = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("tree")
    wheel = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(wheels), ".")
    run(*wheel, HATCH_BUILD_HOOK_ENABLE_CUSTOM="1")
    (made,) = wheels.iterdir()
    run("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tree), str(made))
    shutil.copytree(ROOT / "tests", tree / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    return tree


@pytest.fixture(scope="module")
def files(tree) -> list[str]:
    """What each module is loaded from."""
    load = f"import importlib; [print(importlib.import_module(name).__file__) for name in {MODULES}]"
    return run("-c", load, tree=tree).split()


@pytest.mark.parametrize("number", range(len(MODULES)), ids=MODULES)
def test_every_module_that_is_named_is_compiled(tree, files, number):
    assert files[number].startswith(str(tree))
    assert files[number].endswith(".so")


def test_nothing_is_left_in_the_checkout(tree):
    assert not list((ROOT / "campaigns").rglob("*.so"))


def test_it_passes_the_tests_of_what_is_compiled(tree):
    words = ("-q", "-p", "no:cacheprovider", "-k", "not postgresql or test_sending.py", *TESTS)
    said = run("-m", "pytest", *words, tree=tree, PYTHONPATH=str(tree))
    assert " passed" in said
