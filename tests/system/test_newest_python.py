"""The core and the local engine on the newest Python of this machine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def newest_python():
    """The newest released CPython that is here and newer than this one, or None."""
    candidates = list(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
    candidates += [path for n in range(12, 20) if (path := shutil.which(f"python3.{n}"))]
    found = {}
    for path in candidates:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        if version := re.fullmatch(r"Python 3\.(\d+)\.(\d+)\s*", done.stdout):
            found[int(version[1]), int(version[2])] = path
    newer = [version for version in found if (3, version[0]) > sys.version_info[:2]]
    return found[max(newer)] if newer else None


def left_out(folder, names):
    """What make and git keep at the top of the tree, and compiled files."""
    top = Path(folder) == ROOT
    kept = {name for name in names if top and (name[0] == "." or name in ("demo", "dist", "site"))}
    return kept | {"__pycache__"}


def test_on_the_newest_python(make_environment, wheel, run_command, tmp_path):
    """The same tests pass there, from the wheel, with what the registries have for it."""
    python = newest_python()
    if python is None:
        pytest.skip("no Python newer than the one of the test suite is on this machine")
    environment = make_environment(python)
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    environment.install(f"{wheel}[all]", *groups["tests"], *groups["lint"], pinned=False)
    suite = ("tests/backends/local", "tests/comparison", "tests/core")
    # Some tests read the tree as files; the code that runs is the wheel's.
    shutil.copytree(ROOT, tmp_path / "tree", ignore=left_out)
    printed = run_command(
        environment.bin / "python",
        "-P",
        "-m",
        "pytest",
        "-n",
        "2",
        "-m",
        "not long and not system",
        *suite,
        cwd=tmp_path / "tree",
    )
    assert re.search(r"\d+ passed", printed)
