"""Which tests `make test-of` runs for a file."""

import subprocess
import sys
from pathlib import Path

import pytest
from kit import tests_of

ROOT = Path(__file__).parents[2]
SHAPES = "tests/packaging/test_shapes.py"
ANSWERS = "tests/mock_server/claims/test_cited.py"
UNFILLED = "tests/mock_server/claims/test_unfilled.py"
VENDORS = "mock_server/facematch_mock_server/vendors"


def page(path):
    return f"tests/docs/test_examples.py::test_page_shows_current_output[{path}]"


#: Files, each with all tests about it.
EXACTLY = {
    "facematch_core/verifier/failover.py": {"tests/core/verifier/test_failover.py", SHAPES},
    "facematch_core/errors.py": {"tests/core/errors/test_errors.py", SHAPES},
    f"{VENDORS}/azure/calls/sessions.py": {
        "tests/mock_server/vendors/azure/test_sessions.py",
        "tests/backends/test_contracts.py::TestAzure",
        page("docs/vendors/azure.md"),
        ANSWERS,
        SHAPES,
    },
    "backends/facematch_regula/backend.py": {
        "tests/backends/test_contracts.py::TestRegula",
        "tests/backends/test_pair_contracts.py::TestRegula",
        page("docs/vendors/regula.md"),
        SHAPES,
    },
    # Its classes are made in a loop.
    "backends/facematch_facepp/facts.toml": {
        "tests/backends/facepp/test_thresholds.py",
        "tests/backends/test_contracts.py::TestFacepp",
        "tests/backends/test_pair_contracts.py::TestFacepp",
        page("docs/vendors/facepp.md"),
        SHAPES,
    },
    "docs/apps/observe.md": {"tests/docs/test_pages.py", page("docs/apps/observe.md")},
    "tests/core/call/test_judging.py": {"tests/core/call/test_judging.py"},
    "tests/mock_server/claims/golden/answers_azure.txt": {ANSWERS, UNFILLED},
    ".github/workflows/ci.yml": {"tests/packaging/test_workflows.py"},
}


@pytest.mark.parametrize("path", EXACTLY)
def test_a_file_has_its_mirror_and_what_names_it(path):
    assert {*tests_of.tests_of(path)} == EXACTLY[path]


#: Files without a test of their name, each with some tests about it.
AMONG_OTHERS = {
    # All of its folder.
    "facematch_core/sessions/looking.py": "tests/core/sessions/test_sessions.py",
    "facematch_core/sessions/__init__.py": "tests/core/sessions/test_store.py",
    f"{VENDORS}/base.py": "tests/mock_server/vendors/test_limits.py",
    # A folder of its name.
    f"{VENDORS}/didit/webhooks.py": "tests/mock_server/vendors/didit/webhooks/test_queue.py",
    # A folder that the tests do not have.
    "facematch_core/cli/new_backend_template/README.md": "tests/core/cli/test_new_backend.py",
    # A module beside the packages, which the tests import.
    "mock_server/facematch_mock_server/testing.py": "tests/mock_server/test_simulator.py",
    # Helpers.
    "tests/vendors/veriff.py": "tests/backends/test_veriff.py",
    "tests/kit/goldens.py": SHAPES,
    "tests/core/http/conftest.py": "tests/core/http/test_replies.py",
}


@pytest.mark.parametrize("path", AMONG_OTHERS)
def test_a_file_without_a_test_of_its_name_has_those_around_it(path):
    assert AMONG_OTHERS[path] in tests_of.tests_of(path)


@pytest.mark.parametrize("path", [f"{VENDORS}/base.py", "facematch_core/sessions/__init__.py"])
def test_what_is_beside_a_folder_does_not_run_all_below_it(path):
    tests = tests_of.tests_of(path)
    assert not [test for test in tests if test.startswith("tests/mock_server/vendors/didit")]


@pytest.mark.parametrize("package", tests_of.ROOMS)
def test_each_module_of_a_folder_has_a_test(package):
    without = []
    for file in sorted((ROOT / package).rglob("*.py")):
        path = file.relative_to(ROOT)
        tests = tests_of.tests_of_package(package, tests_of.ROOMS[package], path)
        if file.parent != ROOT / package and tests == [SHAPES]:
            without.append(path.as_posix())
    assert without == []


def test_the_tests_of_folders_without_a_mirror_exist():
    for folder, tests in tests_of.ELSEWHERE.items():
        assert (ROOT / folder).is_dir()
        assert [path for path in tests if not (ROOT / path).is_file()] == []


def test_a_whole_file_stands_for_its_parts():
    files = ["backends/facematch_azure/backend.py", "tests/backends/test_contracts.py"]
    chosen = tests_of.choose(files)
    assert "tests/backends/test_contracts.py" in chosen
    assert "tests/backends/test_contracts.py::TestAzure" not in chosen
    assert len(chosen) == len(set(chosen))


def test_a_file_without_tests_is_an_error_not_a_run_of_all():
    command = [sys.executable, "-m", "kit.tests_of", "no/such/file.txt"]
    answer = subprocess.run(
        command, cwd=ROOT / "tests", capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "no/such/file.txt" in answer.stderr
