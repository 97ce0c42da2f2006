"""What our pytest plug-in costs somebody else's test run that does not use it.

    python benchmarks/pytest_plugin.py [--rounds N]

A folder with one trivial test is run by pytest alone, with facematch installed beside it, and with
facematch installed but its plug-in turned off. pytest and what it needs are copied into a folder
of their own, our wheel is built and unpacked into a second one, and the interpreter sees nothing
else, so that the plug-ins of this environment do not count. The three take turns; the difference
is the median of those within a round. CPU time is what the process used itself, which other
programs on the machine disturb less than the wall clock.

Installing is more than the plug-in: pytest goes through the list of files of every distribution
that has one, to know whose assertions it rewrites. That is measured by itself as well. Of what is
short the least is told, which other programs disturb least.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NEEDED = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
PLUGIN = "facematch_mock_server.pytest_plugin"
#: What we ask of ourselves: most milliseconds that the plug-in adds to a run.
MOST_MS = 2.0


def lay_out(folder: Path) -> tuple[Path, Path, Path]:
    """pytest alone, facematch alone, and a project."""
    alone, ours, project = (folder / name for name in ("pytest", "facematch", "project"))
    for name in NEEDED:
        for file in importlib.metadata.files(name) or ():
            source = Path(str(file.locate()))
            if ".." not in file.parts and source.suffix != ".pyc":
                (alone / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, alone / file)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(ours)
    project.mkdir()
    (project / "test_it.py").write_text("def test_it():\n    assert True\n")
    return alone, ours, project


def run(project: Path, folders: tuple[Path, ...], *arguments: str) -> tuple[float, float]:
    """Wall and CPU milliseconds of one run of pytest."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "PYTHON"))}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # Without `site`: no folder but these, and those of the standard library.
    subprocess.run(
        [sys.executable, "-S", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        check=True,
        capture_output=True,
        cwd=project,
        env=kept | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1e3, cpu * 1e3


#: What pytest does with a distribution that has plug-ins, before any test.
LIST = """
import time
from importlib.metadata import distributions
from _pytest.config import _iter_rewritable_modules
start = time.perf_counter()
(ours,) = (each for each in distributions() if each.name == "facematch-core")
found = time.perf_counter()
names = [*_iter_rewritable_modules(str(file) for file in ours.files)]
print((time.perf_counter() - found) * 1e3, len(ours.files))
"""


def python(folders: tuple[Path, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that sees only these folders."""
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(map(str, folders))},
    )


def import_ms(folders: tuple[Path, ...]) -> float:
    """What the import of the plug-in takes when pytest is there already, as Python tells it."""
    times = python(folders, "-X", "importtime", "-c", f"import pytest, {PLUGIN}").stderr
    (line,) = re.findall(rf"\| *(\d+) \| *{re.escape(PLUGIN)}$", times, re.MULTILINE)
    return int(line) / 1e3


def listing_ms(folders: tuple[Path, ...]) -> tuple[float, int]:
    """What going through the list of our files takes, and how many there are."""
    took, files = python(folders, "-c", LIST).stdout.split()
    return float(took), int(files)


@contextlib.contextmanager
def prepared() -> Iterator[tuple[Path, Path, Path]]:
    """The three folders, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        yield lay_out(Path(folder))


def main(rounds: int) -> int:
    """Measure in turns, print a table, and say whether the bar is met."""
    with prepared() as (alone, ours, project):
        ways: dict[str, tuple[tuple[Path, ...], tuple[str, ...]]] = {
            "pytest alone": ((alone,), ()),
            "with facematch": ((alone, ours), ()),
            "... plug-in off": ((alone, ours), ("-p", "no:facematch")),
        }
        for folders, arguments in ways.values():
            run(project, folders, *arguments)  # once for the compiled files and the page cache
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(rounds):
            names = [*ways][:: 1 if number % 2 else -1]
            for name in names:
                folders, arguments = ways[name]
                times[name].append(run(project, folders, *arguments))
        loads = [import_ms((alone, ours)) for _ in range(rounds)]
        listed = [listing_ms((alone, ours)) for _ in range(rounds)]
    print(f"{'':18}{'wall':>8}{'CPU':>8}{'least CPU':>11}{'added CPU':>11}   (ms, {rounds} rounds)")
    floor = times["pytest alone"]
    for name, measured in times.items():
        pairs = zip(measured, floor, strict=True)
        added = statistics.median(times[1] - others[1] for times, others in pairs)
        wall, cpu = (statistics.median(times[at] for times in measured) for at in (0, 1))
        least = min(times[1] for times in measured)
        print(f"{name:18}{wall:8.1f}{cpu:8.1f}{least:11.1f}{added:11.2f}")
    load, (listing, files) = min(loads), min(listed)
    print(
        f"import of the plug-in, after pytest: {load:.2f} (median {statistics.median(loads):.2f})"
    )
    print(f"pytest's walk through the names of our {files} files: {listing:.2f}")
    print(f"{'ok' if load <= MOST_MS else 'MISSED'}: the plug-in takes at most {MOST_MS:g} ms")
    met = load + listing <= MOST_MS
    print(f"{'ok' if met else 'MISSED'}: the plug-in and that walk take at most {MOST_MS:g} ms")
    return 0 if met else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=31)
    sys.exit(main(parser.parse_args().rounds))
