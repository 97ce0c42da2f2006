"""The FastAPI service of the examples passes its own tests, away from this repository."""

import os
import shutil
import subprocess
import sys

from kit.installed import EXAMPLES, LEFT


def test_its_own_tests_pass(tmp_path):
    """As its README tells to run them."""
    app = tmp_path / "app"
    shutil.copytree(EXAMPLES / "fastapi_app", app, ignore=LEFT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=app,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
