"""The folders of tests mirror those of the packages: `make test-of` finds tests by them."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
PACKAGES = {
    "core": "facematch_core",
    "comparison": "comparison/facematch_comparison",
    "mock_server": "mock_server/facematch_mock_server",
}


def _folders_with_tests(room):
    return sorted({path.parent.relative_to(TESTS / room) for path in room_files(room)})


def room_files(room):
    return sorted((TESTS / room).rglob("test_*.py"))


@pytest.mark.parametrize("room", PACKAGES)
def test_each_folder_of_tests_is_about_a_package_or_a_module(room):
    package = ROOT / PACKAGES[room]
    unknown = []
    for folder in _folders_with_tests(room):
        about = package / folder
        if not about.is_dir() and not about.with_suffix(".py").is_file():
            unknown.append(str(folder))
    assert unknown == []


def test_each_folder_of_a_backends_tests_has_its_name():
    folders = {path.parent.name for path in room_files("backends")} - {"backends"}
    assert [name for name in folders if not (ROOT / f"backends/facematch_{name}").is_dir()] == []


def test_no_test_of_the_core_stands_beside_the_folders():
    assert sorted((TESTS / "core").glob("test_*.py")) == []
