"""Measure the time to import the library and to start the command line.

Usage: ``python benchmarks/import_time.py [ROUNDS]``. Every line is measured in a new process. The
lines take turns, so that other load affects all of them. Prints medians over the rounds.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

FACEMATCH = Path(sys.executable).with_name("facematch")
LINES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import facematch_core": [sys.executable, "-c", "import facematch_core"],
    "... and FaceVerifier, Image": [
        sys.executable,
        "-c",
        "from facematch_core import FaceVerifier, Image",
    ],
    "facematch --help": [str(FACEMATCH), "--help"],
    "import requests": [sys.executable, "-c", "import requests"],
}
HEAVY = ("requests", "PIL", "numpy", "stevedore", "click", "rich")


def seconds(command):
    """Return the wall time of one process, from start to end."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main(rounds):
    """Measure in turns and print a table."""
    times = {name: [] for name in LINES}
    for command in LINES.values():
        seconds(command)  # warm-up: compiled files and the page cache
    for _ in range(rounds):
        for name, command in LINES.items():
            times[name].append(seconds(command))
    floor = statistics.median(times["python -c pass"])
    print(f"{'process':30}{'median ms':>10}{'above pass':>12}   ({rounds} rounds)")
    for name, measured in times.items():
        median = statistics.median(measured)
        print(f"{name:30}{median * 1e3:10.1f}{(median - floor) * 1e3:12.1f}")
    code = f"import sys, facematch_core; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    print(f"of {', '.join(HEAVY)}, `import facematch_core` loads: {done.stdout.strip()}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
