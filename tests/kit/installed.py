"""An example plug-in, built and installed as a stranger would, and Python as it finds it there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import facematch_core

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CORE = Path(facematch_core.__file__).parents[1]

#: What tools leave behind.
LEFT = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.egg-info", "build")


class Installed:
    """An example in a folder of its own, and Python as it finds it there.

    Args:
        example: Name of the folder below ``docs/examples``, or the path of another one.
        folder: An empty one.
    """

    def __init__(self, example, folder):
        self.site, self.repository = folder / "site", folder / "repository"
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            # stevedore's cache on disk, and whatever pip keeps.
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONPATH": os.pathsep.join([str(self.site), str(CORE)]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        shutil.copytree(EXAMPLES / example, self.repository, ignore=LEFT)
        pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        self.python(*pip, "--no-build-isolation", "--target", self.site, self.repository)

    def python(self, *arguments, fails=False, **more):
        """What a run prints; in the example's repository, against the installed copy."""
        # Without -P the repository itself would come first on the path.
        done = subprocess.run(
            [sys.executable, "-P", *map(str, arguments)],
            cwd=self.repository,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode != 0) == fails, done.stdout
        return done.stdout

    def script(self, text, **more):
        """What a script prints as JSON."""
        return json.loads(self.python("-c", text, **more))
