"""Compare the time until FaceVerifier is imported with the time until requests is.

Usage: ``python benchmarks/import_time.py [ROUNDS]``. Every import is measured in a new process.
They take turns, so that other load affects all of them. Prints medians over the rounds.
"""

import statistics
import subprocess
import sys
import time

LINES = {
    "nothing": "pass",
    "FaceVerifier, Image": "from facematch_core import FaceVerifier, Image",
    "requests": "import requests",
}


def seconds(code):
    """Return the wall time of one process, from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return time.perf_counter() - start


def main(rounds):
    """Measure in turns and print a table."""
    times = {name: [] for name in LINES}
    for code in LINES.values():
        seconds(code)  # warm-up: compiled files and the page cache
    for _ in range(rounds):
        for name, code in LINES.items():
            times[name].append(seconds(code))
    medians = {name: statistics.median(measured) for name, measured in times.items()}
    for name, median in medians.items():
        print(f"{name:20}{median * 1e3:8.1f} ms")
    print(f"ratio {medians['FaceVerifier, Image'] / medians['requests']:.2f}   ({rounds} rounds)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
