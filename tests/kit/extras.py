"""Install a wheel alone, and with each extra in an environment of its own, and try what it brings.

Run it anywhere: ``python tests/kit/extras.py WHEEL ENGINE [--python PATH]``, with the wheels of
facematch-core and facematch-local; it exits with 1 if one fails.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHOTOS = ROOT / "docs" / "photographs"

#: What each extra brings, tried; "" is the wheel without any.
EXTRAS = {
    "": "import facematch_core, facematch_didit",
    "local": (
        "from pathlib import Path\n"
        "from facematch_core import open_verifier\n"
        f"photos = Path({str(PHOTOS)!r})\n"
        "with open_verifier('local') as verifier:\n"
        "    a, b = photos / 'grace-hopper.jpg', photos / 'grace-hopper-card.jpg'\n"
        "    result = verifier.verify(a, b)\n"
        "assert result.is_match, result"
    ),
    "mock": (
        "import urllib.request\n"
        "from facematch_mock_server import MockServer\n"
        "with MockServer() as mock:\n"
        "    with urllib.request.urlopen(mock.url + '/__mock__/clock') as answer:\n"
        "        assert answer.status == 200"
    ),
    "door": (
        "from facematch_mock_server import MockServer\n"
        "from facematch_mock_server.door import Door\n"
        "with MockServer() as mock, Door(mock) as door:\n"
        "    assert door.authority.pem.is_file()"
    ),
    "testing": "from facematch_core.testing import BackendContract, VendorSimulator",
    "store": ("from facematch_core.store import SqlStore\nSqlStore('sqlite:///budget.sqlite3')"),
    "postgres": (
        "import psycopg\n"
        "from facematch_core import ConfigurationError\n"
        "from facematch_core.store import SqlStore\n"
        "try:\n"
        "    SqlStore('postgresql+psycopg:///shop?host=/nowhere')\n"
        "except ConfigurationError as error:\n"
        "    assert 'failed (OperationalError)' in error.message, error"
    ),
    "compare": (
        "import numpy as np\n"
        "from facematch_core.models import ThresholdRule\n"
        "from facematch_comparison import Answers, evaluate, report_html\n"
        "people = np.arange(8)\n"
        "mated = people < 4\n"
        "everything = np.ones(8, bool)\n"
        "table = Answers.of(name='a', rule=ThresholdRule.ABOVE, mated=mated, acquired=everything,\n"
        "    scores=np.where(mated, 80.0, 20.0), answered=everything,\n"
        "    decisions=mated.astype(np.int8), probe_subjects=people,\n"
        "    reference_subjects=np.where(mated, people, people + 10))\n"
        "assert '<html' in report_html(evaluate([table]))"
    ),
    "heif": (
        "import io, PIL.Image, pillow_heif\n"
        "from facematch_core import Image\n"
        "buffer = io.BytesIO()\n"
        "pillow_heif.register_heif_opener()\n"
        "PIL.Image.new('RGB', (64, 48)).save(buffer, 'HEIF')\n"
        "assert Image.from_bytes(buffer.getvalue()).prepared().format == 'jpeg'"
    ),
    "rekognition": (
        "from facematch_rekognition import RekognitionBackend\n"
        "RekognitionBackend(region='eu-west-1')"
    ),
    "opentelemetry": (
        "import facematch_core as fm\n"
        "from facematch_core.hooks.opentelemetry import trace_calls\n"
        "fm.open_verifier('didit', api_key='k', on_event=trace_calls()).close()"
    ),
    "prometheus": (
        "import facematch_core as fm\n"
        "from facematch_core.hooks.prometheus import count_calls\n"
        "fm.open_verifier('didit', api_key='k', on_event=count_calls()).close()"
    ),
    "all": "import botocore, facematch_local.recognition, pytest, pillow_heif",
}
#: Those that are tried with the engine's wheel beside the core's.
LOCAL = ("local", "all")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BACKENDS = sorted(PROJECT["entry-points"]["facematch.backends"])
LISTED = (
    "from facematch_core import available_backends\n"
    "names = [backend.name for backend in available_backends()]\n"
    f"assert names == {BACKENDS!r}, names"
)


class Failed(Exception):
    """A command that did not end well; the text says which one and how."""


def run(*command, code=0, **options):
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=1200,
        **options,
    )
    if done.returncode != code:
        raise Failed(f"{command} ended with {done.returncode}\n{done.stdout}")
    return done.stdout


def program(environment, name):
    path = shutil.which(name, path=environment / ("Scripts" if os.name == "nt" else "bin"))
    if path is None:
        raise Failed(f"{name} was not installed")
    return path


def smoke(environment, extra, folder):
    """Try the extra in a virtual environment, working in an empty folder; "" is no extra."""
    python = program(environment, "python")
    facematch = program(environment, "facematch")
    home = folder / "home"
    home.mkdir()
    # No configuration and no key of whoever runs this.
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "FACEMATCH", "DIDIT", "DEEPVUE", "XDG"))
    }
    clean |= {"HOME": str(home), "USERPROFILE": str(home), "APPDATA": str(home)}
    options = {"cwd": folder, "env": clean}
    run(python, "-W", "error", "-c", EXTRAS[extra], **options)
    run(python, "-W", "error", "-c", LISTED, **options)
    if not run(facematch, "--version", **options).startswith("facematch "):
        raise Failed("facematch --version says something else")
    # Without a configuration it looks at the local engine: 4 says that its extra is missing.
    run(facematch, "doctor", code=0 if extra in LOCAL else 4, **options)
    if extra in LOCAL:
        pair = (PHOTOS / "grace-hopper.jpg", PHOTOS / "grace-hopper-card.jpg")
        output = run(facematch, "verify", *pair, **options)
        if not output.startswith("MATCH "):
            raise Failed(f"facematch verify: {output}")


def install(python, environment, *packages):
    """Install packages into a new virtual environment; how many packages are there then."""
    run(python, "-m", "venv", environment)
    pip = (program(environment, "python"), "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", *packages)
    # pip itself is no package of ours, nor is what Python 3.11 brings with it.
    listed = run(*pip, "list", "--format=freeze", "--exclude=pip", "--exclude=setuptools")
    return len(listed.splitlines())


def packages_of(extra, wheel, engine):
    """The packages to install to try an extra."""
    core = f"{wheel}[{extra}]" if extra else str(wheel)
    return (core, str(engine)) if extra in LOCAL else (core,)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("engine", type=Path)
    parser.add_argument("--python", default=sys.executable, help="the Python to try it with")
    options = parser.parse_args()
    failures = 0
    for extra in EXTRAS:
        with tempfile.TemporaryDirectory(prefix="facematch-extra-") as name:
            environment = Path(name) / "venv"
            work = Path(name) / "work"
            work.mkdir()
            wheels = packages_of(extra, options.wheel.resolve(), options.engine.resolve())
            try:
                packages = install(options.python, environment, *wheels)
                smoke(environment, extra, work)
            except Failed as error:
                failures += 1
                print(f"{extra or '(none)'}: fails\n{error}", flush=True)
            else:
                print(f"{extra or '(none)'}: works, {packages} packages", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
