"""Tests run in a downloaded archive, which has no history to ask for the repository's files."""

import os
import shutil
import subprocess
import sys

import pytest
from kit import repository

pytestmark = pytest.mark.skipif(not repository.HAS_HISTORY, reason="this is such an archive")
#: Tests that ask for the files of the repository.
TESTS = (
    "test_rehearsal.py",
    "test_workflows.py::test_images_are_pinned_by_digest",
    "test_workflows.py::test_codeql_analyses_each_language_of_the_repository",
    "test_workflows.py::test_no_compiled_program_is_in_the_repository",
)


def test_files_are_found_as_git_lists_them():
    listed = repository.ask_git("--cached", "--others", "--exclude-standard")
    assert sorted(repository.find_files()) == sorted(listed)
    assert set(repository.tracked_files("docs")) <= {*listed}


@pytest.mark.slow
def test_tests_of_the_files_pass_in_an_unpacked_archive(tmp_path):
    for name in repository.tracked_files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository.ROOT / name, tmp_path / name)
    tests = [f"tests/packaging/{name}" for name in TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
