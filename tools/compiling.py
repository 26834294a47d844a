"""Compile the sender's inner loop when a wheel is built, if HATCH_BUILD_HOOK_ENABLE_CUSTOM is set.

`make compiled` sets it. The modules that pyproject.toml names become machine code by mypyc, unchanged, and
lie in the wheel beside their source. All happens in a copy: a compiled module left in a checkout would hide
what is edited there.
"""

import atexit
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: All modules in one compilation, so that they call each other without a detour by Python. Whether the types
#: are right was asked by `make check`; libraries that a build lacks are of any type.
SETUP = """
from mypyc.build import mypycify
from setuptools import setup

words = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", *{modules!r}]
setup(name="postroom", packages=[], ext_modules=mypycify(words, group_name="postroom"))
"""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so")
CURE = "A C compiler and Python's headers are needed (on Debian: apt-get install gcc python3-dev)."


class Compiling(BuildHookInterface[Any]):
    """Adds the compiled modules to a wheel; an editable install stays as it is written."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        work = Path(mkdtemp(prefix="postroom-compiling-"))
        atexit.register(shutil.rmtree, work, ignore_errors=True)
        built = self._compile(work)
        build_data["force_include"] |= {
            str(path): str(path.relative_to(built)) for path in built.rglob("*.so")
        }
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def _compile(self, work: Path) -> Path:
        """Give the folder that holds the compiled modules, each in its package."""
        for package in self.config["packages"]:
            shutil.copytree(Path(self.root, package), work / package, ignore=LEFT_OUT)
        setup, built = work / "setup.py", work / "built"
        setup.write_text(SETUP.format(modules=self.config["modules"]), "utf-8")
        words = [sys.executable, setup.name, "--quiet", "build_ext", "--build-lib", str(built)]
        done = subprocess.run(
            words, cwd=work, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        missing = [name for name in self.config["modules"] if not [*built.glob(f"{name[:-3]}.*.so")]]
        if done.returncode or missing:
            raise SystemExit(f"{done.stdout}\nThese were not compiled: {', '.join(missing)}. {CURE}")
        return built
