"""`pytest --changed`, as `make test` runs it: leaves out parts that a branch cannot have broken.

A part is left out if nothing of it, and nothing that all parts use, differs from where the
branch left `main`: committed, or not yet. All runs in CI, with `make test ALL=1`, without git, and
where nothing differs at all, as in a fresh clone.
"""

import os
import subprocess
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
MOCK = "mock_server/facematch_mock_server"
#: What any test may use.
SHARED = ("pyproject.toml", "requirements/", "tests/conftest.py", "tests/kit/")
KIT = ("facematch_core/testing/", "tests/core/testing/", "tests/mutants/")
#: What every answer of a vendor goes through.
TRANSPORT = tuple(
    f"facematch_core/{name}.py"
    for name in ("backend", "calls", "http", "kinds", "masking", "policy", "refusals", "transport")
)


@attrs.frozen
class Part:
    """Tests of a few folders."""

    name: str
    #: Below tests/.
    tests: tuple[str, ...]
    sources: tuple[str, ...]


PARTS = (
    Part(
        "the comparison",
        ("comparison",),
        ("comparison/", "tests/comparison/", "facematch_core/tables.py", "facematch_core/store/"),
    ),
    Part("the kit's mutants", ("mutants", "core/testing"), KIT),
    *(
        Part(
            f"the contract of {name}",
            (f"backends/{name}/test_contract.py",),
            (
                f"backends/facematch_{name}/",
                f"tests/backends/{name}/",
                *([f"{MOCK}/vendors/{name}/"] if name != "local" else []),
                f"{MOCK}/conformance/",
                *KIT,
                *TRANSPORT,
            ),
        )
        for name in ("azure", "compreface", "deepvue", "didit", "local", "rekognition")
    ),
)


def _list(*words):
    answer = subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return answer.stdout.split("\0" if "-z" in words else "\n")


def find_changes():
    """Names of all files that differ from where the branch left `main`; none if nobody knows."""
    for main in ("origin/main", "main"):
        try:
            (base, *_) = _list("merge-base", "HEAD", main)
            new = _list("ls-files", "-z", "--others", "--exclude-standard")
            return {name for name in (*_list("diff", "-z", "--name-only", base), *new) if name}
        except (OSError, subprocess.SubprocessError):
            continue
    return set()


def find_unchanged(changes):
    """The parts that may be left out."""
    if not changes or any(name.startswith(SHARED) for name in changes):
        return []
    return [part for part in PARTS if not any(name.startswith(part.sources) for name in changes)]


def pytest_addoption(parser):
    parser.addoption(
        "--changed", action="store_true", help="leave out what a branch cannot have broken"
    )


def pytest_configure(config):
    is_on = config.option.changed and not os.environ.get("CI")
    parts = find_unchanged(find_changes()) if is_on else []
    config.pluginmanager.register(Selection(parts))


class Selection:
    def __init__(self, parts):
        self._parts = parts
        self._places = {ROOT / "tests" / place for part in parts for place in part.tests}

    def pytest_ignore_collect(self, collection_path):
        return True if collection_path in self._places else None

    def pytest_terminal_summary(self, terminalreporter):
        if self._parts:
            names = ", ".join(part.name for part in self._parts)
            terminalreporter.write_line(
                f"left out, because nothing of it differs from main: {names} (ALL=1 runs all)"
            )
