"""The weekly run tries what is there, and fails on too many survivors."""

import json
import tomllib
from pathlib import Path

import pytest
from mutation.share import SHARE, main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("counts", "fails"),
    [
        ({"killed": 70, "timeout": 10, "survived": 19, "no_tests": 1}, False),
        ({"killed": 70, "survived": 20, "no_tests": 9, "suspicious": 1}, True),
        ({}, True),
    ],
)
def test_more_than_a_share_fails_and_so_does_a_run_without_mutants(counts, fails, tmp_path):
    statuses = ["killed", "timeout", "segfault", "survived", "no_tests", "suspicious", "total"]
    statistics = tmp_path / "statistics.json"
    statistics.write_text(json.dumps(dict.fromkeys(statuses, 0) | counts))
    assert 0.2 <= SHARE < 0.3
    assert main(statistics) is fails


def test_every_module_that_is_mutated_is_there():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    for path in settings["only_mutate"]:
        inside = path.removeprefix("src/")
        assert [*ROOT.glob(inside), *ROOT.glob(f"*/{inside}")], path
