"""The benchmarks run, at the smallest size that each takes; what they measure is not looked at."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SMALLEST = {
    "client_call": (),
    # It needs a folder of pictures of known people.
    "degraded_faces": ("-h",),
    "import_time": ("1",),
    "local_engine": ("--rounds", "1"),
    "million_pairs": ("--rounds", "1", "--only", "2"),
    "mock_call": (),
}


def test_each_benchmark_is_listed():
    assert set(SMALLEST) == {path.stem for path in FOLDER.glob("[!_]*.py")}


@pytest.mark.long
@pytest.mark.parametrize("name", SMALLEST)
def test_each_benchmark_runs_to_completion(name):
    command = [sys.executable, FOLDER / f"{name}.py", *SMALLEST[name]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    # 1 is also the status of a benchmark that missed its target.
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert done.stdout
