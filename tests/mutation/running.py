"""Run tests on mutants: a program, for a process of its own that has not loaded their package.

On its input JSON: ``module`` (dotted name), ``sources`` (of the mutants) and ``tests`` (paths, for
pytest). On its output a JSON list: what became of each. Every mutant gets a fork of this process,
whose import of the module gives the mutant. No file is changed, so nobody else sees one.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where the packages and the tests are, so that they are those of this folder.
FOLDERS = (ROOT / "tests", ROOT, ROOT / "backends", ROOT / "comparison", ROOT / "mock_server")
#: A mutant that never ends is ended; the tests themselves take two or three seconds.
LONGEST_S = 60
#: How a process ends in which the tests passed, but had another module than the mutant.
UNSEEN = 99
VERDICTS = {
    0: "survived",
    1: "killed",
    # A file of tests, or what it needs, cannot be imported.
    2: "killed at import",
    4: "killed at import",
    -signal.SIGALRM: "killed by time",
}
#: What takes long to import; every fork has it then, unless it is of the mutant's package.
PRELOADED = (
    *("pytest", "hypothesis.strategies", "requests", "PIL.JpegImagePlugin", "PIL.PngImagePlugin"),
    *("cattrs", "stevedore", "sqlalchemy.dialects.sqlite", "asyncio", "anyio", "rich.console"),
    *("facematch_core.backend", "facematch_core.http"),
    *("facematch_core.errors", "facematch_core.verifier"),
)


def verdicts(module, sources, tests, workers=2):
    """What becomes of each mutant: ``survived``, or one of three words that begin with ``killed``.

    Args:
        module: Dotted name of the module they are mutants of.
        sources: One for each mutant.
        tests: What is run, relative to the repository; the first that fails ends it.
        workers: How many mutants at once.

    Raises:
        RuntimeError: the tests did not run, or not on the mutant.
    """
    job = {"module": module, "sources": sources, "tests": tests, "workers": workers}
    with tempfile.TemporaryDirectory() as folder:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST", "FACEMATCH"))}
        done = subprocess.run(
            [sys.executable, "-m", "mutation.running"],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            # The same examples each time, and nothing left behind.
            env=kept
            | {"HYPOTHESIS_PROFILE": "mutants", "PYTHONPATH": os.pathsep.join(map(str, FOLDERS))}
            | {"TMPDIR": folder, "XDG_CACHE_HOME": folder}
            # Plug-ins would have Hypothesis rewritten, which is loaded already.
            | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
    if done.returncode:
        raise RuntimeError(f"the mutants of {module} did not run: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


class OneMutant(importlib.abc.MetaPathFinder):
    """Gives one module from a source of its own, and leaves all others to the rest."""

    def __init__(self, module, source):
        self.module, self.source, self.given = module, source, False

    def find_spec(self, name, path=None, target=None):
        if name != self.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(name, path)
        return importlib.util.spec_from_loader(name, Loader(name, found.origin, self))


class Loader(importlib.machinery.SourceFileLoader):
    """As for the file, but with the mutant's code."""

    def __init__(self, name, path, mutant):
        super().__init__(name, path)
        self.mutant = mutant

    def get_code(self, fullname):
        self.mutant.given = True
        return compile(self.mutant.source, self.path, "exec")


def _run_one(module, source, tests):
    """In a fork: never returns."""
    signal.alarm(LONGEST_S)
    import pytest

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    mutant = OneMutant(module, source)
    sys.meta_path.insert(0, mutant)
    for path in tests:
        # One by one: most mutants die in the first, and reading the others takes long.
        code = pytest.main(["-x", "-q", "--tb=no", "-p", "no:cacheprovider", path])
        if code:
            os._exit(int(code))
    os._exit(0 if mutant.given else UNSEEN)


def main():
    """Read the job, run it, write what became of each mutant."""
    job = json.load(sys.stdin)
    package = job["module"].partition(".")[0]
    for name in PRELOADED:
        if name.partition(".")[0] != package:
            importlib.import_module(name)
    assert not any(name.partition(".")[0] == package for name in sys.modules)
    codes, running, waiting = {}, {}, list(enumerate(job["sources"]))[::-1]
    while waiting or running:
        while waiting and len(running) < job["workers"]:
            number, source = waiting.pop()
            child = os.fork()
            if child == 0:
                _run_one(job["module"], source, job["tests"])
            running[child] = number
        ended, status = os.wait()
        codes[running.pop(ended)] = os.waitstatus_to_exitcode(status)
    odd = sorted({code for code in codes.values() if code not in VERDICTS})
    if odd:
        sys.exit(f"processes ended with {odd}")
    json.dump([VERDICTS[codes[number]] for number in sorted(codes)], sys.stdout)


if __name__ == "__main__":
    main()
